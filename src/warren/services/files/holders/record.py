"""The record of holders: heard of now and then, kept over restarts, asked when something is fetched.

In:  who was heard of to have what, from searches, from other holders, from fetches; who has it no more;
tickets. Out: rows in `state.db`, written behind in one commit for many; the holders of a root. What is lost
by a kill is heard of again.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.errors import StorageError
from warren.services.files.holders import store
from warren.services.files.holders.store import Heard

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Clock, Database
    from warren.services.files.holders.store import Held

WRITE_EVERY_S: Final = 10.0
WAITING_MAX: Final = 4096
"""Heard of and not written yet. Attack: hits without end; the oldest are let go."""
_log = logging.getLogger(__name__)


class Record:
    """Of one node. `run` it as long as the node lives, then `close`; the database stays the caller's."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[tuple[bytes, PeerId], Heard | None] = {}
        """What is to be written; None: it is to be struck."""
        self._tickets: dict[tuple[bytes, bytes], Held] = {}
        self._news = asyncio.Event()

    def note(self, root: Cid, peers: Iterable[PeerId], *, proven: bool = False) -> None:
        """These have it, or were said to; proven: something of it came from there."""
        raw, now = root.to_bytes(), self._clock.wall()
        for peer in peers:
            before = self._waiting.pop((raw, peer), None)
            is_proven = proven or (before is not None and before.proven)
            self._waiting[raw, peer] = Heard(raw, peer, is_proven, now)
        while len(self._waiting) > WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]
        self._news.set()

    def note_ticket(self, ticket: Held) -> None:
        """Keep what an origin signed for this node."""
        self._tickets[ticket.root, ticket.origin] = ticket
        while len(self._tickets) > store.TICKETS_MAX:
            del self._tickets[next(iter(self._tickets))]
        self._news.set()

    async def tickets(self) -> list[Held]:
        """Those that are good still. Raises StorageError."""
        await self.write()
        return await self._database.run(partial(store.tickets, now=self._clock.wall()))

    async def known(self, root: Cid) -> list[Heard]:
        """Who has it, as far as is known; those of whom something came first. Raises StorageError."""
        await self.write()
        return await self._database.run(partial(store.known, root=root.to_bytes()))

    def strike(self, root: Cid, peer: PeerId) -> None:
        """It has it no more."""
        self._waiting[root.to_bytes(), peer] = None
        self._news.set()

    async def write(self) -> None:
        """Write what was heard of. Raises StorageError; then it waits on."""
        if not (self._waiting or self._tickets):
            return
        waiting, tickets = self._waiting.copy(), list(self._tickets.values())
        heard = [one for one in waiting.values() if one is not None]
        struck = [key for key, one in waiting.items() if one is None]
        now = self._clock.wall()

        def work(db: sqlite3.Connection) -> None:
            store.keep(db, heard, struck, now)
            store.keep_tickets(db, tickets, now)

        await self._database.run(work)
        for ticket in tickets:
            if self._tickets.get((ticket.root, ticket.origin)) is ticket:
                del self._tickets[ticket.root, ticket.origin]
        for key, one in waiting.items():
            if key in self._waiting and self._waiting[key] is one:
                del self._waiting[key]

    async def run(self) -> None:
        """Write now and then, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(WRITE_EVERY_S)
            await self._write_or_warn()

    async def close(self) -> None:
        """Write what is left."""
        await self._write_or_warn()

    async def _write_or_warn(self) -> None:
        try:
            await self.write()
        except StorageError as error:
            _log.warning("who holds what was not written: %s", error)
