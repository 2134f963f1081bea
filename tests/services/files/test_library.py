"""What a node shares: decisions that last, an index that may be lost, and who sees what."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.files.pair import FETCHER, pair, read_tree, write_tree
from tests.support import keep_cancelling, run
from warren.core.cid import Cid
from warren.core.errors import ContentUnknown, DiskFull, InputError, StorageError
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import PROTOCOL_ID, Status
from warren.runtime.rebuildable import ASIDE
from warren.services.files import hashing, importer, index, library, shares
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.services.files.pair import Pair
    from warren.services.files.types import Share

ROOT = Path(__file__).parents[3]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "docs", {"a.txt": b"hello", "sub/b.txt": b"world"})


async def restored(two: Pair) -> list[Share]:
    """The shares, once all are hashed."""
    assert two.library._restoring is not None
    await two.library._restoring
    return two.library.shares()


async def swept(two: Pair) -> None:
    """Return once nothing is left of what is not shared."""
    assert two.library._sweeping is not None
    await two.library._sweeping


async def statuses(client: TransferClient, *data: bytes) -> list[Status]:
    """What the chunks of this content are answered with."""
    await client.ask_chunks([hashlib.sha256(one).digest() for one in data])
    found: list[Status] = []
    while len(found) < len(data):
        answer = await client.next_answer(5)
        found += [answer.header.status] * max(1, len(answer.header.lengths))
        client.release(answer)
    return found


def rows(home: Path, table: str) -> int:
    with closing(sqlite3.connect(home / "index.db")) as db:
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 (our own names)
    return int(count)


# --- an index that is lost --------------------------------------------------------------------------------


def remove(path: Path) -> None:
    path.unlink()


def garble(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def tear(path: Path) -> None:
    """The first page is right; the pages of the tables are not."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def replace(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(index.MIGRATIONS)}")


