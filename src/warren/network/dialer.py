"""Dialling a peer: one dial for all who ask, and back-off for what failed.

In: a peer id and addresses.  Out: a connected, authenticated `Socket`, or `DialFailed` with the reason for
each address. How one dial goes is in `race`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warren.core.errors import Closed, DialFailed
from warren.network.backoff import Backoff
from warren.network.race import NOT_REACHED_CURE, Race, reason_of, tried_too_often

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.config import NetworkConfig
    from warren.network.race import DialHost
    from warren.network.socket import Socket


class _Dial:
    """A race, the task that runs it, and how many wait for it."""

    __slots__ = ("askers", "race", "task")

    def __init__(self, race: Race) -> None:
        self.race = race
        self.task = asyncio.ensure_future(race.run())
        self.askers = 0


class Dialer:
    """Coalesces the dials of one network."""

    __slots__ = ("_backoff", "_config", "_host", "_running")

    def __init__(self, host: DialHost, config: NetworkConfig) -> None:
        self._host = host
        self._config = config
        self._backoff = Backoff(config.backoff_first_s, config.backoff_max_s, config.backoff_addresses_max)
        self._running: dict[PeerId, _Dial] = {}

    async def dial(
        self,
        peer: PeerId,
        addresses: Sequence[Multiaddr],
        *,
        forced: bool,
        hearsay: Collection[Multiaddr] = (),
    ) -> Socket:
        """Connect to `peer`; who asks while a dial runs adds its addresses to that one, and waits for it.

        `forced` ignores back-off, also of addresses that the running dial has tried. hearsay: those of
        `addresses` that only others told of.
        """
        dial = self._running.get(peer)
        if dial is None or dial.race.over:
            dial = self._begin(peer)
        dial.race.extend(addresses, forced=forced, hearsay=hearsay)
        dial.askers += 1
        try:
            return await asyncio.shield(dial.task)
        except asyncio.CancelledError:
            if dial.task.cancelled() and not _is_being_cancelled():
                raise Closed("the dial was given up: this network was stopped") from None
            raise
        finally:
            dial.askers -= 1
            if not dial.askers and not dial.task.done():
                # Nobody waits for it any more, and whoever comes now begins anew.
                self._forget(peer, dial)
                dial.task.cancel()

    async def dial_unproven(self, address: Multiaddr, *, hearsay: bool = False) -> Socket:
        """Connect to whoever is at `address`, which may be a name: its addresses are tried one by one.

        hearsay: only others told of it. Raises `DialFailed` when nobody is reached, and what a handshake
        raises.
        """
        problem: OSError | None = None
        try:
            candidates = await self._host.resolve(address)
        except OSError as error:
            candidates, problem = [], error
        for candidate in candidates:
            if hearsay and not self._host.hearsay.take(candidate, self._host.clock()):
                raise tried_too_often(candidate)
            try:
                socket = await self._host.dial_address(candidate, None)
            except OSError as error:
                problem = error
            else:
                if hearsay:
                    self._host.hearsay.give_back(candidate, self._host.clock())
                return socket
        reason = reason_of(problem) if problem else "it names no address"
        raise DialFailed(
            f"could not reach {address} ({reason})", [(str(address), reason)], hint=NOT_REACHED_CURE
        ) from problem

    async def stop(self) -> None:
        """Give up every dial."""
        tasks = [dial.task for dial in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, peer: PeerId) -> _Dial:
        dial = self._running[peer] = _Dial(Race(peer, self._host, self._config, self._backoff))
        dial.task.add_done_callback(lambda _: self._finished(peer, dial))
        return dial

    def _finished(self, peer: PeerId, dial: _Dial) -> None:
        self._forget(peer, dial)
        if not dial.task.cancelled():
            dial.task.exception()  # whoever asked may have given up: then nobody looks at it

    def _forget(self, peer: PeerId, dial: _Dial) -> None:
        if self._running.get(peer) is dial:
            del self._running[peer]


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
