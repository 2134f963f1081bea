"""Copies that are shared on: without reading them again, for whom the origin said, and only as they came."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.files.catalog import Catalog
from tests.services.files.pair import FETCHER, SHARER, pair, write_tree
from tests.services.files.swarms import swarms_of
from tests.support import run
from warren import testing as simulated
from warren.core.cid import Cid
from warren.core.errors import ContentUnknown, RemoteError, StorageError
from warren.core.keys import PrivateKey
from warren.network.network import Network
from warren.runtime.migrations import numbered_scripts
from warren.runtime.simulated import World
from warren.services.files import hashing, index, keeper
from warren.services.files.config import FilesConfig
from warren.services.files.holders.replicas import Replicas, is_whole
from warren.services.files.importer import Importer
from warren.services.files.library import Library
from warren.services.files.types import Audience, Fetched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.services.files.pair import Pair
    from warren.runtime.simulated.disk import SimulatedDisk
    from warren.services.files.index import EntryRow
    from warren.services.files.types import Share

ORIGIN = PrivateKey.from_seed(b"o" * 32).peer_id
PUBLIC = Audience("public")
TREE = {"a.txt": b"hello", "sub/b.txt": b"world" * 1000, "sub/empty": b""}


@dataclass
class Verified:
    root: Cid
    nodes: dict[bytes, bytes]
    audience: Audience | None = PUBLIC
    named_at_ns: int | None = None

    def find_node(self, cid: bytes) -> bytes | None:
        return self.nodes.get(cid)


async def fetched(two: Pair, path: Path, audience: Audience | None = PUBLIC) -> tuple[Fetched, Verified]:
    """What lies at `path`, as if it had been fetched."""
    rows: list[EntryRow] = []

    async def keep(more: Sequence[EntryRow]) -> None:
        rows.extend(more)

    made = await Importer(two.runtime, 2, keep=keep).run(os.fspath(path))
    root = Cid.from_bytes(made.root.cid)
    nodes = {block.cid: block.data for row in rows for block in row.blocks}
    return Fetched(path, root, (), made.files, made.bytes, 1.0), Verified(root, nodes, audience)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read to be hashed."""
    paths: list[str] = []
    hash_part = hashing._hash_part

    def counting(beneath: object, top: str, file: hashing.Scanned, *rest: int) -> object:
        paths.append(file.path)
        return hash_part(beneath, top, file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(hashing, "_hash_part", counting)
    return paths


@asynccontextmanager
async def replica(
    home: Path, path: Path, audience: Audience | None = PUBLIC
) -> AsyncIterator[tuple[Pair, Catalog, Share]]:
    """A node with a replica of what lies at `path`."""
    async with pair(home) as two:
        catalog = Catalog()
        two.library.subscribe(catalog.on_changed)
        two.contacts.clear()
        share = await Replicas(two.runtime, two.library).keep(*await fetched(two, path, audience))
        assert share is not None
        yield two, catalog, share


async def until_changed(two: Pair, catalog: Catalog) -> Share:
    await catalog.until(lambda sizes: not sizes)
    return await until(two, lambda share: share.state == "changed")


async def until(two: Pair, condition: Callable[[Share], object]) -> Share:
    """The first share, once this holds of it."""
    events = two.networks[0].events.subscribe()
    while not condition(share := two.library.shares()[0]):
        await anext(events)
    events.close()
    return share


@pytest.mark.parametrize("kind", ["dir", "file"])
def test_it_is_had_from_here_and_nothing_is_read_for_that(
    tmp_path: Path, reads: list[str], kind: str
) -> None:
    top = write_tree(tmp_path / "docs", TREE)
    top = top if kind == "dir" else top / "sub" / "b.txt"

    async def main() -> None:
        async with replica(tmp_path, top) as (two, catalog, share):
            reads.clear()
            await catalog.until(lambda sizes: share.name in sizes)
            assert (share.replica, share.kind, share.audience) == (True, kind, PUBLIC)
            got = await two.fetch(share.name, tmp_path / "target")
            assert got.cid == share.cid
            assert (got.files, got.bytes) == (share.files, share.bytes)
            assert two.library.shares()[0].state == "watched"
        async with pair(tmp_path) as two:  # over a restart
            (share,) = two.library.shares()
            assert (share.replica, share.ready) == (True, True)
            await two.fetch(share.name, tmp_path / "again")
        assert reads == []

    run(main())


def test_hundreds_of_copies_are_all_watched(tmp_path: Path) -> None:
    """On real inotify, where a user has 128 instances for all programs together."""
    folders = [write_tree(tmp_path / f"copy{n}", {"a.txt": b"%d" % n}) for n in range(150)]
    files = [write_tree(tmp_path / "files", {f"{n}.bin": b"file %d" % n}) / f"{n}.bin" for n in range(50)]

    async def main() -> None:
        async with pair(tmp_path) as two:
            catalog = Catalog()
            two.library.subscribe(catalog.on_changed)
            events = two.networks[0].events.subscribe()
            for top in (*folders, *files):
                assert await Replicas(two.runtime, two.library).keep(*await fetched(two, top))
            while {share.state for share in two.library.shares()} != {"watched"}:
                await anext(events)
            (folders[-1] / "a.txt").write_bytes(b"edited")
            files[-1].write_bytes(b"edited too")
            folders[0].rename(tmp_path / "moved")
            files[0].unlink()
            away = {path.name for path in (folders[-1], files[-1], folders[0], files[0])}
            await catalog.until(away.isdisjoint)
            while len(two.library.shares()) != 198:  # what was moved or removed is no copy any more
                await anext(events)
            states = {share.name: share.state for share in two.library.shares()}
            assert {name for name, state in states.items() if state != "watched"} == {"copy149", "49.bin"}

    run(main(), timeout_s=120)  # where they were only looked at now and then it would take 300 s


def test_what_the_user_wrote_before_it_could_become_one_is_shown_to_nobody(tmp_path: Path) -> None:
    top = write_tree(tmp_path / "docs", TREE)

    async def main() -> None:
        async with pair(tmp_path) as two:
            found, verified = await fetched(two, top)
            named_at_ns = max(path.stat().st_mtime_ns for path in top.rglob("*"))
            (top / "a.txt").write_bytes(b"mine!")  # as long as what was fetched
            os.utime(top / "a.txt", ns=(named_at_ns + 1, named_at_ns + 1))
            keep = Replicas(two.runtime, two.library).keep
            assert await keep(found, replace(verified, named_at_ns=named_at_ns)) is None
            os.utime(top / "a.txt", ns=(named_at_ns, named_at_ns))
            assert await keep(found, replace(verified, named_at_ns=named_at_ns)) is not None

    run(main())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda top: (top / "sub" / "private.txt").write_bytes(b"mine alone"), "'sub/private.txt'"),
        (lambda top: (top / "a.txt").write_bytes(b"my own words"), "'a.txt'"),
        (lambda top: (top / "sub" / "b.txt").unlink(), "'sub/b.txt' is gone"),
        (lambda top: (top / "a.txt").rename(top / "other.txt"), ""),
        (lambda top: (top / "new").mkdir(), "'new'"),
    ],
)
def test_what_the_user_makes_of_it_is_shown_to_nobody(
    tmp_path: Path, change: Callable[[Path], object], what: str, reads: list[str]
) -> None:
    top = write_tree(tmp_path / "docs", TREE)

    async def main() -> None:
        async with replica(tmp_path, top) as (two, catalog, share):
            await catalog.until(lambda sizes: "docs/sub/b.txt" in sizes)
            reads.clear()
            change(top)
            changed = await until_changed(two, catalog)
            assert what in changed.note
            assert changed.cid == share.cid
            assert await two.fetcher.list_files(two.sharer) == []
            for ref in ("docs", "docs/sub/private.txt"):
                with pytest.raises((ContentUnknown, RemoteError)):
                    await two.fetch(ref, tmp_path / "target")
            assert reads == []
            assert all("private" not in path for added, _ in catalog.told for path in added)

            again = await two.library.share(top)
            assert (again.replica, again.audience, again.name) == (False, Audience(), "docs")
            assert again.cid != share.cid
            assert "docs" in catalog.entries
            assert two.library.shares()[0].state == "watched"

    run(main())


