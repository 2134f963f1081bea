"""`Speeds`: who is fast. Tests on request, tests by itself within budgets, and what transfers tell.

In:  peers to test; the speeds of transfers. Out: download and upload in the peer table, each with its age.

By itself it tests contacts that are connected, the one whose figure is oldest first, and nobody else: others
would turn it down. A test that a user asked for is not refused for its cost, but counts.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.services.peers.budget import Allowance, Budget
from warren.services.peers.estimate import speed_after_transfer
from warren.services.peers.serving import RUN_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.services.peers.config import PeersConfig
    from warren.services.peers.model import Figure
    from warren.services.peers.speedtest import SpeedProgress, SpeedResult, SpeedTester
    from warren.services.peers.table import PeerTable

TEST_BYTES_MIN: Final = 256 * 1024
"""With less left of the budget a test would say nothing."""
TRANSFER_BYTES_MIN: Final = 4 << 20
TRANSFER_S_MIN: Final = 1.0
"""Shorter transfers say more about their beginning than about the link."""
_log = logging.getLogger(__name__)


class Speeds:
    """Runs as one task, from `run` until that is cancelled; the rest may be called with or without it."""

    __slots__ = ("_budget", "_config", "_is_contact", "_network", "_table", "_tester")

    def __init__(
        self,
        network: Network,
        table: PeerTable,
        tester: SpeedTester,
        is_contact: Callable[[PeerId], bool],
        config: PeersConfig,
    ) -> None:
        self._network = network
        self._table = table
        self._tester = tester
        self._is_contact = is_contact
        self._config = config
        each = Allowance(config.speedtests_per_peer_per_day, config.speedtest_bytes_per_peer_per_day)
        self._budget = Budget(each, Allowance(config.speedtests_per_day, config.speedtest_bytes_per_day))

    async def measure(
        self, peer: PeerId, seconds: float, report: Callable[[SpeedProgress], None] = lambda _: None
    ) -> SpeedResult:
        """A test that somebody asked for, of about `seconds`. Raises what `SpeedTester.measure` raises."""
        return await self._measure(peer, seconds, RUN_BYTES_MAX, report)

    async def transferred(self, peer: PeerId, moved_bytes: int, seconds: float, *, from_it: bool) -> None:
        """So many bytes came from the peer, or went to it, in a transfer of so many seconds."""
        if moved_bytes < TRANSFER_BYTES_MIN or seconds < TRANSFER_S_MIN:
            return
        known = await self._table.get(peer)
        figure = None if known is None else known.download if from_it else known.upload
        rate, age_s = moved_bytes / seconds, self._age_s(figure)
        speed = speed_after_transfer(figure.value if figure is not None else None, age_s, rate)
        await self._table.note_speed(peer, speed if from_it else None, None if from_it else speed)

    async def run(self) -> None:
        """Test contacts every now and then, until cancelled."""
        interval_s = self._config.speedtest_interval_s
        while interval_s:
            await asyncio.sleep(self._tester.entropy.uniform(interval_s / 2, interval_s * 1.5))
            peer = await self._due()
            if peer is not None:
                await self._test(peer)

    # --- inside ---------------------------------------------------------------------------------------------

    async def _due(self) -> PeerId | None:
        """The connected contact whose figure is oldest, if it is old enough and the budget allows a test."""
        oldest: tuple[float, PeerId] | None = None
        now = self._tester.clock.now()
        for peer in self._network.peers():
            if self._is_contact(peer) and self._budget.left_bytes(peer, now) >= 4 * TEST_BYTES_MIN:
                known = await self._table.get(peer)
                age_s = self._age_s(known.download if known is not None else None)
                if age_s >= self._config.speedtest_age_s and (oldest is None or (age_s, peer) > oldest):
                    oldest = (age_s, peer)
        return oldest[1] if oldest is not None else None

    async def _test(self, peer: PeerId) -> None:
        left = self._budget.left_bytes(peer, self._tester.clock.now())
        # A direction's runs come to less than twice the last of them.
        run_bytes = min(self._config.speedtest_bytes_max // 2, left // 4)
        try:
            await self._measure(peer, self._config.speedtest_seconds, run_bytes, lambda _: None)
        except WarrenError as error:
            _log.debug("the speed of %s could not be measured: %s", peer, error)

    async def _measure(
        self, peer: PeerId, seconds: float, run_bytes: int, report: Callable[[SpeedProgress], None]
    ) -> SpeedResult:
        tester, cost = self._tester, 0

        def on_moved(size: int) -> None:
            nonlocal cost
            cost += size

        self._budget.begin(peer, tester.clock.now())
        try:
            result = await tester.measure(
                peer, seconds, bytes_max=run_bytes, report=report, on_moved=on_moved
            )
        finally:
            self._budget.spend(peer, cost, tester.clock.now())
        await self._table.note_speed(peer, result.download_bytes_per_s, result.upload_bytes_per_s)
        return result

    def _age_s(self, figure: Figure | None) -> float:
        return float("inf") if figure is None else self._tester.clock.wall() - figure.measured_at
