"""`Shelf`: what a node keeps of the DHT for others outlives its process.

In:  the stores in memory, a database. Out: rows in the database, some seconds after each change; the stores
filled again at the start. A crash loses the last seconds, which costs the DHT nothing: each record is at some
20 peers, and is put again every day. A disk that refuses is said in the log, and tried again.

The database has times by the clock on the wall, which is the one that goes on between two starts; the stores
have them by the monotonic clock.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from warren.core.errors import StorageError
from warren.protocols.kad.store import KeptProvider, KeptRecord
from warren.services.dht import kept
from warren.services.dht.kept import Place

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.protocols.kad.store import Providers, Records
    from warren.runtime.seam import Clock, Database

K = TypeVar("K")
R = TypeVar("R", KeptRecord, KeptProvider)

# Changes of so many seconds are written in one go.
WRITE_EVERY_S: Final = 10.0
# Fault: a disk that refuses for days. Changes beyond so many are forgotten.
CHANGES_MAX: Final = 200_000
# So that neither a transaction nor the loop is held for long.
_PROVIDERS_A_STEP: Final = 500
_RECORDS_A_STEP: Final = 50

_log = logging.getLogger(__name__)


class Shelf:
    """Load once, then run as one task; close at the end."""

    __slots__ = (
        "_changed_providers",
        "_changed_records",
        "_clock",
        "_database",
        "_providers",
        "_records",
        "_some_changed",
    )

    def __init__(self, database: Database, records: Records, providers: Providers, clock: Clock) -> None:
        self._database = database
        self._records = records
        self._providers = providers
        self._clock = clock
        self._changed_records: dict[bytes, None] = {}
        self._changed_providers: dict[tuple[bytes, PeerId], None] = {}
        self._some_changed = asyncio.Event()

    async def load(self) -> None:
        """Fill the stores, and follow them from now on. Raises `StorageError`."""
        now, run, ahead_s = self._clock.now(), self._database.run, self._wall_ahead_s()
        place: Place | None = Place()
        while place is not None:
            records, place = await run(partial(kept.read_records, after=place, limit=_RECORDS_A_STEP))
            self._records.load([(key, _moved(one, -ahead_s)) for key, one in records], now)
            for key, _ in records:
                if self._records.kept(key) is None:  # it is too old, or too much
                    self._on_record(key)
        place = Place()
        while place is not None:
            providers, place = await run(partial(kept.read_providers, after=place, limit=_PROVIDERS_A_STEP))
            self._providers.load([(key, peer, _moved(one, -ahead_s)) for key, peer, one in providers], now)
            for key, peer, _ in providers:
                if self._providers.kept(key, peer) is None:
                    self._on_provider(key, peer)
        self._records.changed = self._on_record
        self._providers.changed = self._on_provider

    async def run(self) -> None:
        """Write changes, until cancelled. May be run again after a fault."""
        while True:
            await self._some_changed.wait()
            await asyncio.sleep(WRITE_EVERY_S)
            self._some_changed.clear()
            try:
                await self.write()
            except StorageError as error:
                _log.warning("what is kept for the DHT cannot be stored: %s", error)
                self._some_changed.set()

    async def close(self) -> None:
        """Write what is left, then close the database."""
        self._records.changed = self._providers.changed = None
        try:
            await self.write()
        except StorageError as error:
            _log.warning("what is kept for the DHT could not be stored: %s", error)
        finally:
            await self._database.close()

    async def write(self) -> None:
        """Write all changes so far. Raises `StorageError`; what was not written stays to be."""
        records, providers, ahead_s = self._changed_records, self._changed_providers, self._wall_ahead_s()
        while keys := list(islice(records, _RECORDS_A_STEP)):
            rows = [(key, _dated(self._records.kept(key), ahead_s)) for key in keys]
            await self._write(records, keys, partial(kept.write_records, rows=rows))
        while pairs := list(islice(providers, _PROVIDERS_A_STEP)):
            named = [(key, peer, _dated(self._providers.kept(key, peer), ahead_s)) for key, peer in pairs]
            await self._write(providers, pairs, partial(kept.write_providers, rows=named))

    async def _write(
        self, changed: dict[K, None], some: list[K], write: Callable[[sqlite3.Connection], None]
    ) -> None:
        for one in some:  # before the write, so that a change during it is not taken for written
            del changed[one]
        try:
            await self._database.run(write)
        except BaseException:
            changed |= dict.fromkeys(some)
            raise

    def _wall_ahead_s(self) -> float:
        return self._clock.wall() - self._clock.now()

    def _on_record(self, key: bytes) -> None:
        self._note(self._changed_records, key)

    def _on_provider(self, key: bytes, peer: PeerId) -> None:
        self._note(self._changed_providers, (key, peer))

    def _note(self, changed: dict[K, None], what: K) -> None:
        if len(changed) < CHANGES_MAX:
            changed[what] = None
        self._some_changed.set()


def _moved(kept: R, ahead_s: float) -> R:
    """The same by a clock that is so much ahead."""
    return kept._replace(time_received=kept.time_received + ahead_s)


def _dated(kept: R | None, ahead_s: float) -> R | None:
    return None if kept is None else _moved(kept, ahead_s)
