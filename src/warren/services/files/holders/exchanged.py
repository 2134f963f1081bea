"""What exchanges with other holders leave: who else has a root, whether it is public, tickets for it.

In:  answers of holders (`swarm.swarms.Swarms.on_exchanged`). Out: rows in the record; whether strangers may
be asked; tickets that outlive a restart, so that a fetch goes on without its origin.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from warren.core.cid import Cid
from warren.core.errors import WarrenError
from warren.core.peer_id import PeerId
from warren.core.ticket import Ticket
from warren.services.files.holders.store import Held

if TYPE_CHECKING:
    from warren.services.files.holders.record import Record
    from warren.services.files.swarm.swarms import PeerHolding
    from warren.services.files.swarm.tickets import Tickets

ROOTS_MAX: Final = 4096
"""Roots that are remembered. Fault: a node that fetches all day."""
TICKET_AGAIN_S: Final = 86_400
"""A ticket is written down again once a new one is good for so much longer."""


class Publicity:
    """Of which roots somebody who has them said whether they are for everybody."""

    def __init__(self) -> None:
        self._said: OrderedDict[Cid, bool] = OrderedDict()

    def note(self, root: Cid, *, public: bool) -> None:
        """Somebody says so. Once public, it stays so: whoever wants it may know of it."""
        self._said[root] = public or self._said.get(root, False)
        self._said.move_to_end(root)
        if len(self._said) > ROOTS_MAX:
            self._said.popitem(last=False)

    def is_public(self, root: Cid) -> bool | None:
        """Whether it is; None: nobody said."""
        return self._said.get(root)


class Exchanged:
    """Of one node. `load` once, before the first exchange."""

    def __init__(self, record: Record, publicity: Publicity, tickets: Tickets) -> None:
        self._record = record
        self._publicity = publicity
        self._tickets = tickets
        self._kept: OrderedDict[tuple[Cid, PeerId], int] = OrderedDict()
        """When the tickets that are kept expire."""

    def __call__(self, root: Cid, peer: PeerId, holding: PeerHolding) -> None:
        """`peer` says that it has it."""
        self._record.note(root, [peer, *holding.fellows])
        if holding.word is None:
            return
        self._publicity.note(root, public=holding.public)
        if holding.word.origin == peer:
            for sealed in self._tickets.held(root)[:1]:
                self._keep(Ticket.open(sealed), sealed)

    async def load(self) -> None:
        """Have the tickets again that were given before a restart. Raises StorageError."""
        for held in await self._record.tickets():
            with contextlib.suppress(WarrenError):  # a damaged row costs itself alone
                self._tickets.keep(held.sealed, Cid.from_bytes(held.root), PeerId(held.origin))

    def _keep(self, ticket: Ticket, sealed: bytes) -> None:
        """Unless one is kept that is nearly as good: an origin gives one each time that it is asked."""
        place = ticket.root, ticket.origin
        if ticket.expires_at < self._kept.get(place, 0) + TICKET_AGAIN_S:
            return
        self._kept[place] = ticket.expires_at
        self._kept.move_to_end(place)
        if len(self._kept) > ROOTS_MAX:
            self._kept.popitem(last=False)
        held = Held(ticket.root.to_bytes(), ticket.origin.to_bytes(), sealed, ticket.expires_at)
        self._record.note_ticket(held)
