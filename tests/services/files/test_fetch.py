from __future__ import annotations

import asyncio
import os
import random
from functools import partialmethod
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.files.pair import FETCHER, pair, read_tree, write_tree
from tests.services.files.parts import Held
from tests.support import run
from warren.core.cid import Cid
from warren.core.errors import (
    ConnectionClosed,
    ContentUnknown,
    DiskFull,
    InputError,
    InvalidCid,
    NotFound,
    SourceChanged,
    SourceVanished,
)
from warren.services.files.nodes import NodePuller
from warren.services.files.staging import Staging
from warren.services.files.staging import staging as staging_module
from warren.services.files.swarm.source import Source
from warren.services.files.types import Audience, Skipped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.files.pair import Pair
    from warren.core.errors import (
        WarrenError,
    )
    from warren.services.files.transfer import Transfer
    from warren.services.files.types import Fetched

MIB = 1024 * 1024
RANDOM = random.Random(7)


def tree() -> dict[str, bytes]:
    return {
        "a.txt": b"hello",
        "empty": b"",
        "twin.txt": b"hello",
        "sub/big.bin": RANDOM.randbytes(3 * MIB + 17),
        "sub/exact.bin": RANDOM.randbytes(MIB),
        "sub/deep/日本 ü 😀.txt": "ü".encode(),
        "sub/zeros": bytes(5 * MIB),
    }


def test_a_folder_arrives_whole(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", tree())
    (source / "nothing here").mkdir()
    (source / "to-big").symlink_to("sub/big.bin")
    (source / "sub" / "up").symlink_to("../a.txt")
    (source / "to-nothing").symlink_to("not-there")
    (source / "out").symlink_to("../../etc/passwd")
    (source / "absolute").symlink_to("/etc/passwd")
    (source / ".hidden").write_text("not shared")
    os.mkfifo(source / "pipe")

    async def main() -> Fetched:
        async with pair(tmp_path) as two:
            share = await two.library.share(source)
            assert [skipped.path for skipped in share.skipped] == ["absolute", "out", "pipe"]
            assert (share.files, share.bytes) == (7, sum(map(len, tree().values())))
            outcome = await two.fetch("shared", tmp_path / "target")
            assert two.seen[-1].done_bytes == two.seen[-1].total_bytes == share.bytes
            assert two.seen[-1].done_files == two.seen[-1].total_files == 7
            return outcome

    outcome = run(main())
    for left_out in ("out", "absolute", "pipe", ".hidden"):
        (source / left_out).unlink()
    assert outcome.path == tmp_path / "target" / "shared"
    assert read_tree(outcome.path) == read_tree(source)
    assert (outcome.files, outcome.skipped, outcome.renamed) == (7, (), ())
    # hello, its twin, the non-ASCII one, 4 chunks, 1 chunk, and 5 equal ones: each content once.
    assert outcome.chunks_fetched == 1 + 1 + 4 + 1 + 1
    assert os.listdir(tmp_path / "target") == ["shared"]


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 20 * MIB + 5])
def test_a_file_arrives_whole(tmp_path: Path, size: int) -> None:
    source = tmp_path / "file.bin"
    source.write_bytes(RANDOM.randbytes(size))

    async def main() -> Fetched:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            return await two.fetch("file.bin", tmp_path / "target")

    outcome = run(main())
    assert outcome.path.read_bytes() == source.read_bytes()
    assert (outcome.files, outcome.bytes) == (1, size)


