"""UnixFS data: what a dag-pb node says about the file, folder, shard or symlink that it is.

In: sizes, targets, bit fields, or foreign bytes. Out: bytes, or `UnixFsData`. Written by hand for the same
reason as dag-pb. Refuses unknown types and fields, repeated or misplaced fields, more block sizes than a node
may have links, and targets of symlinks longer than a path may be. Mode and modification time are passed over:
the profile leaves them out.
https://specs.ipfs.tech/unixfs/
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import varint
from warren.core.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Iterable

HASH_MURMUR3: Final = 0x22
FANOUT: Final = 256
SYMLINK_TARGET_BYTES_MAX: Final = 4096
"""Attack: targets that no file system can hold. PATH_MAX of Linux."""
BLOCK_SIZES_MAX: Final = 8192
"""Attack: long lists of sizes without links. Far over the profile's 1,024; a legacy node has 174."""


class NodeType(enum.IntEnum):
    """The numbers that the encoding uses; 0 (raw) and 3 (metadata) occur in no profile that we read."""

    DIRECTORY = 1
    FILE = 2
    SYMLINK = 4
    HAMT_SHARD = 5


@dataclass(frozen=True, slots=True)
class UnixFsData:
    """The decoded data of a node.

    `data` is a symlink's target or a shard's bit field; `block_sizes` are the bytes of the file under each
    link, `file_size` their sum.
    """

    type: NodeType
    data: bytes = b""
    file_size: int | None = None
    block_sizes: tuple[int, ...] = ()
    hash_type: int | None = None
    fanout: int | None = None


DIRECTORY_DATA: Final = b"\x08\x01"


def encode_file(block_sizes: Iterable[int]) -> bytes:
    """A file whose content lies under its links, so many bytes under each."""
    sizes = list(block_sizes)
    parts = [b"\x08\x02\x18", varint.encode(sum(sizes))]
    for size in sizes:
        parts += (b"\x20", varint.encode(size))
    return b"".join(parts)


def encode_symlink(target: str) -> bytes:
    """A symlink to `target`."""
    raw = target.encode()
    return b"\x08\x04\x12" + varint.encode(len(raw)) + raw


def encode_shard(bits: int) -> bytes:
    """A shard of a folder; bit i of `bits` is set where the shard has a link at i."""
    field = bits.to_bytes((bits.bit_length() + 7) // 8)
    parts = [b"\x08\x05"]
    if field:
        parts += (b"\x12", varint.encode(len(field)), field)
    parts += (b"\x28", varint.encode(HASH_MURMUR3), b"\x30", varint.encode(FANOUT))
    return b"".join(parts)


def decode(raw: bytes) -> UnixFsData:
    """Read the data of a node. Raises `ProtocolViolation`."""
    singles: dict[int, int] = {}
    sizes: list[int] = []
    data = b""
    pos = last = 0
    while pos < len(raw):
        key = raw[pos]
        field, wire = key >> 3, key & 7
        if field < last or (field == last and field != 4) or not 1 <= field <= 8:
            raise ProtocolViolation(f"UnixFS data has field {field} where it does not belong")
        last = field
        value, pos = _varint(raw, pos + 1)
        if wire == 2 and field in {2, 8}:
            pos, start = pos + value, pos
            if pos > len(raw):
                raise ProtocolViolation("UnixFS data is cut short")
            data = raw[start:pos] if field == 2 else data
        elif wire == 0 and field == 4:
            sizes.append(value)
            if len(sizes) > BLOCK_SIZES_MAX:
                raise ProtocolViolation(f"UnixFS data lists more than {BLOCK_SIZES_MAX} blocks")
        elif wire == 0 and field not in {2, 8}:
            singles[field] = value
        else:
            raise ProtocolViolation(f"UnixFS data has field {field} in a form it does not have")
    return UnixFsData(
        _type(singles.get(1)), data, singles.get(3), tuple(sizes), singles.get(5), singles.get(6)
    )


def _type(number: int | None) -> NodeType:
    try:
        return NodeType(-1 if number is None else number)
    except ValueError as error:
        raise ProtocolViolation(f"UnixFS data of type {number}, which we do not read") from error


def _varint(raw: bytes, pos: int) -> tuple[int, int]:
    found = varint.decode(raw, pos)
    if found is None:
        raise ProtocolViolation("UnixFS data is cut short")
    return found