def test_a_file_that_changed_is_shown_to_nobody_until_it_is_shared_with_as_many(tmp_path: Path) -> None:
    top = write_tree(tmp_path, {"one.txt": b"hello"}) / "one.txt"

    async def main() -> None:
        async with replica(tmp_path, top) as (two, catalog, _):
            await catalog.until(lambda sizes: sizes.get("one.txt") == 5)
            top.write_bytes(b"my own words")
            assert "it is another" in (await until_changed(two, catalog)).note
            again = await two.library.share(top, PUBLIC)
            assert not again.replica
            assert {path: size.size for path, (size, _) in catalog.entries.items()} == {"one.txt": 12}
            await two.library.unshare("one.txt")
            assert not catalog.entries

    run(main())


def test_all_of_it_is_told_again_when_it_is_shared_by_hand(tmp_path: Path) -> None:
    top = write_tree(tmp_path / "docs", TREE)

    async def main() -> None:
        async with replica(tmp_path, top) as (two, catalog, _):
            (top / "new.txt").write_bytes(b"new")
            await until_changed(two, catalog)
            await two.library.share(top, PUBLIC)
            assert {"docs", "docs/a.txt", "docs/sub/b.txt", "docs/new.txt"} <= catalog.entries.keys()

    run(main())


def test_a_change_while_the_node_is_off_is_seen_at_the_next_start(tmp_path: Path) -> None:
    top = write_tree(tmp_path / "docs", TREE)

    async def main() -> None:
        async with replica(tmp_path, top):
            pass
        (top / "new.txt").write_bytes(b"mine")
        async with pair(tmp_path) as two:
            await until(two, lambda share: share.state == "changed")
            assert await two.fetcher.list_files(two.sharer) == []

    run(main())