def test_parts_of_a_share_by_path_and_by_content_id(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", tree())

    async def main() -> None:
        async with pair(tmp_path) as two:
            share = await two.library.share(source)
            listed = await two.fetcher.list_files(two.sharer, "shared/sub")
            assert [(entry.name, entry.kind, entry.size) for entry in listed] == [
                ("big.bin", "file", 3 * MIB + 17),
                ("deep", "dir", 2),
                ("exact.bin", "file", MIB),
                ("zeros", "file", 5 * MIB),
            ]
            assert listed[0].path == "shared/sub/big.bin"
            outcome = await two.fetch("shared/sub/deep", tmp_path / "1")
            assert read_tree(outcome.path) == read_tree(source / "sub" / "deep")
            outcome = await two.fetch("/shared/sub/big.bin/", tmp_path / "2")
            assert outcome.path.read_bytes() == (source / "sub" / "big.bin").read_bytes()
            for entry in listed:
                async with two.fetcher.get(entry.cid, tmp_path / "3", peers=[two.sharer]) as transfer:
                    path = await transfer.result()
                assert path.name == str(entry.cid)
            named = (("other.bin", "other.bin"), ("../evil", None), ("", None))
            for number, (name, expected) in enumerate(named):
                folder = tmp_path / f"named{number}"
                async with two.fetcher.get(listed[0].cid, folder, name=name, peers=[two.sharer]) as transfer:
                    path = await transfer.result()
                assert path.parent == folder
                assert path.name == expected or (expected is None and "/" not in path.name)
            async with two.fetcher.get(share.cid, tmp_path / "4", peers=[two.sharer]) as transfer:
                assert (await transfer.result()).name == "shared"
            assert await two.library.list_files("shared/sub") == listed

    run(main())


def test_a_sharded_folder(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "many", {f"ü{i:05}": b"%d" % i for i in range(6000)})

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            listed = await two.fetcher.list_files(two.sharer, "many")
            assert [entry.name for entry in listed] == sorted(os.listdir(source))
            outcome = await two.fetch("many", tmp_path / "target")
            assert read_tree(outcome.path) == read_tree(source)
            assert (outcome.files, outcome.chunks_fetched) == (6000, 6000)

    run(main())


def test_an_audience_sees_its_shares_and_nothing_else(tmp_path: Path) -> None:
    for name in ("contacts", "named", "public"):
        write_tree(tmp_path / name, {"file": name.encode(), "big": name.encode() * MIB})

    async def main() -> None:
        async with pair(tmp_path) as two:
            stranger = Audience("peers", (two.sharer,))
            named = await two.library.share(tmp_path / "named", stranger)
            public = await two.library.share(tmp_path / "public", Audience.parse("public"))
            contacts = await two.library.share(tmp_path / "contacts")
            assert await names(two) == ["contacts", "public"]
            secret = await two.library.list_files("named")
            for hidden in (named.cid, *(entry.cid for entry in secret)):
                with pytest.raises(ContentUnknown):
                    await get(two, hidden, tmp_path / "x")
            assert os.listdir(tmp_path / "x") == [], "a fetch that got nothing leaves nothing"
            for path in ("named", "named/file", "not-there"):
                with pytest.raises(ContentUnknown, match=f"shares nothing with us at '{path}'"):
                    await two.fetch(path, tmp_path / "x")
                with pytest.raises(ContentUnknown, match="shares nothing with us"):
                    await two.fetcher.list_files(two.sharer, path)

            two.contacts.clear()
            assert await names(two) == ["public"]
            with pytest.raises(ContentUnknown):
                await get(two, contacts.cid, tmp_path / "x")
            assert (await get(two, public.cid, tmp_path / "y")).name == "public"

            await two.library.share(tmp_path / "named", Audience("peers", (FETCHER.peer_id,)))
            assert await names(two) == ["named", "public"]
            assert (await get(two, named.cid, tmp_path / "y")).name == "named"
            await two.library.unshare("public")
            assert await names(two) == ["named"]
            with pytest.raises(ContentUnknown):
                await get(two, public.cid, tmp_path / "z")

    async def names(two: Pair) -> list[str]:
        return [entry.name for entry in await two.fetcher.list_files(two.sharer)]

    async def get(two: Pair, cid: Cid, folder: Path) -> Path:
        async with two.fetcher.get(cid, folder, peers=[two.sharer]) as transfer:
            return await transfer.result()

    run(main())


def test_names_that_are_taken(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", tree())
    target = tmp_path / "target"

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            first = await two.fetch("shared", target)
            again = await two.fetch("shared", target)
            assert (again.path, again.already_there, again.chunks_fetched) == (first.path, True, 0)
            assert (again.files, again.bytes) == (first.files, first.bytes)
            (first.path / "a.txt").write_text("HELLO")
            second = await two.fetch("shared", target)
            assert second.path == target / "shared (2)"
            assert (await two.fetch("shared", target)).path == second.path
            assert sorted(os.listdir(target)) == ["shared", "shared (2)"]
            assert (first.path / "a.txt").read_text() == "HELLO"

            (target / "a.txt").write_text("mine")
            outcome = await two.fetch("shared/a.txt", target)
            assert outcome.path == target / "a (2).txt"
            assert (target / "a.txt").read_text() == "mine"

    run(main())


def test_sharing_again_reads_only_what_changed(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", tree())
    for path in source.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000.5))

    async def main() -> None:
        async with pair(tmp_path) as two:
            first = await two.library.share(source, Audience.parse("public"), name="docs")
            unreadable(source)
            again = await two.library.share(source)
            assert again.cid == first.cid
            assert (again.name, again.audience) == ("docs", first.audience)
        async with pair(tmp_path) as two:  # a restart
            assert [share.cid for share in two.library.shares()] == [first.cid]
            (source / "a.txt").chmod(0o600)
            (source / "a.txt").write_bytes(b"other")
            changed = await two.library.share(source)
            assert changed.cid != first.cid
            readable(source)
            outcome = await two.fetch("docs", tmp_path / "target")
            assert read_tree(outcome.path) == read_tree(source)
            with pytest.raises(ContentUnknown):
                async with two.fetcher.get(first.cid, tmp_path / "x", peers=[two.sharer]) as transfer:
                    await transfer.result()

    def unreadable(top: Path) -> None:
        """Swap the content under the same size and time: nobody can know it who does not read it."""
        for path in (path for path in top.rglob("*") if path.is_file()):
            kept[path] = path.read_bytes()
            path.write_bytes(bytes(byte ^ 1 for byte in kept[path][:10]) + kept[path][10:])
            os.utime(path, (1_600_000_000, 1_600_000_000.5))

    def readable(top: Path) -> None:
        for path in (path for path in top.rglob("*") if path.is_file() and path.name != "a.txt"):
            path.write_bytes(kept[path])
            os.utime(path, (1_600_000_000, 1_600_000_000.5))

    kept: dict[Path, bytes] = {}
    run(main())


def test_a_source_that_changed_or_vanished(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", tree())
    target = tmp_path / "target"
    for path in source.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            (source / "sub" / "exact.bin").write_bytes(b"x" * MIB)
            with pytest.raises(SourceChanged, match=r"sub/exact\.bin is no longer what"):
                await two.fetch("shared", target)
            # Unnoticed by size and time: what the peer sends does not fit, and it finds out when asked again.
            (source / "sub" / "exact.bin").write_bytes(b"y" * MIB)
            await two.library.share(source)
            (source / "sub" / "big.bin").write_bytes(b"z" * (3 * MIB + 17))
            os.utime(source / "sub" / "big.bin", (1_600_000_000, 1_600_000_000))
            with pytest.raises(SourceChanged, match=r"sub/big\.bin is no longer what"):
                await two.fetch("shared", target)
            await two.library.share(source)
            (source / "sub" / "zeros").unlink()
            with pytest.raises(SourceVanished, match="sub/zeros is gone"):
                await two.fetch("shared", target)
            assert [name for name in os.listdir(target) if not name.startswith(".warren-")] == []
            await two.library.share(source)
            outcome = await two.fetch("shared", target)
            assert read_tree(outcome.path) == read_tree(source)

    run(main())


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_tree(tmp_path / "shared", tree())
    monkeypatch.setattr("warren.runtime.real.disk.RealDisk.free_bytes", lambda *_: 1000)

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            with pytest.raises(DiskFull, match="1,000 bytes free"):
                await two.fetch("shared", tmp_path / "target")

    run(main())


@pytest.mark.parametrize(
    ("ref", "error"),
    [("", InputError), ("/", InputError), ("shared/", ContentUnknown), ("shared/../shared", ContentUnknown)],
)
def test_refs_that_name_nothing(tmp_path: Path, ref: str, error: type[WarrenError]) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            with pytest.raises(error):
                await two.fetch(ref, tmp_path / "target")

    run(main())


def test_a_content_id_of_another_kind(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            pair(tmp_path) as two,
            two.fetcher.get(Cid(1, 0x71, b"\x12\x20" + bytes(32)), tmp_path, peers=[two.sharer]) as transfer,
        ):
            with pytest.raises(InvalidCid):
                await transfer.result()

    run(main())


def test_what_cannot_be_shared(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write_tree(tmp_path / "one", {"a": b""})
    write_tree(tmp_path / "two/one", {"a": b""})

    async def main() -> None:
        async with pair(tmp_path) as two:
            for path in ("not-there", "pipe"):
                with pytest.raises(NotFound):
                    await two.library.share(tmp_path / path)
            await two.library.share(tmp_path / "one")
            for name in ("", " ", "a/b", "..", "a\n", "ü" * 128):
                with pytest.raises(InputError):
                    await two.library.share(tmp_path / "two" / "one", name=name)
            with pytest.raises(InputError, match="another share has the name"):
                await two.library.share(tmp_path / "two" / "one", name="one")
            assert (await two.library.share(tmp_path / "two" / "one")).name == "one (2)"
            with pytest.raises(ContentUnknown):
                await two.library.unshare("three")
            assert (await two.library.unshare(str(tmp_path / "one"))).name == "one"
            with pytest.raises(ContentUnknown):
                await two.library.list_files("one")
            assert [share.name for share in two.library.shares()] == ["one (2)"]

    run(main())


def test_symlinks_that_lead_out_by_way_of_one_another(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", {"a/b/file": b"x"})
    (source / "here").symlink_to(".")
    (source / "sly").symlink_to("here/..")
    (source / "fine").symlink_to("here/a")

    async def main() -> None:
        async with pair(tmp_path) as two:
            share = await two.library.share(source)
            assert share.skipped == (Skipped("sly", "it is a symlink that leads out of what is shared"),)

    run(main())


def test_a_cancel_counts_also_while_a_failed_attempt_is_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pieces of an attempt wait for their threads; a cancel in that time must not become a retry."""
    ending, attempts = asyncio.Event(), 0

    async def fail(*_: object) -> None:
        raise ConnectionClosed("the connection broke")

    async def end_slowly(*_: object) -> None:
        nonlocal attempts
        attempts += 1
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0.05))])

    monkeypatch.setattr(NodePuller, "run", fail)
    monkeypatch.setattr(Source, "run", end_slowly)
    source = tmp_path / "file"
    source.write_bytes(b"content")

    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
            fetching = asyncio.ensure_future(two.fetch("file", tmp_path / "target"))
            await ending.wait()
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching
            await two.fetcher.close()
            assert attempts == 1
            assert os.listdir(tmp_path / "target") == []

    run(main())


def test_what_is_selected_comes_and_nothing_else(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "shared", tree())
    (source / "sub" / "up").symlink_to("../a.txt")
    (source / "to-big").symlink_to("sub/big.bin")
    target = tmp_path / "target"

    async def main() -> None:
        async with pair(tmp_path) as two:
            share = await two.library.share(source)

            def get(**options: Any) -> Transfer:
                return two.fetcher.get(share.cid, target, peers=[two.sharer], **options)

            async with get(select=lambda path: path.startswith("sub/deep") or path == "sub/up") as transfer:
                path = await transfer.result()
                assert transfer.outcome is not None
                assert (transfer.outcome.partial, transfer.outcome.files) == (True, 1)
                assert transfer.outcome.bytes == 2
                assert transfer.outcome.skipped == ()  # made though it leads to what was not wanted
            name = "sub/deep/日本 ü 😀.txt"
            assert read_tree(path) == {
                "sub": None, "sub/deep": None, name: "ü".encode(), "sub/up": "../a.txt"
            }  # fmt: skip
            async with get(select=lambda path: path == "nothing") as transfer:
                with pytest.raises(InputError, match="nothing in shared is selected"):
                    await transfer.result()
            async with get(select=lambda path: path == "sub/big.bin", sequential=True) as transfer:
                path = await transfer.result()
            assert path == target / "shared (2)"
            assert sorted(read_tree(path)) == ["sub", "sub/big.bin"]
            async with get() as transfer:
                path = await transfer.result()
                assert transfer.outcome is not None
                assert not transfer.outcome.partial
            assert read_tree(path) == read_tree(source)

    run(main())


def test_room_is_needed_for_what_is_selected_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_tree(tmp_path / "shared", tree())
    monkeypatch.setattr("warren.runtime.real.disk.RealDisk.free_bytes", lambda *_: 1000)

    async def main() -> None:
        async with pair(tmp_path) as two:
            share = await two.library.share(source)
            for path, fits in (("a.txt", True), ("sub/big.bin", False)):
                ask = two.fetcher.get(share.cid, tmp_path / "to", peers=[two.sharer], select=path.__eq__)
                async with ask as transfer:
                    if fits:
                        await transfer.result()
                    else:
                        with pytest.raises(DiskFull):
                            await transfer.result()

    run(main())


def test_a_cap_that_is_none_and_nobody_to_ask(tmp_path: Path) -> None:
    cid = Cid.raw_sha256(bytes(32))

    async def main() -> None:
        async with pair(tmp_path) as two:
            with pytest.raises(InputError, match="a cap of -1"):
                two.fetcher.get(cid, tmp_path, peers=[two.sharer], cap_bytes_per_s=-1)
            with pytest.raises(InputError, match="a cap of -1"):
                two.fetcher.set_cap(-1)
            with pytest.raises(InputError, match="nobody is named"):
                two.fetcher.get(cid, tmp_path)

    run(main())


def test_a_fetch_that_was_stopped_goes_on_without_hashing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_tree(tmp_path / "shared", {f"{i}": RANDOM.randbytes(3 * MIB + 1) for i in range(4)})
    held = Held(Staging.store)
    looked_at: list[int] = []

    async def main() -> Fetched:
        async with pair(tmp_path) as two:
            await two.library.share(source, Audience("public"))
            with monkeypatch.context() as patch:
                patch.setattr(Staging, "store", partialmethod(held))
                fetching = asyncio.create_task(two.fetch("shared", tmp_path / "to"))
                await held.begun()
                fetching.cancel()
                held.let_go()
                await asyncio.wait([fetching])
            assert fetching.cancelled()
            monkeypatch.setattr(staging_module, "_fits", lambda *_: looked_at.append(1))
            return await two.fetch("shared", tmp_path / "to")

    outcome = run(main())
    assert outcome.chunks_reused > 0
    assert outcome.chunks_fetched + outcome.chunks_reused == 16
    assert looked_at == []
    assert read_tree(tmp_path / "to" / "shared") == read_tree(source)
