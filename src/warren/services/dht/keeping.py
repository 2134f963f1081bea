"""`Keeping`: what a node keeps of the DHT for others outlives its process.

In:  the stores in memory, a database. Out: rows in the database, some seconds after each change; the stores
filled again at the start. A crash loses the last seconds, which costs the DHT nothing: each record is at some
20 peers, and is put again every day. A disk that refuses is said in the log, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from warren.core.errors import StorageError
from warren.services.dht import kept
from warren.services.dht.kept import Place

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.protocols.kad.store import Providers, Records
    from warren.runtime.seam import Clock, Database

K = TypeVar("K")

# Changes of so many seconds are written in one go.
WRITE_EVERY_S: Final = 10.0
EXPIRE_EVERY_S: Final = 600.0
# Fault: a disk that refuses for days. Changes beyond so many are forgotten; what is too old is dropped when read.
CHANGES_MAX: Final = 200_000
# So that neither a transaction nor the loop is held for long.
_PROVIDERS_A_STEP: Final = 500
_RECORDS_A_STEP: Final = 50

_log = logging.getLogger(__name__)


class Keeping:
    """Load once, then run as one task; close at the end."""

    __slots__ = ("_changed", "_clock", "_database", "_providers", "_records", "_some_changed")

    def __init__(self, database: Database, records: Records, providers: Providers, clock: Clock) -> None:
        self._database = database
        self._records = records
        self._providers = providers
        self._clock = clock
        self._changed: tuple[dict[bytes, None], dict[tuple[bytes, PeerId], None]] = ({}, {})
        self._some_changed = asyncio.Event()

    async def load(self) -> None:
        """Fill the stores, and follow them from now on. Raises `StorageError`."""
        now = self._clock.wall()
        place: Place | None = Place()
        while place is not None:
            after = place
            records, place = await self._database.run(
                lambda db, after=after: kept.read_records(db, after, _RECORDS_A_STEP)  # type: ignore[misc]
            )
            self._records.load(records, now)
        place = Place()
        while place is not None:
            after = place
            providers, place = await self._database.run(
                lambda db, after=after: kept.read_providers(db, after, _PROVIDERS_A_STEP)  # type: ignore[misc]
            )
            self._providers.load(providers, now)
        self._records.changed = self._on_record
        self._providers.changed = self._on_provider

    async def run(self) -> None:
        """Write changes and forget what is too old, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_changes())
            tasks.create_task(self._expire())

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
        records, providers = self._changed
        while keys := list(islice(records, _RECORDS_A_STEP)):
            record_rows = [(key, self._records.kept(key)) for key in keys]
            _forget(records, keys)
            try:
                await self._database.run(lambda db, rows=record_rows: kept.write_records(db, rows))  # type: ignore[misc]
            except BaseException:
                records |= dict.fromkeys(keys)
                raise
        while pairs := list(islice(providers, _PROVIDERS_A_STEP)):
            provider_rows = [(key, peer, self._providers.kept(key, peer)) for key, peer in pairs]
            _forget(providers, pairs)
            try:
                await self._database.run(lambda db, rows=provider_rows: kept.write_providers(db, rows))  # type: ignore[misc]
            except BaseException:
                providers |= dict.fromkeys(pairs)
                raise

    async def _write_changes(self) -> None:
        while True:
            await self._some_changed.wait()
            await asyncio.sleep(WRITE_EVERY_S)
            self._some_changed.clear()
            try:
                await self.write()
            except StorageError as error:
                _log.warning("what is kept for the DHT cannot be stored: %s", error)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_EVERY_S)
            now = self._clock.wall()
            self._records.expire(now)
            self._providers.expire(now)

    def _on_record(self, key: bytes) -> None:
        self._note(self._changed[0], key)

    def _on_provider(self, key: bytes, peer: PeerId) -> None:
        self._note(self._changed[1], (key, peer))

    def _note(self, changed: dict[K, None], what: K) -> None:
        if len(changed) < CHANGES_MAX:
            changed[what] = None
        self._some_changed.set()


def _forget(changed: dict[K, None], written: list[K]) -> None:
    for one in written:
        del changed[one]
