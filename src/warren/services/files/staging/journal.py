"""What a fetch has committed, as bytes. Pure.

In:  which leaves are safe on the disk, and how each file that they lie in looked when that was said: its
mark. Out: one block of bytes with a checksum, and back. What is torn, damaged, of another root or of another
version of this layout is no journal (None): then the files are hashed, and nothing is believed.

    16 bytes  what this is, and its version
    32        SHA2-256 of the root's content id as text
     8, n     length of the map of leaves in bytes, and the map (`Bits.to_bytes`)
     8, n*32  count of marks; each: BLAKE2b of the path, size, mtime in ns, inode; 8 bytes each
    32        SHA2-256 of all before

Numbers are little-endian.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.services.files.swarm.bits import Bits

if TYPE_CHECKING:
    from warren.runtime.seam import Stat

MAGIC: Final = b"warren journal 1"
MARKS_MAX: Final = 65_536
"""Files whose looks are kept, some 12 MB of memory and 2 MB in the journal. Fault: a tree of millions of
files; those beyond are hashed when the fetch goes on."""
JOURNAL_BYTES_MAX: Final = 16 * 1024 * 1024
"""A larger file is no journal. Fault: a file of any size under its name, read into memory."""

_COUNT: Final = struct.Struct("<Q")
_MARK: Final = struct.Struct("<QqQ")
_KEY_BYTES: Final = 8
_ENTRY_BYTES: Final = _KEY_BYTES + _MARK.size
_DIGEST_BYTES: Final = 32
_HEAD_BYTES: Final = len(MAGIC) + _DIGEST_BYTES
_INODES: Final = (1 << 64) - 1


@dataclass(slots=True)
class Journal:
    """Leaves that are safe on the disk, by number, and the mark of each file by the key of its path."""

    bits: Bits = field(default_factory=Bits)
    marks: dict[bytes, bytes] = field(default_factory=dict)


def key_of(path: str) -> bytes:
    """What stands for a path in the marks. Two paths with one key have two inodes, and so two marks."""
    return hashlib.blake2b(path.encode(), digest_size=_KEY_BYTES).digest()


def mark_of(status: Stat) -> bytes:
    """How a file looks: another one with the same mark is the same, unwritten since.

    The inode is what a foreign hand cannot choose: a hidden folder that came out of an archive has other ones
    than its journal says, and is hashed.
    """
    return _MARK.pack(status.size, status.mtime_ns, status.inode & _INODES)


def encode(root: str, journal: Journal) -> bytes:
    """The bytes of a journal. root: a content id as text."""
    bits = journal.bits.to_bytes()
    parts = [MAGIC, hashlib.sha256(root.encode()).digest(), _COUNT.pack(len(bits)), bits]
    parts.append(_COUNT.pack(len(journal.marks)))
    parts += (key + mark for key, mark in journal.marks.items())
    body = b"".join(parts)
    return body + hashlib.sha256(body).digest()


def decode(root: str, data: bytes) -> Journal | None:
    """The journal in these bytes, if they are one of this root."""
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    head = MAGIC + hashlib.sha256(root.encode()).digest()
    if not body.startswith(head) or hashlib.sha256(body).digest() != digest:
        return None
    (length,) = _COUNT.unpack_from(body, _HEAD_BYTES)
    start = _HEAD_BYTES + _COUNT.size + length
    entries = body[start + _COUNT.size :]
    marks = {
        entries[at : at + _KEY_BYTES]: entries[at + _KEY_BYTES : at + _ENTRY_BYTES]
        for at in range(0, len(entries), _ENTRY_BYTES)
    }
    return Journal(Bits.from_bytes(body[start - length : start]), marks)
