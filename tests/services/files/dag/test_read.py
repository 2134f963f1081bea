from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.files.dag.trees import build
from warren.core import varint
from warren.core.errors import ProtocolViolation
from warren.services.files.dag import pb, unixfs
from warren.services.files.dag.build import CHUNK_BYTES
from warren.services.files.dag.pb import NODE_CID_PREFIX, RAW_CID_PREFIX, Link
from warren.services.files.dag.read import FileNode, FolderNode, ShardNode, SymlinkNode, read_node

if TYPE_CHECKING:
    from warren.services.files.dag.pb import Block
    from warren.services.files.dag.read import Node

RAW = RAW_CID_PREFIX + bytes(32)
NODE = NODE_CID_PREFIX + bytes(32)


def nodes_of(tree: dict[str, Any]) -> tuple[Link, dict[bytes, Node]]:
    blocks: list[Block] = []
    root = build(tree, blocks)
    return root, {block.cid: read_node(block.data) for block in blocks}


def test_folder_file_and_symlink() -> None:
    root, nodes = nodes_of({"folder": {"big": {"bytes": CHUNK_BYTES + 1, "seed": 1}, "to": {"link": "big"}}})
    folder = nodes[root.cid]
    assert isinstance(folder, FolderNode)
    assert [entry.name for entry in folder.entries] == ["big", "to"]
    big, to = (nodes[entry.cid] for entry in folder.entries)
    assert isinstance(big, FileNode)
    assert big.size == CHUNK_BYTES + 1
    assert [size for _, size in big.children] == [CHUNK_BYTES, 1]
    assert to == SymlinkNode("big")


def test_a_sharded_folder_gives_all_names_once() -> None:
    root, nodes = nodes_of({"folder": {}, "many": {"count": 6000, "pattern": "ü#", "bytes": 1, "seed": 1}})

    def names(cid: bytes) -> list[str]:
        node = nodes[cid]
        assert isinstance(node, ShardNode)
        found: list[str] = []
        for link in node.links:
            found += [link.name] if link.name else names(link.cid)
        return found

    assert sorted(names(root.cid)) == [f"ü{i:06}" for i in range(6000)]


def shard(links: list[Link], bits: int, hash_type: int = 0x22, fanout: int = 256) -> bytes:
    field = bits.to_bytes(32).lstrip(b"\0")
    data = b"\x08\x05\x12" + bytes([len(field)]) + field + bytes([0x28, hash_type])
    return pb.encode(links, data + b"\x30" + varint.encode(fanout))


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (pb.encode([], b""), "type None"),
        (pb.encode([Link(RAW, "n" * 1025, 1)], unixfs.DIRECTORY_DATA), "longer than"),
        (pb.encode([Link(RAW, "\u00fc" * 513, 1)], unixfs.DIRECTORY_DATA), "longer than"),
        (pb.encode([Link(RAW, "a", CHUNK_BYTES + 1)], unixfs.DIRECTORY_DATA), "one chunk claims"),
        (pb.encode([Link(RAW, "a", 1), Link(NODE, "", 1)], unixfs.DIRECTORY_DATA), "no name"),
        (shard([], 0, hash_type=0x23), "another hash"),
        (shard([], 0, fanout=16), "another hash"),
        (shard([Link(RAW, "0", 1)], 1), "begin with its place"),
        (shard([Link(RAW, "0gx", 1)], 1), "begin with its place"),
        (shard([Link(RAW, "0ax", 1)], 1), "begin with its place"),
        (shard([Link(RAW, "01a", 1), Link(RAW, "00a", 1)], 3), "out of order"),
        (shard([Link(RAW, "01a", 1), Link(RAW, "01b", 1)], 2), "out of order"),
        (shard([Link(RAW, "01a", 1)], 1), "bit field"),
        (shard([Link(RAW, "01", 1)], 2), "bit field"),
        (pb.encode([Link(RAW, "", 1)], unixfs.encode_file([1, 2])), "do not fit"),
        (pb.encode([], unixfs.encode_file([])), "do not fit"),
        (pb.encode([Link(RAW, "", 1)], b"\x08\x02\x12\x01a\x18\x01\x20\x01"), "do not fit"),
        (pb.encode([Link(RAW, "", 1)], b"\x08\x02\x18\x02\x20\x01"), "do not fit"),
        (pb.encode([Link(RAW, "", 0)], unixfs.encode_file([0])), "chunk of 0"),
        (pb.encode([Link(RAW, "", 1)], unixfs.encode_file([CHUNK_BYTES + 1])), "chunk of"),
        (pb.encode([], unixfs.encode_symlink("")), "needs a target"),
        (pb.encode([], b"\x08\x04\x12\x81\x20" + b"a" * 4097), "needs a target"),
        (pb.encode([Link(NODE, "", 1)], unixfs.encode_symlink("a")), "has no links"),
        (pb.encode([], b"\x08\x04\x12\x01\xff"), "UTF-8"),
    ],
)
def test_refusals(block: bytes, reason: str) -> None:
    with pytest.raises(ProtocolViolation, match=reason):
        read_node(block)


@given(st.binary(max_size=100), st.lists(st.tuples(st.sampled_from([RAW, NODE]), st.text(max_size=4))))
def test_foreign_nodes(data: bytes, links: list[tuple[bytes, str]]) -> None:
    with contextlib.suppress(ProtocolViolation):
        read_node(pb.encode([Link(cid, name, 1) for cid, name in links], data))
