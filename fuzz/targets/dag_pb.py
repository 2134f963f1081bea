"""dag-pb nodes and the UnixFS data in them: what is read encodes to the same bytes."""

from __future__ import annotations

from warren.core.errors import ProtocolViolation
from warren.services.files.dag import pb, unixfs

_RAW = pb.RAW_CID_PREFIX + bytes(32)
_NODE = pb.NODE_CID_PREFIX + bytes(32)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    pb.encode([], unixfs.DIRECTORY_DATA),
    pb.encode([pb.Link(_RAW, "a.txt", 5), pb.Link(_NODE, "folder", 300)], unixfs.DIRECTORY_DATA),
    pb.encode([pb.Link(_RAW, "", 1 << 20), pb.Link(_RAW, "", 7)], unixfs.encode_file([1 << 20, 7])),
    pb.encode([], unixfs.encode_symlink("../target")),
    pb.encode([pb.Link(_RAW, "0Aname", 5)], unixfs.encode_shard(1 << 10)),
)


def parse(data: bytes) -> tuple[list[pb.Link], bytes, unixfs.UnixFsData]:
    links, body = pb.decode(data)
    return links, body, unixfs.decode(body)


def verify(data: bytes, node: tuple[list[pb.Link], bytes, unixfs.UnixFsData]) -> None:
    links, body, content = node
    assert pb.encode(links, body) == data
    assert len(content.block_sizes) <= unixfs.BLOCK_SIZES_MAX