@pytest.mark.parametrize("is_same", [True, False])
def test_a_lost_index_is_made_again_only_where_the_copy_is_the_same(tmp_path: Path, is_same: bool) -> None:
    top = write_tree(tmp_path / "docs", TREE)

    def meanwhile() -> None:
        for path in tmp_path.glob("index.db*"):
            path.unlink()
        if not is_same:
            (top / "new.txt").write_bytes(b"mine")

    async def main() -> None:
        async with replica(tmp_path, top) as (_, _, share):
            pass
        meanwhile()
        async with pair(tmp_path) as two:
            now = await until(two, lambda share: share.ready or share.state == "changed")
            assert (now.ready, now.replica, now.cid) == (is_same, True, share.cid)
            assert bool(await two.fetcher.list_files(two.sharer)) == is_same

    run(main())


def test_whom_the_origin_admits_is_for_tickets_to_say(tmp_path: Path) -> None:
    """Nobody is shown it by its audience alone, not even a contact (F10)."""
    top = write_tree(tmp_path / "docs", TREE)

    async def main() -> None:
        async with replica(tmp_path, top, Audience("origin", (ORIGIN,))) as (two, _, share):
            assert str(share.audience) == f"origin:{ORIGIN}"
            two.contacts.add(FETCHER.peer_id)
            assert await two.fetcher.list_files(two.sharer) == []
            with pytest.raises((ContentUnknown, RemoteError)):
                await two.fetch("docs", tmp_path / "target")

    run(main())


