from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.files.dag.trees import build, content
from warren.core.errors import ProtocolViolation
from warren.services.files import walk as module
from warren.services.files.dag import pb, unixfs
from warren.services.files.dag.build import CHUNK_BYTES
from warren.services.files.dag.pb import NODE_CID_PREFIX, RAW_CID_PREFIX, Link
from warren.services.files.names import NameRules
from warren.services.files.walk import (
    EMPTY_DIGEST,
    BadBlock,
    Leaf,
    MakeFile,
    MakeFolder,
    MakeSymlink,
    TargetFile,
    Walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.services.files.dag.pb import Block

POSIX = NameRules(windows=False)
NAMES = st.text(min_size=1, max_size=4).filter(
    lambda name: name not in {".", ".."} and not set(name) & set("/\0")
)
FILES = st.builds(
    lambda size, seed: {"bytes": size, "seed": seed},
    st.sampled_from([0, 1, 5, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]),
    st.integers(0, 9),
)
TREES = st.recursive(
    FILES | st.builds(lambda target: {"link": target}, NAMES),
    lambda trees: st.builds(lambda folder: {"folder": folder}, st.dictionaries(NAMES, trees, max_size=4)),
    max_leaves=8,
)


def blocks_of(tree: dict[str, Any]) -> tuple[Link, dict[bytes, bytes]]:
    blocks: list[Block] = []
    root = build(tree, blocks)
    return root, {block.cid: block.data for block in blocks}


def walk_all(root: Link, blocks: dict[bytes, bytes], rules: NameRules = POSIX) -> tuple[Walk, list[Any]]:
    walk = Walk(root.cid, rules, size=root.size)
    steps = walk.take_steps()
    while not walk.done:
        walk.receive(blocks[walk.wanted(1)[0]])
        steps += walk.take_steps()
    return walk, steps


def expected(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Every path of a tree with what lies there: None for a folder, a target, or a digest."""
    if "folder" not in tree:
        if "link" in tree:
            return {path: tree["link"]}
        return {path: file_digest(tree["bytes"], tree["seed"])}
    found: dict[str, Any] = {path: None}
    for name, child in tree["folder"].items():
        found |= expected(child, f"{path}/{name}" if path else name)
    return found


@cache
def chunks() -> dict[bytes, bytes]:
    """The chunks that files of `FILES` have, by their digests."""
    starts, seeds, sizes = range(0, 3 * CHUNK_BYTES, CHUNK_BYTES), range(10), (1, 5, CHUNK_BYTES)
    found = [content(start, start + size, seed) for start in starts for seed in seeds for size in sizes]
    return {hashlib.sha256(data).digest(): data for data in found}


@cache
def file_digest(size: int, seed: int) -> bytes:
    return hashlib.sha256(content(0, size, seed)).digest()


@given(TREES)
def test_the_walk_of_a_tree_is_the_tree(tree: dict[str, Any]) -> None:
    root, blocks = blocks_of({"folder": {"top": tree}})
    walk, steps = walk_all(root, blocks)
    digests = chunks()
    made: dict[str, Any] = {}
    parts: dict[str, dict[int, bytes]] = {}
    numbered = 0
    for step in steps:
        match step:
            case MakeFolder(path):
                assert not path or path.rpartition("/")[0] in made
                made[path] = None
            case MakeSymlink(path, _, target):
                made[path] = target
            case MakeFile(file, leaves, first):
                assert first == numbered
                numbered += len(leaves)
                for digest, offset, length in leaves:
                    assert len(digests[digest]) == length
                    parts.setdefault(file.path, {})[offset] = digests[digest]
                parts.setdefault(file.path, {})
    for path, found in parts.items():
        made[path] = hashlib.sha256(b"".join(found[offset] for offset in sorted(found))).digest()
    # Names that are changed here are what test_names is about.
    if not walk.renamed:
        assert made == expected({"folder": {"top": tree}})
    sizes = [leaf.length for step in steps if isinstance(step, MakeFile) for leaf in step.leaves]
    assert walk.content_bytes == walk.total_bytes == sum(sizes)
    assert walk.files == len(parts)
    assert walk.leaves == numbered


def test_a_large_file_with_levels() -> None:
    # 1,025 chunks: two nodes under the root. Equal chunks, so that this is quick.
    digest = hashlib.sha256(bytes(CHUNK_BYTES)).digest()
    leaf = Link(RAW_CID_PREFIX + digest, "", CHUNK_BYTES)
    inner = [file_node([leaf] * 1024, [CHUNK_BYTES] * 1024), file_node([leaf], [CHUNK_BYTES])]
    sizes = [1024 * CHUNK_BYTES, CHUNK_BYTES]
    root = file_node([Link(block.cid, "", block.total) for block in inner], sizes)
    walk, steps = walk_all(
        Link(root.cid, "", root.total), {block.cid: block.data for block in [root, *inner]}
    )
    assert walk.total_bytes == 1025 * CHUNK_BYTES
    assert walk.top is steps[0].file
    assert [len(step.leaves) for step in steps] == [1024, 1]
    assert [step.first for step in steps] == [0, 1024]
    assert steps[0].file is steps[1].file
    assert steps[1].leaves == [Leaf(digest, 1024 * CHUNK_BYTES, CHUNK_BYTES)]


def test_a_lone_chunk_needs_no_nodes() -> None:
    digest = hashlib.sha256(b"x").digest()
    walk = Walk(RAW_CID_PREFIX + digest, POSIX)
    (step,) = walk.take_steps()
    assert walk.done
    assert isinstance(step, MakeFile)
    assert step == MakeFile(step.file, [Leaf(digest, 0, module.LEAF_UNKNOWN)], 0)
    empty = Walk(RAW_CID_PREFIX + EMPTY_DIGEST, POSIX)
    (step,) = empty.take_steps()
    assert isinstance(step, MakeFile)
    assert (step.file.size, step.leaves) == (0, [])


def test_totals_are_there_from_the_root_on() -> None:
    tree = {
        "folder": {
            "a": {"folder": {"b": {"bytes": 3 * CHUNK_BYTES, "seed": 1}}},
            "c": {"bytes": 9, "seed": 1},
        }
    }
    root, blocks = blocks_of(tree)
    walk = Walk(root.cid, POSIX)
    assert walk.total_bytes == 0
    totals = []
    while not walk.done:
        walk.receive(blocks[walk.wanted(1)[0]])
        totals.append(walk.total_bytes)
    assert totals[-1] == 3 * CHUNK_BYTES + 9
    assert all(totals[-1] <= total <= root.size for total in totals)
    file, file_blocks = blocks_of({"bytes": 3 * CHUNK_BYTES, "seed": 1})
    walk, _ = walk_all(file, file_blocks)
    assert walk.total_bytes == 3 * CHUNK_BYTES


def test_what_the_root_is_and_how_large_is_known_from_its_node_alone() -> None:
    inner = file_node([Link(RAW_CID_PREFIX + bytes(32), "", CHUNK_BYTES)] * 9, [CHUNK_BYTES] * 9)
    root = file_node([Link(inner.cid, "", inner.total)] * 2, [9 * CHUNK_BYTES] * 2)
    walk = Walk(root.cid, POSIX)
    assert (walk.top, walk.is_folder) == (None, False)
    walk.receive(root.data)
    assert walk.top is not None
    assert (walk.top.size, walk.is_folder) == (18 * CHUNK_BYTES, False)
    top = walk.top
    walk.receive(inner.data)
    assert walk.top is top

    tree, blocks = blocks_of({"folder": {"a": {"folder": {"b": {"bytes": 3 * CHUNK_BYTES, "seed": 1}}}}})
    walk = Walk(tree.cid, POSIX)
    walk.receive(blocks[tree.cid])
    assert (walk.top, walk.is_folder) == (None, True)
    assert walk_all(tree, blocks)[0].top is None

    alone = Walk(RAW_CID_PREFIX + bytes(32), POSIX)
    assert alone.top is not None
    assert (alone.top.size, alone.is_folder) == (module.LEAF_UNKNOWN, False)
    link, blocks = blocks_of({"link": "x"})
    assert (walk_all(link, blocks)[0].top, walk_all(link, blocks)[0].is_folder) == (None, False)


def test_what_is_wanted_next_stands_for_all_that_is_missing() -> None:
    root, blocks = blocks_of({"folder": {name: {"folder": {"x": {"link": name}}} for name in "abc"}})
    walk = Walk(root.cid, POSIX)
    walk.receive(blocks[root.cid])
    first, second, third = walk.wanted(10)
    assert walk.wanted(2) == [first, second]
    walk.receive(blocks[first])
    assert walk.wanted(10)[1:] == [second, third]


def test_renamed_entries_are_reported() -> None:
    empty = Link(RAW_CID_PREFIX + EMPTY_DIGEST, "", 0)
    inner = folder_node([empty._replace(name=name) for name in ("a", "a", "..", "b/c")])
    root = folder_node([Link(inner.cid, "sub\n", inner.total)])
    blocks = {block.cid: block.data for block in (inner, root)}
    walk, steps = walk_all(Link(root.cid, "", root.total), blocks)
    made = [step.file.path for step in steps if isinstance(step, MakeFile)]
    assert made[0] == "sub_/a"
    assert made[1].startswith("sub_/a~")
    assert made[2:] == ["sub_/_", "sub_/b_c"]
    assert [renamed.path for renamed in walk.renamed] == ["sub\n", "sub\n/a", "sub\n/..", "sub\n/b/c"]
    assert walk.renamed_count == 4


# --- hostile graphs -----------------------------------------------------------------------------------------


def folder_node(links: list[Link]) -> Block:
    return pb.encode_block(links, unixfs.DIRECTORY_DATA)


def file_node(links: list[Link], sizes: list[int]) -> Block:
    return pb.encode_block(links, unixfs.encode_file(sizes))


def link_to(block: Block, name: str = "", size: int | None = None) -> Link:
    return Link(block.cid, name, block.total if size is None else size)


def shard_node(block: Block) -> Block:
    return pb.encode_block([Link(block.cid, "00", block.total)], unixfs.encode_shard(1))


LEAF = Link(RAW_CID_PREFIX + bytes(32), "", 5)
FOLDER, FILE = folder_node([]), file_node([LEAF], [5])
SYMLINK = pb.encode_block([], unixfs.encode_symlink("x"))


@pytest.mark.parametrize(
    ("top", "more", "reason"),
    [
        (folder_node([link_to(FOLDER, "a", 5)]), [FOLDER], "do not add up"),
        (folder_node([link_to(FILE, "a", FILE.total + 1)]), [FILE], "do not add up"),
        (file_node([LEAF], [4]), [], "two sizes"),
        (file_node([link_to(FILE)], [6]), [FILE], "another size"),
        (file_node([link_to(FOLDER)], [6]), [FOLDER], "no such part"),
        (folder_node([Link(LEAF.cid, "a", 0)]), [], "not empty"),
        (shard_node(FOLDER), [FOLDER], "no such part"),
        (folder_node([Link(FOLDER.cid, "", 4)]), [FOLDER], "no name"),
    ],
)
def test_graphs_that_are_refused(top: Block, more: list[Block], reason: str) -> None:
    blocks = {block.cid: block.data for block in [top, *more]}
    with pytest.raises(ProtocolViolation, match=reason):
        walk_all(link_to(top), blocks)


def nest(block: Block, wrap: Callable[[Block], Block], times: int) -> tuple[Block, dict[bytes, bytes]]:
    blocks = {block.cid: block.data}
    for _ in range(times):
        block = wrap(block)
        blocks[block.cid] = block.data
    return block, blocks


@pytest.mark.parametrize(
    ("inner", "wrap", "times", "reason"),
    [
        (FILE, lambda block: file_node([link_to(block)], [5]), 8, "too deep"),
        (pb.encode_block([], unixfs.encode_shard(0)), shard_node, 9, "too deep"),
        (FOLDER, lambda block: folder_node([link_to(block, "n" * 100)]), 41, "path of more than"),
    ],
)
def test_nesting_ends_somewhere(
    inner: Block, wrap: Callable[[Block], Block], times: int, reason: str
) -> None:
    top, blocks = nest(inner, wrap, times)
    with pytest.raises(ProtocolViolation, match=reason):
        walk_all(link_to(top), blocks)
    top, blocks = nest(inner, wrap, times - 1)
    walk_all(link_to(top), blocks)


def test_few_blocks_cannot_stand_for_a_tree_without_end() -> None:
    """Each level names the one below 1,000 times: soon the size no longer fits a varint, or any disk."""
    block = FOLDER
    for _ in range(5):
        block = folder_node([link_to(block, f"{number:04}") for number in range(1000)])
    assert block.total > 10**15
    walk = Walk(block.cid, POSIX)
    walk.receive(block.data)
    assert walk.total_bytes > 10**14


def test_limits_on_entries_and_symlinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES_MAX", 3)
    monkeypatch.setattr(module, "SYMLINKS_MAX", 2)
    blocks = {SYMLINK.cid: SYMLINK.data}
    for names, reason in (("abcd", "3 entries"), ("abc", "2 symlinks")):
        top = folder_node([link_to(SYMLINK, name) for name in names])
        with pytest.raises(ProtocolViolation, match=reason):
            walk_all(link_to(top), blocks | {top.cid: top.data})


def test_a_limit_on_the_entries_of_one_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDER_ENTRIES_MAX", 3)
    leaf = Link(LEAF.cid, "", 1)
    inner = [folder_node([leaf._replace(name=name) for name in "abc"]), FOLDER]
    top = folder_node([link_to(block, name) for block, name in zip(inner, "xy", strict=True)])
    walk_all(link_to(top), {block.cid: block.data for block in [top, *inner]})
    parts = [
        pb.encode_block(
            [leaf._replace(name=f"{place:02X}{number}") for place in range(2)], unixfs.encode_shard(3)
        )
        for number in range(2)
    ]
    links = [link_to(part, f"{place:02X}") for place, part in enumerate(parts)]
    top = pb.encode_block(links, unixfs.encode_shard(3))
    with pytest.raises(ProtocolViolation, match="a folder of more than 3 entries"):
        walk_all(link_to(top), {block.cid: block.data for block in [top, *parts]})


def test_an_empty_chunk_that_claims_bytes_is_not_taken_for_an_empty_file() -> None:
    walk = Walk(RAW_CID_PREFIX + EMPTY_DIGEST, POSIX, size=5)
    (step,) = walk.take_steps()
    assert isinstance(step, MakeFile)
    assert step.leaves == [Leaf(EMPTY_DIGEST, 0, 5)]  # and no chunk will fit it


def test_a_block_that_does_not_fit_its_id() -> None:
    root, blocks = blocks_of({"folder": {"a": {"folder": {}}}})
    walk = Walk(root.cid, POSIX)
    with pytest.raises(BadBlock) as caught:
        walk.receive(blocks[root.cid] + b"\0")
    assert caught.value.cid == root.cid
    walk.receive(blocks[root.cid])
    walk.receive(FOLDER.data)
    with pytest.raises(ProtocolViolation, match="too many"):
        walk.receive(FOLDER.data)


def test_a_root_of_another_kind_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="neither"):
        Walk(b"\x01\x71\x12\x20" + bytes(32), POSIX)


@given(
    st.binary(max_size=200),
    st.lists(st.tuples(st.sampled_from([RAW_CID_PREFIX, NODE_CID_PREFIX]), st.text())),
)
def test_foreign_nodes_raise_nothing_else(data: bytes, links: list[tuple[bytes, str]]) -> None:
    block = pb.encode_block([Link(prefix + bytes(32), name, 1) for prefix, name in links], data)
    walk = Walk(block.cid, POSIX)
    try:
        walk.receive(block.data)
    except ProtocolViolation:
        return
    assert isinstance(walk.take_steps(), list)


def test_target_files_count_down_from_their_size() -> None:
    assert TargetFile("a", "b", 5).left == 5
