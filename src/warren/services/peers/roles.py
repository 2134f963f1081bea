"""What a peer does for others, read from the protocols that it speaks. Pure.

In:  protocol ids. Out: roles, as words, in a fixed order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Who speaks one of these serves it: clients of them do not announce the protocol.
_ROLES: Final = (
    ("dht", ("/warren/kad/1.0.0", "/ipfs/kad/1.0.0", "/ipfs/lan/kad/1.0.0")),
    ("relay", ("/libp2p/circuit/relay/0.2.0/hop",)),
    ("super", ("/warren/super/1.0.0",)),
    ("rendezvous", ("/rendezvous/1.0.0",)),
)


def roles_of(protocols: Iterable[str]) -> tuple[str, ...]:
    """The roles of a peer that speaks `protocols`."""
    spoken = set(protocols)
    return tuple(role for role, ids in _ROLES if not spoken.isdisjoint(ids))
