"""From a verified graph to rows of the index: what the importer would have made of the same files."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.services.files.pair import write_tree
from tests.support import run
from warren.core.errors import ProtocolViolation
from warren.runtime.real import RealRuntime
from warren.services.files.dag import build as dag_build
from warren.services.files.dag import unixfs
from warren.services.files.dag.build import build_folder
from warren.services.files.dag.pb import NODE_CID_PREFIX, Link, encode_block, node_cid
from warren.services.files.holders.rows import PAGE_ROWS, NotTheCopy, Rows
from warren.services.files.importer import Importer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from warren.services.files.index import EntryRow

MIB = 1024 * 1024


def take_in(path: Path) -> tuple[bytes, list[EntryRow], list[list[EntryRow]], dict[bytes, bytes]]:
    """The root; the importer's rows; pages of the rows that are made of its nodes; those nodes."""
    rows: list[EntryRow] = []

    async def keep(more: Sequence[EntryRow]) -> None:
        rows.extend(more)

    async def main() -> tuple[bytes, list[list[EntryRow]], dict[bytes, bytes]]:
        runtime = RealRuntime()
        try:
            root = (await Importer(runtime, 2, keep=keep).run(str(path))).root.cid
            nodes = {block.cid: block.data for row in rows for block in row.blocks}
            pages = list(Rows(runtime.disk, str(path), root, nodes.get).pages())
            return root, pages, nodes
        finally:
            await runtime.close()

    root, pages, nodes = run(main())
    return root, rows, pages, nodes


def plain(rows: Sequence[EntryRow]) -> list[tuple[object, ...]]:
    return sorted((*row[:8], list(row.leaves), sorted(row.blocks), row.inode) for row in rows)


def age(top: Path) -> Path:
    old = time.time() - 100
    for path in [top, *top.rglob("*")]:
        if not path.is_symlink():
            os.utime(path, (old, old))
    return top


def build(path: Path, make: Callable[[Path], object]) -> Path:
    make(path)
    return age(path)


def make_tree(path: Path) -> None:
    write_tree(path, {"a.txt": b"hello", "empty": b"", "sub/deep/b": b"x" * (2 * MIB + 5), "sub/c": b"hello"})
    (path / "nothing in it").mkdir()
    (path / "link").symlink_to("sub/c")


def make_large(path: Path) -> None:
    """A file with nodes below its root."""
    with path.open("wb") as file:
        file.truncate(20 * MIB)


def make_wide(path: Path) -> None:
    """A folder in parts."""
    path.mkdir()
    for number in range(400):
        (path / f"a file that is called by the number {number:060}").write_bytes(b"%d" % (number % 7))


@pytest.mark.parametrize(
    "make",
    [
        make_tree,
        make_large,
        make_wide,
        lambda path: path.write_bytes(b"one"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"x" * (3 * MIB)),
        lambda path: path.mkdir(),
    ],
)
def test_they_are_those_of_the_importer(
    tmp_path: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_build, "WIDTH", 4)
    monkeypatch.setattr(dag_build, "FOLDER_BYTES_MAX", 2000)
    root, rows, pages, _ = take_in(build(tmp_path / "top", make))
    made = [row for page in pages for row in page]
    assert plain(made) == plain(rows)
    assert (made[-1].cid, made[-1].folder, made[-1].name) == (root, "", "")
    assert all(0 < len(page) <= PAGE_ROWS for page in pages)


def refused(path: Path, root: bytes, nodes: dict[bytes, bytes]) -> str:
    async def main() -> str:
        runtime = RealRuntime()
        try:
            with pytest.raises((NotTheCopy, ProtocolViolation)) as caught:
                list(Rows(runtime.disk, str(path), root, nodes.get).pages())
            return str(caught.value)
        finally:
            await runtime.close()

    return run(main())


def test_what_is_another_on_the_disk_is_not_the_copy(tmp_path: Path) -> None:
    top = build(tmp_path / "top", make_tree)
    root, _, _, nodes = take_in(top)
    (top / "a.txt").write_bytes(b"hello!")
    assert "'a.txt' has 6 bytes, not 5" in refused(top, root, nodes)
    (top / "a.txt").unlink()
    assert "'a.txt' is not there" in refused(top, root, nodes)
    (top / "a.txt").mkdir()
    assert "'a.txt' is no file" in refused(top, root, nodes)
    (top / "a.txt").rmdir()
    (top / "a.txt").write_bytes(b"hello")
    (top / "link").unlink()
    (top / "link").write_bytes(b"")
    assert "'link' is no symlink" in refused(top, root, nodes)
    (top / "link").unlink()
    (top / "link").symlink_to("sub/c")
    (top / "sub" / "deep" / "b").write_bytes(b"short")
    assert "'sub/deep/b' has 5 bytes" in refused(top, root, nodes)
    (top / "sub" / "deep" / "b").unlink()
    (top / "sub" / "deep").rmdir()
    (top / "sub" / "deep").write_bytes(b"")
    assert "'sub/deep' is no dir" in refused(top, root, nodes)


def test_a_node_that_was_not_kept_and_parts_that_are_none(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.write_bytes(b"x" * (2 * MIB))
    folder, blocks = build_folder([])
    nodes = {block.cid: block.data for block in blocks}
    assert "not kept" in refused(top, NODE_CID_PREFIX + bytes(32), nodes)
    fake = encode_block([Link(folder.cid, "", folder.size)], unixfs.encode_file([2 * MIB]))
    assert "a part of a file is no such part" in refused(top, fake.cid, {**nodes, fake.cid: fake.data})
    top.unlink()
    top.mkdir()
    shard = encode_block([Link(folder.cid, "00", folder.size)], unixfs.encode_shard(1))
    assert "is no such part" in refused(top, node_cid(shard.data), {**nodes, shard.cid: shard.data})
    symlink = encode_block([], unixfs.encode_symlink("elsewhere"))
    assert "is no symlink" in refused(top, symlink.cid, {symlink.cid: symlink.data})
