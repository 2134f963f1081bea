"""What the keys in the store are called, and which of them lie together.

In:  peer ids. Out: names of keys. Pure.

Owners are dealt out to `SHARDS` parts by their ids. The keys of a part have its number in braces, which makes
them one slot of a Redis Cluster: scripts may touch several of them at once, and the parts spread over its
nodes. All that stands in the names:

    warren:1:{N}:born              who made the part: another one where all was lost
    warren:1:{N}:owners            hash: owner -> how far its registration has come (`records.Record`)
    warren:1:{N}:changes           stream: what happened in the part; hints, cut off at `CHANGES_KEPT`
    warren:1:{N}:leased            set: "OWNER SUPER-PEER", of leases that may be there
    warren:1:{N}:log:OWNER         stream: its last snapshot, and the deltas since
    warren:1:{N}:new:OWNER:TOKEN   the same, on its way in
    warren:1:{N}:lease:OWNER:SUPER expires with the lease
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import InvalidPeerId
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from typing import Self

SHARDS: Final = 8
"""Parts. Each has a connection that waits for its changes; more spread further over a cluster."""
_PREFIX: Final = "warren:1"


def shard_of(owner: PeerId) -> int:
    """In which part an owner is."""
    return blake2b(owner.to_bytes(), digest_size=1).digest()[0] % SHARDS


class Place(NamedTuple):
    """A lease in the store: whose it is, and which super-peer took it."""

    owner: PeerId
    super_peer: PeerId

    def __str__(self) -> str:
        return f"{self.owner} {self.super_peer}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What a member of `leased` says; None where that is nothing."""
        owner, _, super_peer = text.partition(" ")
        try:
            return cls(PeerId.parse(owner), PeerId.parse(super_peer))
        except InvalidPeerId:
            return None


class Keys:
    """The names of one part."""

    __slots__ = ("_head", "born", "changes", "leased", "owners")

    def __init__(self, shard: int) -> None:
        self._head = f"{_PREFIX}:{{{shard}}}"
        self.born = f"{self._head}:born"
        self.owners = f"{self._head}:owners"
        self.changes = f"{self._head}:changes"
        self.leased = f"{self._head}:leased"

    def log(self, owner: PeerId) -> str:
        return f"{self._head}:log:{owner}"

    def staging(self, owner: PeerId, token: str) -> str:
        return f"{self._head}:new:{owner}:{token}"

    def lease(self, place: Place) -> str:
        return f"{self._head}:lease:{place.owner}:{place.super_peer}"
