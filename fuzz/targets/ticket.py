"""Sealed tickets."""

from __future__ import annotations

from warren.core.cid import Cid
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.ticket import SEALED_BYTES_MAX, Ticket

_KEY = PrivateKey.from_seed(bytes(32))
_OTHER = PrivateKey.from_seed(bytes([1]) * 32).peer_id

DOCUMENTED = (ProtocolViolation,)
SEEDS = (Ticket(_KEY.peer_id, Cid.raw_sha256(bytes(32)), _OTHER, 1_800_000_000).seal(_KEY),)


def parse(data: bytes) -> Ticket:
    return Ticket.open(data)


def verify(data: bytes, ticket: Ticket) -> None:
    assert len(data) <= SEALED_BYTES_MAX
    good_at = ticket.expires_at
    assert (
        ticket.is_good(origin=ticket.origin, root=ticket.root, grantee=ticket.grantee, wall_s=float(good_at))
        or good_at > 1 << 53
    )