def test_what_is_not_the_root_or_is_shared_already_is_no_replica(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    top = write_tree(tmp_path / "docs", TREE)

    async def main() -> None:
        async with pair(tmp_path) as two:
            keep = Replicas(two.runtime, two.library).keep
            one, verified = await fetched(two, top)
            assert is_whole(one)
            for change in (
                {"partial": True},
                {"renamed_count": 1},
                {"skipped_count": 1},
                {"already_there": True},
            ):
                assert await keep(replace(one, **change), verified) is None
            assert await keep(one, replace(verified, audience=None)) is None
            assert await keep(one, replace(verified, nodes={})) is None
            assert await keep(replace(one, path=tmp_path / "nowhere"), verified) is None
            wrong: Any = Cid.raw_sha256(hashlib.sha256(b"hello").digest())
            assert await keep(replace(one, path=top / "a.txt"), replace(verified, root=wrong)) is not None
            await two.library.unshare("a.txt")
            await two.library.share(top, Audience())
            assert await keep(one, verified) is None
            assert await keep(replace(one, path=top / "a.txt"), replace(verified, root=wrong)) is None
            assert [share.replica for share in two.library.shares()] == [False]

    run(main())


def test_what_rows_say_must_be_the_root(tmp_path: Path) -> None:
    top = write_tree(tmp_path, {"one.txt": b"hello"}) / "one.txt"

    async def pages(*found: list[EntryRow]) -> AsyncIterator[list[EntryRow]]:
        for page in found:
            yield page

    async def main() -> None:
        async with pair(tmp_path) as two:
            root = Cid.raw_sha256(bytes(32))
            row = index.EntryRow("", "", "file", 5, 0, Cid.raw_sha256(b"x" * 32).to_bytes(), 5, trusted=True)
            for found in ([], [[row]], [[row._replace(kind="symlink", cid=root.to_bytes())]]):
                with pytest.raises(StorageError, match="is not"):
                    await two.library.adopt(top, root, PUBLIC, pages(*found))
            assert two.library.shares() == []

    run(main())


def test_a_second_copy_gets_a_name_of_its_own(tmp_path: Path) -> None:
    one = write_tree(tmp_path / "here" / "docs", TREE)
    other = write_tree(tmp_path / "there" / "docs", TREE)

    async def main() -> None:
        async with replica(tmp_path, one) as (two, catalog, share):
            second = await Replicas(two.runtime, two.library).keep(*await fetched(two, other))
            assert second is not None
            assert (share.name, second.name) == ("docs", "docs (2)")
            (one / "new").write_bytes(b"")
            await catalog.until(lambda sizes: "docs" not in sizes and "docs (2)" in sizes)
            assert (await two.fetcher.list_files(two.sharer))[0].cid == share.cid

    run(main())


@asynccontextmanager
async def simulated_replica() -> AsyncIterator[tuple[SimulatedDisk, Library]]:
    """A library on a simulated host, with a replica on a drive, looked at once."""
    runtime = World(1, loop=asyncio.get_running_loop()).runtime("a")  # type: ignore[arg-type]
    disk = runtime.disk
    disk.make_dirs("/mnt/usb")
    disk.mount("/mnt/usb")
    disk.write_whole("/mnt/usb/a.txt", b"hello")
    state = await runtime.open_database(":memory:", numbered_scripts("warren.services.files"))
    network = Network(runtime, SHARER)
    swarms = swarms_of(network, SHARER)
    library = await Library.open(runtime, network, FilesConfig(), state, ":memory:", swarms)
    root = Cid.raw_sha256(hashlib.sha256(b"hello").digest())
    fetch = Fetched(Path("/mnt/usb/a.txt"), root, (), 1, 5, 1.0)
    assert await Replicas(runtime, library).keep(fetch, Verified(root, {}))
    await asyncio.sleep(2 * keeper.CHECK_S)
    yield disk, library
    await library.close()
    await state.close()
    await network.stop()


def test_one_that_the_user_removes_is_none_any_more() -> None:
    async def main() -> None:
        async with simulated_replica() as (disk, library):
            disk.remove("/mnt/usb/a.txt")
            await asyncio.sleep(2 * keeper.CHECK_S)
            assert library.shares() == []

    simulated.run(main())


def test_one_that_goes_with_its_drive_comes_back_with_it() -> None:
    """The folder above it is there, on another file system."""

    async def main() -> None:
        async with simulated_replica() as (disk, library):
            disk.unmount("/mnt/usb")
            await asyncio.sleep(2 * keeper.CHECK_S)
            assert [share.state for share in library.shares()] == ["missing"]
            disk.mount("/mnt/usb")
            await asyncio.sleep(2 * keeper.CHECK_S)
            assert [share.state for share in library.shares()] == ["watched"]

    simulated.run(main())
