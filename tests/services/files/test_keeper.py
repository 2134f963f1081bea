"""Shares follow their folders by themselves: real files, real events."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.services.files.catalog import Catalog, walked
from tests.services.files.pair import pair, read_tree, write_tree
from tests.services.files.parts import Held
from tests.support import require, run
from warren.services.files import hashing, keeper, rehashing
from warren.services.files.config import FilesConfig
from warren.services.files.importer import Importer
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.files.pair import Pair
    from warren.services.files.types import Share


@pytest.fixture
def source(tmp_path: Path) -> Path:
    top = write_tree(tmp_path / "docs", {"a.txt": b"hello", "sub/b.txt": b"world", "sub/in/c": b"deep"})
    old = time.time() - 100
    for path in top.rglob("*"):
        os.utime(path, (old, old))
    return top


class Reads:
    """The files that were read to be hashed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        hash_part = hashing._hash_part

        def counting(beneath: object, top: str, file: hashing.Scanned, *rest: int) -> object:
            self.paths.append(file.path)
            return hash_part(beneath, top, file, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(hashing, "_hash_part", counting)


async def settled(two: Pair, catalog: Catalog, path: Path) -> Share:
    """The share once its content id is that of its folder, hashed from scratch; listeners know all of it."""
    wanted = (await Importer(two.runtime, 3).run(str(path))).root.cid
    await catalog.until(
        lambda _: next(one for one in two.library.shares() if one.path == path).cid.to_bytes() == wanted
    )
    (share,) = [one for one in two.library.shares() if one.path == path]
    await catalog.until(lambda _: catalog.entries[share.name][0].cid == share.cid)
    assert catalog.entries == await walked(two.library)
    assert share.files == sum(isinstance(one, bytes) for one in read_tree(path).values())
    assert share.bytes == catalog.entries[share.name][0].size
    return share


def test_making_changing_moving_and_removing_follow(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            await two.library.share(source)
            reads = Reads(monkeypatch)

            begun = time.monotonic()
            (source / "new.txt").write_bytes(b"brand new")
            await catalog.until(lambda sizes: sizes.get("docs/new.txt") == 9)
            assert time.monotonic() - begun < 2
            assert "new.txt" in [entry.name for entry in await two.library.list_files("docs")]
            assert "new.txt" in [entry.name for entry in await two.fetcher.list_files(two.sharer, "docs")]

            (source / "a.txt").write_bytes(b"hello again")
            await catalog.until(lambda sizes: sizes["docs/a.txt"] == 11)
            assert set(reads.paths) == {"new.txt", "a.txt"}
            await settled(two, catalog, source)

            reads.paths.clear()
            (source / "sub").rename(source / "moved")
            await catalog.until(lambda sizes: "docs/moved/in/c" in sizes and "docs/sub" not in sizes)
            assert reads.paths == []
            share = await settled(two, catalog, source)
            assert (await two.fetch("docs", tmp_path / "target")).cid == share.cid
            assert read_tree(tmp_path / "target" / "docs") == read_tree(source)

            (source / "moved" / "b.txt").unlink()
            (source / "moved" / "in" / "c").unlink()
            (source / "moved" / "in").rmdir()
            (source / "moved" / "in").write_bytes(b"a file now")
            await catalog.until(lambda sizes: sizes.get("docs/moved/in") == 10)
            (source / "a.txt").unlink()
            (source / "a.txt").mkdir()
            (source / "a.txt" / "x").write_bytes(b"a folder now")
            os.symlink("a.txt/x", source / "link")
            await catalog.until(lambda sizes: sizes.get("docs/a.txt/x") == 12)
            share = await settled(two, catalog, source)
        async with pair(tmp_path) as two:
            assert [one.cid for one in two.library.shares()] == [share.cid]

    run(main())


def test_a_share_of_one_file_follows(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "docs", {"one.txt": b"1", "other": b""}) / "one.txt"

    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            await two.library.share(path)
            path.write_bytes(b"22")
            await catalog.until(lambda sizes: sizes == {"one.txt": 2})
            (tmp_path / "docs" / "draft").write_bytes(b"333")
            (tmp_path / "docs" / "draft").replace(path)
            await catalog.until(lambda sizes: sizes == {"one.txt": 3})
            path.unlink()
            await catalog.until(lambda sizes: sizes == {})
            assert two.library.shares()[0].state == "missing"

    run(main())


def test_what_changed_while_nobody_watched_is_found_and_nothing_else_read(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            await two.library.share(source)
        (source / "a.txt").write_bytes(b"changed")
        (source / "sub" / "b.txt").unlink()
        (source / "sub" / "in").rename(source / "in")
        reads = Reads(monkeypatch)
        catalog = Catalog()
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            await catalog.until(lambda sizes: "docs/in/c" in sizes and "docs/a.txt" in sizes)
            assert reads.paths == ["a.txt"]
            catalog.entries = {}
            catalog.entries = await walked(two.library)
            await settled(two, catalog, source)

    run(main())


def test_ignore_rules_hold_and_follow_their_edits(tmp_path: Path, source: Path) -> None:
    write_tree(
        source, {".warrenignore": b"*.log\n!keep.log\n", "x.log": b"1", "keep.log": b"2", "t.tmp": b"3"}
    )
    write_tree(source, {"sub/.warrenignore": b"!x.log\nin/\n", "sub/x.log": b"4"})

    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            await two.library.share(source)
            assert sorted(catalog.entries) == [
                "docs", "docs/a.txt", "docs/keep.log", "docs/sub", "docs/sub/b.txt", "docs/sub/x.log"
            ]  # fmt: skip
            (source / "sub" / ".warrenignore").unlink()
            await catalog.until(lambda sizes: "docs/sub/in/c" in sizes and "docs/sub/x.log" not in sizes)
            (source / ".warrenignore").write_bytes(b"a.*\nsub/in/\n!*.tmp\n")
            await catalog.until(lambda sizes: "docs/x.log" in sizes and "docs/t.tmp" in sizes)
            await catalog.until(lambda sizes: "docs/a.txt" not in sizes and "docs/sub/in" not in sizes)
            write_tree(source, {"sub/in/d": b"unseen", "seen": b""})
            await catalog.until(lambda sizes: "docs/seen" in sizes)
            await settled_without(two, catalog, "docs/sub/in")

            (source / "sub" / ".warrenignore").write_bytes(b"\xff\xfe")
            await catalog.until(lambda sizes: "docs/sub" not in sizes and two.library.shares()[0].skipped)
            (share,) = two.library.shares()
            assert [(one.path, "UTF-8" in one.reason) for one in share.skipped] == [("sub", True)]
            (source / "sub" / ".warrenignore").unlink()
            await catalog.until(lambda sizes: "docs/sub/b.txt" in sizes)

    async def settled_without(two: Pair, catalog: Catalog, path: str) -> None:
        assert not any(known.startswith(path) for known in catalog.entries)
        assert catalog.entries == await walked(two.library)

    run(main())


def test_a_share_whose_folder_is_gone_comes_back_with_it(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "CHECK_S", 0.05)
    away = tmp_path / "away"

    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            shared = await two.library.share(source)
            reads = Reads(monkeypatch)
            os.rename(source, away)
            await catalog.until(lambda sizes: not sizes)
            os.mkdir(source)  # where the drive is mounted, when it is
            await catalog.until(lambda _: two.library.shares()[0].state == "missing")
            assert two.library.shares()[0].files == 3
            assert await two.fetcher.list_files(two.sharer) == []
            assert await walked(two.library) == {}
            os.rmdir(source)
            write_tree(away, {"more": b"1"})
            os.rename(away, source)
            await catalog.until(lambda sizes: "docs/more" in sizes)
            assert reads.paths == ["more"]
            assert (await settled(two, catalog, source)).cid != shared.cid
            os.rename(source, away)
            await catalog.until(lambda sizes: not sizes)
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            await catalog.until(lambda _: two.library.shares()[0].state == "missing")  # or nothing comes back
            os.rename(away, source)
            await catalog.until(lambda sizes: len(sizes) == 7)

    run(main())


def test_a_drive_that_is_mounted_in_a_share_may_come_and_go(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "CHECK_S", 0.05)
    usb = source / "sub" / "usb"
    usb.mkdir()

    def mount(*words: str) -> bool:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    require(mount("mount", "-t", "tmpfs", "none", str(usb)), "the right to mount")

    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            write_tree(usb, {"in/film": b"12345"})
            await two.library.share(source)
            (usb / "more").write_bytes(b"1")
            await catalog.until(lambda sizes: "docs/sub/usb/more" in sizes)
            assert mount("umount", str(usb))
            (usb / "left").write_bytes(b"no drive")
            for number in range(100):
                (source / "a.txt").write_bytes(bytes(number))
                await catalog.until(lambda sizes, size=number: sizes["docs/a.txt"] == size)  # type: ignore[misc]
                if two.library.shares()[0].skipped:
                    break
            assert [one.path for one in two.library.shares()[0].skipped] == ["sub/usb"]
            assert catalog.entries["docs/sub/usb/in/film"][0].size == 5
            assert "docs/sub/usb/left" not in catalog.entries

    try:
        run(main())
    finally:
        mount("umount", str(usb))


def test_where_nothing_can_be_watched_it_is_looked_at_now_and_then(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path, FilesConfig(poll_s=0.05)) as two:

            async def refuse(*_: object, **__: object) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            monkeypatch.setattr(type(two.runtime), "watch", refuse)
            two.library.subscribe(catalog.on_changed)
            await two.library.share(source)
            (source / "a.txt").write_bytes(b"changed")
            await catalog.until(lambda sizes: sizes["docs/a.txt"] == 7)
            (share,) = two.library.shares()
            assert share.note == "No space left on device"
            await settled(two, catalog, source)

    run(main())
    assert "fs.inotify.max_user_watches" in caplog.text


def test_pausing_keeps_changes_waiting(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            await two.library.share(source)
            two.library.pause()
            (source / "a.txt").write_bytes(b"changed")
            other = write_tree(tmp_path / "other", {"x": b"by hand"})
            await two.library.share(other, Audience("public"))
            assert {one.state for one in two.library.shares()} == {"paused"}
            assert catalog.entries["docs/a.txt"][0].size == 5
            two.library.resume()
            await catalog.until(lambda sizes: sizes["docs/a.txt"] == 7)

    run(main())


def test_a_large_file_holds_up_nothing_and_its_change_meanwhile_counts(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehashing, "SPAN_BYTES", 1024 * 1024)
    held = Held(hashing.hash_span)
    monkeypatch.setattr(rehashing, "hash_span", held)

    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path) as two:
            two.library.subscribe(catalog.on_changed)
            await two.library.share(source)
            (source / "large").write_bytes(b"1" * (3 << 20))
            await held.begun()
            assert two.library.shares()[0].state == "hashing"
            (source / "small").write_bytes(b"!")
            await catalog.until(lambda sizes: "docs/small" in sizes)
            assert "docs/large" not in catalog.entries
            (source / "large").write_bytes(b"2" * (2 << 20))
            held.let_go()
            await catalog.until(lambda sizes: sizes.get("docs/large") == 2 << 20)
            assert (await settled(two, catalog, source)).files == 5

    run(main())