@pytest.mark.parametrize("lose", [remove, garble, tear, replace])
def test_shares_outlive_the_index(
    tmp_path: Path, source: Path, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            first = await two.library.share(source, Audience("public"), name="papers")
        lose(tmp_path / "index.db")
        async with pair(tmp_path) as two:
            (waiting,) = two.library.shares()
            assert (waiting.name, waiting.cid, waiting.audience, waiting.ready) == (
                "papers", first.cid, first.audience, False
            )  # fmt: skip
            (again,) = await restored(two)
            assert (again.name, again.cid, again.audience, again.files) == (
                "papers", first.cid, first.audience, 2
            )  # fmt: skip
            outcome = await two.fetch("papers", tmp_path / "target")
            assert read_tree(outcome.path) == read_tree(source)
        async with pair(tmp_path) as two:
            assert [share.ready for share in two.library.shares()] == [True]

    run(main())
    assert "hashing again" in caplog.text
    assert (tmp_path / f"index.db{ASIDE}").exists() == (lose is not remove)


def test_a_second_damaged_index_takes_the_place_of_the_first(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        for _ in range(2):
            async with pair(tmp_path) as two:
                await two.library.share(source)
            garble(tmp_path / "index.db")
        async with pair(tmp_path) as two:
            await restored(two)

    run(main())


def test_what_waits_can_be_unshared_or_shared_again(tmp_path: Path, source: Path) -> None:
    other = write_tree(tmp_path / "other", {"c": b"c"})

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            await two.library.share(other)
        (tmp_path / "index.db").unlink()
        other.rename(tmp_path / "moved")
        async with pair(tmp_path) as two:
            await two.library.unshare("docs")
            with pytest.raises(InputError):
                await two.library.share(tmp_path / "moved", name="other")
        async with pair(tmp_path) as two:
            assert [(share.name, share.ready) for share in two.library.shares()] == [("other", False)]
            (tmp_path / "moved").rename(other)
            assert (await two.library.share(other)).ready
            assert [(share.name, share.ready) for share in two.library.shares()] == [("other", True)]

    run(main())


def test_a_path_that_became_a_symlink_is_not_hashed_again(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
        (tmp_path / "index.db").unlink()
        os.rename(source, tmp_path / "moved")
        os.symlink(tmp_path / "moved", source)
        async with pair(tmp_path) as two:
            await two.library.share(tmp_path / "moved", name="new")  # after what is hashed in the background
            assert [share.ready for share in two.library.shares()] == [False, True]
            assert [entry.name for entry in await two.fetcher.list_files(two.sharer)] == ["new"]

    run(main())


# --- decisions that last ----------------------------------------------------------------------------------


def test_the_durable_database_decides(tmp_path: Path, source: Path) -> None:
    """An index that went ahead, or stayed behind in a loss of power, brings nothing back."""

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source, Audience("public"))
        before = (tmp_path / "index.db").read_bytes()
        async with pair(tmp_path) as two:
            await two.library.share(source, Audience("peers", (two.sharer,)))
        (tmp_path / "index.db").write_bytes(before)
        async with pair(tmp_path) as two:
            assert [str(share.audience) for share in two.library.shares()] == [f"peer:{two.sharer}"]
            assert await two.fetcher.list_files(two.sharer) == []
            await two.library.unshare("docs")
        (tmp_path / "index.db").write_bytes(before)
        async with pair(tmp_path) as two:
            assert two.library.shares() == []
            assert await two.fetcher.list_files(two.sharer) == []
            await swept(two)
        assert rows(tmp_path, "share") == rows(tmp_path, "leaf") == 0

    run(main())


def test_where_a_decision_cannot_be_kept_nothing_changes(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskFull("the disk is full")

    async def main() -> None:
        async with pair(tmp_path) as two:
            first = await two.library.share(source)
            with monkeypatch.context() as patch:
                patch.setattr(shares, "keep", full)
                patch.setattr(shares, "drop", full)
                (source / "a.txt").write_bytes(b"changed")
                with pytest.raises(DiskFull):
                    await two.library.share(source, Audience("public"))
                with pytest.raises(DiskFull):
                    await two.library.unshare("docs")
                with pytest.raises(DiskFull):
                    await two.library.share(write_tree(tmp_path / "new", {"x": b"x"}))
            assert two.library.shares() == [first]
            assert [entry.name for entry in await two.fetcher.list_files(two.sharer, "docs")] == [
                "a.txt",
                "sub",
            ]
            outcome = await two.fetch("docs/sub", tmp_path / "target")
            assert outcome.files == 1
            await swept(two)
        assert rows(tmp_path, "share") == 1

    run(main())


def test_a_full_disk_while_sharing_leaves_the_old_share(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            first = await two.library.share(source)
            write_tree(source, {f"many/{number}": b"%d" % number for number in range(2000)})
            database = two.library._database
            await database.run(lambda db: db.execute("PRAGMA max_page_count = 40").fetchall())
            with pytest.raises(DiskFull, match=r"index\.db cannot grow"):
                await two.library.share(source)
            assert two.library.shares() == [first]
            outcome = await two.fetch("docs", tmp_path / "target")
            assert sorted(os.listdir(outcome.path)) == ["a.txt", "sub"]
            await database.run(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchall())
            assert (await two.library.share(source)).files == 2002

    run(main())


def test_what_is_unshared_while_it_is_hashed_stays_unshared(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            loop = asyncio.get_running_loop()
            hash_files = hashing.hash_files

            def unshare_meanwhile(*arguments: object) -> object:
                asyncio.run_coroutine_threadsafe(two.library.unshare("docs"), loop).result(10)
                return hash_files(*arguments)  # type: ignore[arg-type]

            monkeypatch.setattr(importer, "hash_files", unshare_meanwhile)
            (source / "a.txt").write_bytes(b"changed")
            with pytest.raises(ContentUnknown, match="unshared while"):
                await two.library.share(source)
            assert two.library.shares() == []
        async with pair(tmp_path) as two:
            assert two.library.shares() == []

    run(main())


def test_a_share_that_is_cancelled_leaves_the_old_one(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            first = await two.library.share(source)
            begun = asyncio.Event()
            loop = asyncio.get_running_loop()
            hash_files = hashing.hash_files

            def tell(*arguments: object) -> object:
                loop.call_soon_threadsafe(begun.set)
                return hash_files(*arguments)  # type: ignore[arg-type]

            monkeypatch.setattr(importer, "hash_files", tell)
            (source / "a.txt").write_bytes(b"changed")
            sharing = asyncio.create_task(two.library.share(source))
            await begun.wait()
            sharing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sharing
            assert two.library.shares() == [first]
            assert (await two.library.share(source)).cid != first.cid
            await swept(two)
        assert rows(tmp_path, "share") == 1

    run(main())


def test_a_share_that_is_cancelled_while_it_commits_is_shared(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            loop = asyncio.get_running_loop()
            keep = shares.keep
            tasks: list[asyncio.Task[Share]] = []

            def cancel_meanwhile(db: sqlite3.Connection, share: Share) -> None:
                loop.call_soon_threadsafe(tasks[0].cancel)
                keep(db, share)

            monkeypatch.setattr(shares, "keep", cancel_meanwhile)
            tasks.append(asyncio.create_task(two.library.share(source)))
            await asyncio.wait(tasks)
            assert [share.name for share in two.library.shares()] == ["docs"]
            assert (await two.fetch("docs", tmp_path / "target")).files == 2

    run(main())


def test_a_share_that_is_cancelled_again_while_it_commits_leaves_no_second_number(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            loop = asyncio.get_running_loop()
            tasks: list[asyncio.Task[Share]] = []
            keep = shares.keep

            def cancel_twice(db: sqlite3.Connection, share: Share) -> None:
                for _ in range(2):
                    asyncio.run_coroutine_threadsafe(cancel(), loop).result(10)
                keep(db, share)

            async def cancel() -> None:
                tasks[0].cancel()
                await asyncio.sleep(0)
                await asyncio.sleep(0)

            monkeypatch.setattr(shares, "keep", cancel_twice)
            tasks.append(asyncio.create_task(two.library.share(source)))
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
            assert [share.name for share in two.library.shares()] == ["docs"]
            await swept(two)
            assert (await two.fetch("docs", tmp_path / "target")).files == 2

    run(main())


def test_an_unshare_that_is_cancelled_holds_after_a_restart(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            busy, go_on = threading.Event(), threading.Event()

            def occupy(_: sqlite3.Connection) -> None:
                busy.set()
                go_on.wait(10)

            occupying = asyncio.create_task(two.library._state.run(occupy))
            await asyncio.to_thread(busy.wait, 10)
            unsharing = asyncio.create_task(two.library.unshare("docs"))
            await keep_cancelling(unsharing)
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await unsharing
            await occupying
            assert two.library.shares() == []
        async with pair(tmp_path) as two:
            assert two.library.shares() == []

    run(main())


def test_of_two_who_unshare_the_same_one_is_told_that_it_is_gone(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            share = await two.library.share(source)
            both = [two.library.unshare("docs") for _ in range(2)]
            first, second = await asyncio.gather(*both, return_exceptions=True)
            assert first == share
            assert isinstance(second, ContentUnknown)

    run(main())


def test_no_sweep_outlives_the_library(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing again what the index lost begins a sweep when it is broken off."""

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
        (tmp_path / "index.db").unlink()
        begun, go_on = threading.Event(), threading.Event()
        hash_files = hashing.hash_files

        def wait(*arguments: object) -> object:
            begun.set()
            go_on.wait(10)
            return hash_files(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(importer, "hash_files", wait)
        async with pair(tmp_path) as two:
            await asyncio.to_thread(begun.wait, 10)
            await swept(two)
            monkeypatch.setattr(index, "sweep_some", lambda _: False)  # there is always more
            closing_it = asyncio.create_task(two.library.close())
            asyncio.get_running_loop().call_later(0.05, go_on.set)
            await closing_it
            assert two.library._sweeping is not None
            assert two.library._sweeping.cancelled()

    run(main())


def test_a_share_that_kill_9_broke_off_is_never_seen_and_swept(tmp_path: Path, source: Path) -> None:
    die = (
        "import os, signal, sys\n"
        "from warren.services.files import index\n"
        "index.finish = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.argv = ['node', 'share', *sys.argv[1:]]\n"
        "from tests.services.files.node import main\n"
        "main()\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    killed = subprocess.run(
        [sys.executable, "-c", die, tmp_path, source], cwd=ROOT, env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL

    async def main() -> None:
        assert rows(tmp_path, "leaf") > 0
        async with pair(tmp_path) as two:
            assert two.library.shares() == []
            assert await two.fetcher.list_files(two.sharer) == []
            await swept(two)

    run(main())
    for table in ("share", "entry", "leaf", "node"):
        assert rows(tmp_path, table) == 0


def test_a_path_that_is_not_utf8_is_shared_under_a_name(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    write_tree(odd, {"a": b"a"})
    write_tree(odd, {"file": b"file"})

    async def main() -> None:
        async with pair(tmp_path) as two:
            with pytest.raises(InputError, match="UTF-8"):
                await two.library.share(odd)
            await two.library.share(odd, name="café")
            await two.library.share(odd / "file", name="one")
        async with pair(tmp_path) as two:
            assert [share.path for share in two.library.shares()] == [odd, odd / "file"]
            assert (await two.fetch("café", tmp_path / "target")).files == 2
            assert (await two.fetch("one", tmp_path / "target")).files == 1

    run(main())


# --- who sees what ----------------------------------------------------------------------------------------


def test_a_stranger_learns_nothing_of_private_chunks(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            two.contacts.clear()
            share = await two.library.share(source)
            asked: list[str] = []
            await two.library._database.run(lambda db: db.set_trace_callback(asked.append))
            client = TransferClient(await two.networks[1].open_stream(two.sharer, PROTOCOL_ID))
            assert await statuses(client, b"hello", b"nobody has this") == [Status.NOT_FOUND] * 2
            await client.ask_tree([share.cid.to_bytes()])
            assert (await client.next_answer(5)).header.status is Status.NOT_FOUND
            assert [line for line in asked if "leaf" in line or "node" in line] == []
            assert not two.library._offering.is_known(FETCHER.peer_id)
            await two.library.share(source, Audience("peers", (FETCHER.peer_id,)))
            assert two.library._offering.is_known(FETCHER.peer_id)

    run(main())


def test_an_audience_that_is_narrowed_holds_for_open_streams(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            client = TransferClient(await two.networks[1].open_stream(two.sharer, PROTOCOL_ID))
            assert await statuses(client, b"hello") == [Status.OK]
            await two.library.share(source, Audience("peers", (two.sharer,)))
            assert await statuses(client, b"hello") == [Status.NOT_FOUND]
            await two.library.share(source, Audience("public"))
            assert await statuses(client, b"hello") == [Status.OK]
            await two.library.unshare("docs")
            assert await statuses(client, b"hello") == [Status.NOT_FOUND]

    run(main())


def test_who_is_in_a_group_is_asked_each_time(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            share = await two.library.share(source, Audience("group", group="family"))
            client = TransferClient(await two.networks[1].open_stream(two.sharer, PROTOCOL_ID))
            for groups, status in [
                ({"family"}, Status.OK),
                ({"work"}, Status.NOT_FOUND),
                ({"family"}, Status.OK),
            ]:
                two.groups[:] = groups
                assert await statuses(client, b"hello") == [status]
                await client.ask_tree([share.cid.to_bytes()])
                assert (await client.next_answer(5)).header.status is status
            two.contacts.clear()
            assert await statuses(client, b"hello") == [Status.NOT_FOUND]

    run(main())


def test_what_lies_where_can_be_asked(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            share = await two.library.share(source)
            inner = await two.library.find("docs/sub/b.txt")
            assert (inner.name, inner.path, inner.kind, inner.size) == ("b.txt", "docs/sub/b.txt", "file", 5)
            assert (await two.library.find("docs/")).cid == share.cid
            for path in ("", "docs/no", "other"):
                with pytest.raises(ContentUnknown):
                    await two.library.find(path)
            assert await two.library.find_cid(inner.cid) == [(source, "sub/b.txt")]
            assert await two.library.find_cid(share.cid) == [(source, "")]
            assert await two.library.find_cid(Cid.raw_sha256(bytes(32))) == []
            write_tree(source, {"copy.txt": b"world"})
            await two.library.share(source)
            assert set(await two.library.find_cid(inner.cid)) == {(source, "sub/b.txt"), (source, "copy.txt")}
            await two.library.unshare("docs")
            assert await two.library.find_cid(inner.cid) == []

    run(main())


def test_files_of_a_kind_come_in_pages(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PAGE_FILES", 2)
    names = ["1.pdf", "2.PDF", "x/3.pdf", "x/4.Pdf", "y/5.pdf"]
    write_tree(source, {name: name.encode() for name in [*names, "pdf", "x/6.pdfx"]})

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            pages = [page async for page in two.library.files_ending(source, ".pdf")]
            assert [[path for path, _ in page] for page in pages] == [names[:2], names[2:4], names[4:]]
            assert (await two.library.find("docs/x/3.pdf")).cid == pages[1][0][1]
            assert [page async for page in two.library.files_ending(tmp_path, ".pdf")] == []

    run(main())


def test_a_file_is_fetched_from_its_twin(tmp_path: Path, source: Path) -> None:
    write_tree(source, {"0.txt": b"hello"})

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            (source / "0.txt").unlink()
            assert (await two.fetch("docs/a.txt", tmp_path / "1")).path.read_bytes() == b"hello"
            write_tree(source, {"0.txt": b"hello"})
            (source / "a.txt").unlink()
            again = await two.library.share(source)
            assert again.files == 2
            assert (await two.fetch("docs", tmp_path / "2")).files == 2

    run(main())


def test_sharing_again_after_a_sweep_copies_nothing_that_is_gone(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            first = await two.library.share(source)
            await two.library.unshare("docs")
            again = await two.library.share(source)
            assert again.cid == first.cid
            outcome = await two.fetch("docs", tmp_path / "target")
            assert read_tree(outcome.path) == read_tree(source)

    run(main())


def test_an_index_that_fails_while_serving_costs_the_stream_only(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StorageError("the disk is tired")

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            with monkeypatch.context() as patch:
                patch.setattr(index, "find_chunks", broken)
                client = TransferClient(await two.networks[1].open_stream(two.sharer, PROTOCOL_ID))
                await client.ask_chunks([bytes(32)])
                with pytest.raises(Exception, match="reset"):
                    await client.next_answer(5)
            assert (await two.fetch("docs", tmp_path / "target")).files == 2

    run(main())


def test_a_data_folder_is_never_shared(tmp_path: Path, source: Path) -> None:
    """Not by itself, not a part of it, and not as a part of something: whoever has its key is that node."""
    home = write_tree(source / "node", dict.fromkeys([*hashing.DATA_FOLDER_NAMES, "logs/log"], b"secret"))

    async def main() -> None:
        async with pair(tmp_path) as two:
            for path in (home, home / "identity.key", home / "logs"):
                with pytest.raises(InputError, match="is the data folder of a node, with its private key"):
                    await two.library.share(path)
            share = await two.library.share(source)
            assert [(one.path, one.reason) for one in share.skipped] == [
                ("node", "it is the data folder of a node, and holds its private key")
            ]
            assert [entry.name for entry in await two.library.list_files("docs")] == ["a.txt", "sub"]
            outcome = await two.fetch("docs", tmp_path / "target")
            assert sorted(read_tree(outcome.path)) == ["a.txt", "sub", "sub/b.txt"]

    run(main())
