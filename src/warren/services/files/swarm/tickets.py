"""The tickets of one node: those it gives, those it was given, and those that others showed it.

In:  sealed tickets. Out: whether a peer may have a root by the word of an origin; tickets to show. Pure but
for the clock. All is in memory: who is not known any more shows its ticket again.

Whom this node lets have something is for its audiences to say; a ticket lets others pass it on.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation
from warren.core.ticket import CLOCK_S, VALID_S, Ticket
from warren.protocols.swarm.messages import TICKETS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from warren.core.cid import Cid
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId

HELD_MAX: Final = 4096
"""Roots whose tickets are kept, 1 KiB each. Fault: a node that fetches without end."""
SHOWN_PEERS_MAX: Final = 4096
"""Peers whose tickets are remembered. Attack: identities without end, all with tickets of one origin."""
SHOWN_ROOTS_MAX: Final = 256
"""Roots of each. Attack: one peer with many tickets that lets the others be forgotten."""


class Tickets:
    """Of one node. wall: Unix seconds."""

    __slots__ = ("_held", "_key", "_shown", "_wall")

    def __init__(self, key: PrivateKey, wall: Callable[[], float]) -> None:
        self._key = key
        self._wall = wall
        self._held: OrderedDict[Cid, dict[PeerId, tuple[Ticket, bytes]]] = OrderedDict()
        self._shown: OrderedDict[PeerId, OrderedDict[tuple[Cid, PeerId], int]] = OrderedDict()

    # --- given and held -----------------------------------------------------------------------------------

    def give(self, root: Cid, grantee: PeerId) -> bytes:
        """This node's word, sealed, that `grantee` may have `root`."""
        expires_at = int(self._wall()) + VALID_S
        return Ticket(self._key.peer_id, root, grantee, expires_at).seal(self._key)

    def keep(self, sealed: bytes, root: Cid, origin: PeerId | None = None) -> Ticket:
        """Keep a ticket that was given to this node. origin: who must have given it.

        Raises `ProtocolViolation` for one that is of no use to this node for this root.
        """
        ticket = Ticket.open(sealed)
        if not self._is_good(ticket, self._key.peer_id, root, origin or ticket.origin):
            raise ProtocolViolation(f"a ticket of {ticket.origin} that is not good for us, or not for {root}")
        tickets = self._held.setdefault(root, {})
        tickets.pop(ticket.origin, None)
        tickets[ticket.origin] = ticket, sealed
        if len(tickets) > TICKETS_MAX:
            del tickets[next(iter(tickets))]
        self._held.move_to_end(root)
        if len(self._held) > HELD_MAX:
            self._held.popitem(last=False)
        return ticket

    def held(self, root: Cid) -> tuple[bytes, ...]:
        """Those this node was given for `root`, to be shown; the one that came last first."""
        tickets = self._held.get(root, {})
        me = self._key.peer_id
        return tuple(
            sealed
            for origin, (ticket, sealed) in reversed(tickets.items())
            if self._is_good(ticket, me, root, origin)
        )

    def holds(self, root: Cid, origin: PeerId) -> bool:
        """Whether this node may have `root` by the word of `origin`, or is the origin."""
        if origin == self._key.peer_id:
            return True
        ticket, _ = self._held.get(root, {}).get(origin, (None, b""))
        return ticket is not None and self._is_good(ticket, self._key.peer_id, root, origin)

    # --- shown by others ----------------------------------------------------------------------------------

    def show(self, asker: PeerId, root: Cid, sealed: Sequence[bytes], origins: Collection[PeerId]) -> None:
        """A peer shows tickets: those by one of `origins` for `root` are remembered, the others do nothing.

        All of them are checked in any case, so that the time it takes does not tell whether `root` is here.
        """
        for one in sealed[:TICKETS_MAX]:
            try:
                ticket = Ticket.open(one)
            except ProtocolViolation:
                continue
            if ticket.origin in origins and self._is_good(ticket, asker, root, ticket.origin):
                self._remember(asker, ticket)

    def admit(self, peer: PeerId, root: Cid, origin: PeerId) -> bool:
        """Whether `peer` showed that it may have `root` by the word of `origin`, or is the origin."""
        if peer == origin:
            return True
        shown = self._shown.get(peer)
        expires_at = shown.get((root, origin)) if shown is not None else None
        return expires_at is not None and self._wall() < expires_at + CLOCK_S

    def shown_by(self, peer: PeerId) -> bool:
        """Whether it showed any that did something."""
        return peer in self._shown

    def _remember(self, peer: PeerId, ticket: Ticket) -> None:
        roots = self._shown.setdefault(peer, OrderedDict())
        place = ticket.root, ticket.origin
        roots[place] = max(ticket.expires_at, roots.get(place, 0))
        roots.move_to_end(place)
        if len(roots) > SHOWN_ROOTS_MAX:
            roots.popitem(last=False)
        self._shown.move_to_end(peer)
        if len(self._shown) > SHOWN_PEERS_MAX:
            self._shown.popitem(last=False)

    def _is_good(self, ticket: Ticket, grantee: PeerId, root: Cid, origin: PeerId) -> bool:
        return ticket.is_good(origin=origin, root=root, grantee=grantee, wall_s=self._wall())
