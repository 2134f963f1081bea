"""dag-pb: a node is some data and a list of links; the one encoding that has the right content id.

In: links and data, or foreign bytes. Out: bytes, or links and data. Written by hand, because the hash needs
the exact order that the specification gives (links before data), which protobuf libraries do not promise.
Refuses everything but that encoding: unknown, repeated or misplaced fields, padded varints, names that are
not UTF-8, content ids other than version 1 with SHA2-256 over raw bytes or dag-pb.
https://ipld.io/specs/codecs/dag-pb/spec/
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core import varint
from warren.core.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Iterable

RAW_CID_PREFIX: Final = b"\x01\x55\x12\x20"
NODE_CID_PREFIX: Final = b"\x01\x70\x12\x20"
CID_BYTES: Final = 36

NODE_BYTES_MAX: Final = 2 * 1024 * 1024
"""Attack: nodes of any size, each of which must be held whole to be verified. IPFS moves no larger block."""

_LINK_KEY: Final = 0x12
_DATA_KEY: Final = 0x0A
_HASH_HEADER: Final = b"\x0a\x24"
_NAME_KEY: Final = b"\x12"
_SIZE_KEY: Final = b"\x18"


class Link(NamedTuple):
    """An edge to another node.

    `cid` is the binary content id (36 bytes), `size` the bytes of all blocks below it as the author counted
    them.
    """

    cid: bytes
    name: str
    size: int

    @property
    def is_raw(self) -> bool:
        """Whether it leads to plain bytes of a file, not to a further node."""
        return self.cid.startswith(RAW_CID_PREFIX)


class Block(NamedTuple):
    """An encoded node under its content id; `total` counts its bytes and those of all blocks below."""

    cid: bytes
    data: bytes
    total: int


def encode(links: Iterable[Link], data: bytes) -> bytes:
    """The node with `links` in the order given; empty data is left out."""
    out = bytearray()
    for link in links:
        body = _encode_link(link)
        out.append(_LINK_KEY)
        out += varint.encode(len(body))
        out += body
    if data:
        out.append(_DATA_KEY)
        out += varint.encode(len(data))
        out += data
    return bytes(out)


def encode_block(links: list[Link], data: bytes) -> Block:
    """The node with its content id and cumulative size."""
    block = encode(links, data)
    return Block(node_cid(block), block, len(block) + sum(link.size for link in links))


def node_cid(block: bytes | bytearray | memoryview) -> bytes:
    """The binary content id of an encoded node."""
    return NODE_CID_PREFIX + hashlib.sha256(block).digest()


def encoded_size(link: Link) -> int:
    """The bytes that `link` adds to a node."""
    body = len(_HASH_HEADER) + len(link.cid) + 1 + _varint_size(link.size)
    name_bytes = len(link.name.encode())
    body += 1 + _varint_size(name_bytes) + name_bytes
    return 1 + _varint_size(body) + body


def decode(block: bytes | bytearray | memoryview) -> tuple[list[Link], bytes]:
    """The links and the data of a node (empty where it has none). Raises `ProtocolViolation`."""
    if len(block) > NODE_BYTES_MAX:
        raise ProtocolViolation(f"a node of {len(block)} bytes exceeds the limit of {NODE_BYTES_MAX}")
    raw = bytes(block)
    links: list[Link] = []
    pos, end = 0, len(raw)
    while pos < end and raw[pos] == _LINK_KEY:
        start, pos = _field(raw, pos + 1, end)
        links.append(_decode_link(raw, start, pos))
    data = b""
    if pos < end and raw[pos] == _DATA_KEY:
        start, pos = _field(raw, pos + 1, end)
        data = raw[start:pos]
    if pos != end:
        raise ProtocolViolation("a node holds what dag-pb does not allow, or not where it allows it")
    return links, data


def _encode_link(link: Link) -> bytes:
    name = link.name.encode()
    return b"".join(
        (
            _HASH_HEADER,
            link.cid,
            _NAME_KEY,
            varint.encode(len(name)),
            name,
            _SIZE_KEY,
            varint.encode(link.size),
        )
    )


def _decode_link(raw: bytes, pos: int, end: int) -> Link:
    cid_end = pos + 2 + CID_BYTES
    cid = raw[pos + 2 : cid_end]
    if cid_end > end or raw[pos : pos + 2] != _HASH_HEADER or not _is_known(cid):
        raise ProtocolViolation("a link needs a content id of version 1 with SHA2-256")
    if raw[cid_end : cid_end + 1] != _NAME_KEY:
        raise ProtocolViolation("a link lacks its name")
    start, pos = _field(raw, cid_end + 1, end)
    try:
        name = raw[start:pos].decode()
    except UnicodeDecodeError as error:
        raise ProtocolViolation("the name of a link is not UTF-8") from error
    if raw[pos : pos + 1] != _SIZE_KEY or pos >= end:
        raise ProtocolViolation("a link lacks its size")
    size = varint.decode(raw[pos + 1 : end])
    if size is None or size[1] != end - pos - 1:
        raise ProtocolViolation("a link holds what dag-pb does not allow")
    return Link(cid, name, size[0])


def _is_known(cid: bytes) -> bool:
    return cid.startswith((RAW_CID_PREFIX, NODE_CID_PREFIX))


def _field(raw: bytes, pos: int, end: int) -> tuple[int, int]:
    """Where the content of a length-delimited field starts and ends; its key was read."""
    length = varint.decode(raw, pos)
    if length is None or length[1] + length[0] > end:
        raise ProtocolViolation("a node is cut short")
    return length[1], length[1] + length[0]


def _varint_size(n: int) -> int:
    return max(1, (n.bit_length() + 6) // 7)
