"""Dialling a peer: ranked addresses, staggered attempts, one dial for all who ask, back-off for what failed.

In: a peer id and addresses.  Out: a connected, authenticated `Socket`, or `DialFailed` with the reason for
each address. The decisions are in `ranking` and `backoff`; this module starts and cancels the attempts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from warren.core.errors import Closed, ConnectionFailed, DialFailed, LimitReached, WarrenError
from warren.network.backoff import Backoff
from warren.network.ranking import rank

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.config import NetworkConfig
    from warren.network.ranking import Attempt
    from warren.network.socket import Socket


NOT_REACHED_CURE = "is it running, and is the address right?"


class Failure(NamedTuple):
    """Why an address was of no use."""

    address: str
    error: Exception


class DialHost(Protocol):
    """What the dialer needs of the network."""

    clock: Callable[[], float]

    async def resolve(self, address: Multiaddr) -> list[Multiaddr]:
        """Numeric addresses of an address."""

    async def dial_address(self, address: Multiaddr, expected: PeerId | None) -> Socket:
        """One attempt, up to the muxer. Raises `OSError` or `WarrenError`."""


class Dialer:
    """Coalesces the dials of one network."""

    __slots__ = ("_askers", "_backoff", "_config", "_host", "_running")

    def __init__(self, host: DialHost, config: NetworkConfig) -> None:
        self._host = host
        self._config = config
        self._backoff = Backoff(config.backoff_first_s, config.backoff_max_s, config.backoff_addresses_max)
        self._running: dict[PeerId, asyncio.Task[Socket]] = {}
        self._askers: Counter[PeerId] = Counter()

    async def dial(self, peer: PeerId, addresses: Sequence[Multiaddr], *, forced: bool) -> Socket:
        """Connect to `peer`; who asks while a dial runs waits for that one. `forced` ignores back-off."""
        task = self._running.get(peer)
        if task is None:
            task = asyncio.ensure_future(self._dial(peer, addresses, forced=forced))
            self._running[peer] = task
            task.add_done_callback(lambda done: self._finished(peer, done))
        self._askers[peer] += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and not _is_being_cancelled():
                raise Closed("the dial was given up: this network was stopped") from None
            raise
        finally:
            self._askers[peer] -= 1
            if not self._askers[peer]:
                del self._askers[peer]
                if not task.done():  # nobody waits for it any more, and whoever comes now begins anew
                    del self._running[peer]
                    task.cancel()

    def _finished(self, peer: PeerId, task: asyncio.Task[Socket]) -> None:
        if self._running.get(peer) is task:
            del self._running[peer]
        if not task.cancelled():
            task.exception()  # whoever asked may have given up: then nobody looks at it

    async def stop(self) -> None:
        """Give up every dial."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _dial(self, peer: PeerId, addresses: Sequence[Multiaddr], *, forced: bool) -> Socket:
        failures: list[Failure] = []
        resolved = await self._resolve(addresses, failures)
        ready = resolved if forced else self._not_backing_off(peer, resolved, failures)
        attempts = rank(ready, self._config.dial_stagger_s, self._config.dial_addresses_max)
        if len(attempts) == 1:
            socket = await self._attempt(attempts[0].address, peer, failures)
        else:
            socket = await self._race(attempts, peer, failures)
        if socket is None:
            raise _failure(peer, failures)
        return socket

    def _not_backing_off(
        self, peer: PeerId, addresses: Sequence[Multiaddr], failures: list[Failure]
    ) -> list[Multiaddr]:
        now = self._host.clock()
        ready = []
        for address in addresses:
            wait_s = self._backoff.wait_s((peer, address), now)
            if wait_s:
                reason = ConnectionFailed(f"failed lately; next try in {wait_s:.0f} s")
                failures.append(Failure(str(address), reason))
            else:
                ready.append(address)
        return ready

    async def _resolve(self, addresses: Sequence[Multiaddr], failures: list[Failure]) -> list[Multiaddr]:
        """Look all names up at once: one that hangs holds nobody up for longer than an attempt may take."""

        async def look_up(address: Multiaddr) -> list[Multiaddr]:
            try:
                async with asyncio.timeout(self._config.dial_timeout_s):
                    return await self._host.resolve(address)
            except (OSError, WarrenError) as error:
                failures.append(Failure(str(address), error))
                return []

        found = await asyncio.gather(*map(look_up, addresses))
        return [address for addresses_of_one in found for address in addresses_of_one]

    async def _race(
        self, attempts: Sequence[Attempt], peer: PeerId, failures: list[Failure]
    ) -> Socket | None:
        """Start attempts by their delays, the next early when all before failed; the first success wins."""
        began = self._host.clock()
        waiting = list(attempts)
        running: set[asyncio.Task[Socket | None]] = set()
        try:
            while waiting or running:
                while waiting and (not running or self._host.clock() - began >= waiting[0].delay_s):
                    address = waiting.pop(0).address
                    running.add(asyncio.ensure_future(self._attempt(address, peer, failures)))
                timeout = max(0.0, began + waiting[0].delay_s - self._host.clock()) if waiting else None
                done, running = await asyncio.wait(
                    running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                winners = [socket for task in done if (socket := task.result()) is not None]
                for extra in winners[1:]:
                    extra.abort()
                if winners:
                    return winners[0]
        finally:
            await _cancel(running)
        return None

    async def _attempt(self, address: Multiaddr, peer: PeerId, failures: list[Failure]) -> Socket | None:
        try:
            socket = await self._host.dial_address(address, peer)
        except (OSError, WarrenError) as error:
            if not isinstance(error, LimitReached):
                # By peer as well: a lie about where a peer is must not keep us from who really is there.
                self._backoff.on_failure((peer, address), self._host.clock())
            failures.append(Failure(str(address), error))
            return None
        self._backoff.on_success((peer, address))
        return socket


async def _cancel(tasks: set[asyncio.Task[Socket | None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if result is not None and not isinstance(result, BaseException):
            result.abort()


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def reason_of(error: Exception) -> str:
    """Why an attempt failed, in words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return str(error) or type(error).__name__


def _failure(peer: PeerId, failures: Sequence[Failure]) -> WarrenError:
    """What to tell the caller: the one reason itself when there is only one, else all of them."""
    if len(failures) == 1 and isinstance(failures[0].error, WarrenError):
        return failures[0].error
    if not failures:
        return DialFailed(f"no address of {peer} is known", hint="name one: /ip4/ADDRESS/tcp/PORT/p2p/PEER")
    attempts = [(failure.address, reason_of(failure.error)) for failure in failures]
    listed = "; ".join(f"{address}: {reason}" for address, reason in attempts)
    return DialFailed(f"could not reach {peer} ({listed})", attempts, hint=NOT_REACHED_CURE)
