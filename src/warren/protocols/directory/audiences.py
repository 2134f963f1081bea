"""Whom the audiences of a registration admit, told so that nobody can list them.

In:  audiences by number, with their members; a peer that asks. Out: a table of keyed hashes, and whether the
peer is in an audience of it. Who has the table can test a peer that it knows; the salt is new for each table,
so two tables do not tell that they admit the same peer.

Refuses, with `ProtocolViolation`: tables over their size, numbers that are everybody's or come twice, members
that are no whole hashes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation
from warren.protocols.directory.proto import directory_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from warren.core.peer_id import PeerId

SALT_BYTES: Final = 16
HASH_BYTES: Final = 8
AUDIENCES_MAX: Final = 256
"""Of one peer. Attack: tables whose looking through is what costs."""
MEMBERS_MAX: Final = 4096
"""Of all audiences of one peer together: 32 KiB. Attack: tables that fill the memory of super-peers."""
DIGEST_BYTES: Final = 16


class Audiences:
    """The audiences of one peer. Those with number 0 are everybody and stand in no table."""

    __slots__ = ("_members", "digest", "salt")

    def __init__(self, salt: bytes, members: Mapping[int, bytes]) -> None:
        """members: for each number the hashes, one behind the other. Raises `ProtocolViolation`."""
        if len(salt) != SALT_BYTES:
            raise ProtocolViolation(f"directory: a salt of {len(salt)} bytes, not {SALT_BYTES}")
        if len(members) > AUDIENCES_MAX or sum(map(len, members.values())) > MEMBERS_MAX * HASH_BYTES:
            raise ProtocolViolation("directory: a table of audiences over its size")
        if 0 in members or any(len(hashes) % HASH_BYTES for hashes in members.values()):
            raise ProtocolViolation("directory: a malformed table of audiences")
        self.salt = salt
        self._members = {number: _sorted(hashes) for number, hashes in members.items()}
        self.digest = hashlib.blake2b(
            self.to_message().SerializeToString(deterministic=True), digest_size=DIGEST_BYTES
        ).digest()
        """Tells whether two tables are the same."""

    @classmethod
    def of(cls, salt: bytes, members: Mapping[int, Iterable[PeerId]]) -> Audiences:
        """The table that admits these peers. Those beyond `MEMBERS_MAX` in all are not admitted."""
        room = MEMBERS_MAX
        table: dict[int, bytes] = {}
        for number, peers in sorted(members.items())[:AUDIENCES_MAX]:
            hashes = sorted({hash_of(salt, peer) for peer in peers})[:room]
            room -= len(hashes)
            table[number] = b"".join(hashes)
        return cls(salt, table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Audiences) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def admits(self, number: int, peer: PeerId) -> bool:
        """Whether the peer is in the audience; in one that is not in the table nobody is."""
        members = self._members.get(number, b"")
        wanted = hash_of(self.salt, peer)
        low, high = 0, len(members) // HASH_BYTES
        while low < high:
            middle = (low + high) // 2
            met = members[middle * HASH_BYTES : (middle + 1) * HASH_BYTES]
            if met == wanted:
                return True
            low, high = (middle + 1, high) if met < wanted else (low, middle)
        return False

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return 400 + sum(100 + len(members) for members in self._members.values())

    def to_message(self) -> pb.Audiences:
        return pb.Audiences(
            salt=self.salt,
            audiences=[
                pb.Audience(number=number, members=members)
                for number, members in sorted(self._members.items())
            ],
        )

    @classmethod
    def from_message(cls, message: pb.Audiences) -> Audiences:
        """Raises `ProtocolViolation`."""
        members = {one.number: one.members for one in message.audiences}
        if len(members) != len(message.audiences):
            raise ProtocolViolation("directory: an audience that comes twice")
        return cls(message.salt, members)


def hash_of(salt: bytes, peer: PeerId) -> bytes:
    """A peer as a table has it."""
    return hashlib.blake2b(peer.to_bytes(), digest_size=HASH_BYTES, key=salt).digest()


def _sorted(hashes: bytes) -> bytes:
    """Kept as bytes in order: a set of so many small objects takes ten times as much."""
    return b"".join(sorted(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)))
