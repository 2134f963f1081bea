"""UnixFS data alone: what it says is bounded, and what we write reads back as it was."""

from __future__ import annotations

from warren.core import varint
from warren.core.errors import ProtocolViolation
from warren.services.files.dag import unixfs

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    unixfs.DIRECTORY_DATA,
    unixfs.encode_file([]),
    unixfs.encode_file([1 << 20, 1 << 20, 7]),
    unixfs.encode_symlink("../ünï/target"),
    unixfs.encode_shard(0),
    unixfs.encode_shard(1 << 255 | 1 << 10 | 1),
)


def parse(data: bytes) -> unixfs.UnixFsData:
    return unixfs.decode(data)


def verify(data: bytes, content: unixfs.UnixFsData) -> None:
    assert len(content.block_sizes) <= min(unixfs.BLOCK_SIZES_MAX, len(data) // 2)
    assert len(content.data) < len(data)
    # A sum that no varint holds equals no file size: `read_node` refuses it.
    if content.type is unixfs.NodeType.FILE and sum(content.block_sizes) <= varint.VARINT_MAX:
        again = unixfs.decode(unixfs.encode_file(content.block_sizes))
        assert again.block_sizes == content.block_sizes
        assert again.file_size == sum(content.block_sizes)
    elif content.type is unixfs.NodeType.HAMT_SHARD:
        bits = int.from_bytes(content.data)
        again = unixfs.decode(unixfs.encode_shard(bits))
        assert int.from_bytes(again.data) == bits
