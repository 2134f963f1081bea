"""`OwnRecord`: this node's signed peer record, the one source for all who hand it out.

In:  the addresses that others may dial, looked at again now and then; numbers that are never given twice.
Out: the sealed record; `on_changed`, once there is a newer one.

A number is on disk before the record that carries it is shown to anybody, so after any crash, and whatever
the clock says, the next record has a higher one. Numbers are milliseconds since 1970 where the clock allows:
others read the age of a record from them, so it is sealed anew twice a day although nothing changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import WarrenError
from warren.core.peer_record import PeerRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.multiaddr import Multiaddr
    from warren.runtime.seam import Clock

LOOK_EVERY_S: Final = 30.0
"""Between looks at the addresses: the machine may move while nobody comes who would be told them."""
FRESH_S: Final = 12 * 3600.0
"""A record older than this is sealed anew; others pass on what is younger than two days."""
_log = logging.getLogger(__name__)


class Numbers(Protocol):
    """Where the numbers of records come from."""

    async def reserve(self, at_least: int) -> int:
        """A number that was never given before, `at_least` or above; durable when this returns."""
        ...


class OwnRecord:
    """Of one node. `start` once the node listens, then `run` as long as it lives."""

    __slots__ = (
        "_clock",
        "_key",
        "_numbers",
        "_reachable",
        "_record",
        "_sealed",
        "_sealed_at",
        "_wake",
        "on_changed",
    )

    def __init__(
        self, key: PrivateKey, reachable: Callable[[], Sequence[Multiaddr]], numbers: Numbers, clock: Clock
    ) -> None:
        self._key = key
        self._reachable = reachable
        self._numbers = numbers
        self._clock = clock
        self._record: PeerRecord | None = None
        self._sealed = b""
        self._sealed_at = 0.0
        self._wake = asyncio.Event()
        self.on_changed: Callable[[], None] = lambda: None
        """Called when `sealed` returns something new."""

    @property
    def number(self) -> int:
        """The number of the newest record; 0 while there is none."""
        return self._record.seq if self._record is not None else 0

    def sealed(self) -> bytes:
        """The newest record, sealed; empty while there is none."""
        return self._sealed

    def addresses(self) -> tuple[Multiaddr, ...]:
        """The addresses of the newest record. Where the node has moved since, a newer one is on its way."""
        now = tuple(self._reachable())
        if self._record is None:
            return now
        if self._record.addrs != now:
            self._wake.set()
        return self._record.addrs

    async def start(self) -> None:
        """Seal the first record. Where its number cannot be kept, `run` tries again."""
        await self._look()

    async def run(self) -> None:
        """Keep the record true until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            self._wake.clear()
            await self._look()

    async def _look(self) -> None:
        addresses = tuple(self._reachable())
        fresh = self._clock.now() - self._sealed_at < FRESH_S
        if self._record is not None and self._record.addrs == addresses and fresh:
            return
        try:
            number = await self._numbers.reserve(int(self._clock.wall() * 1000))
        except WarrenError as error:
            _log.warning("%s (%s)", error, error.hint)
            return
        self._record = PeerRecord(self._key.peer_id, number, addresses)
        self._sealed = self._record.seal(self._key)
        self._sealed_at = self._clock.now()
        self.on_changed()
