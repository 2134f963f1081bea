"""One dial of one peer: a race of attempts at its addresses, to which whoever asks meanwhile adds more.

In: the addresses that each asker brings.  Out: the `Socket` that connected first, or an error with the reason
for each address.  Numeric addresses are dialled while names are still looked up.  What an asker brings begins
apart from the attempt before it and waits for none that is due later; nothing is tried twice at once.
The order and the distances are decided in `ranking`, what may not be dialled yet in `backoff`, how often a
host is tried for which no asker stands in `hearsay`.
"""

from __future__ import annotations

import asyncio
import math
import os
from typing import TYPE_CHECKING, Final, Protocol, cast

from warren.core.errors import ConnectionFailed, DialFailed, LimitReached, WarrenError
from warren.network.ranking import rank

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.backoff import Backoff
    from warren.network.config import NetworkConfig
    from warren.network.hearsay import Hearsay
    from warren.network.socket import Socket

NOT_REACHED_CURE: Final = "is it running, and is the address right?"
REFUSED_REASON: Final = "nobody listens there"
"""Why an attempt failed where a machine answered."""


class DialHost(Protocol):
    """What a race needs of the network."""

    clock: Callable[[], float]
    hearsay: Hearsay

    async def resolve(self, address: Multiaddr) -> list[Multiaddr]:
        """Numeric addresses of an address."""

    async def dial_address(self, address: Multiaddr, expected: PeerId | None) -> Socket:
        """One attempt, up to the muxer. Raises `OSError` or `WarrenError`."""


class _Share:
    """What one asker may still add to the race, and when the next attempt of its own begins."""

    __slots__ = ("left", "next_at")

    def __init__(self, left: int, next_at: float) -> None:
        self.left = left
        self.next_at = next_at


class Race:
    """See the module's header. `extend` before and while `run` runs, until `over`."""

    __slots__ = (
        "_attempting",
        "_backoff",
        "_changed",
        "_config",
        "_failures",
        "_fault",
        "_host",
        "_names",
        "_peer",
        "_started_at",
        "_tasks",
        "_vouched",
        "_waiting",
        "_winner",
        "over",
    )

    def __init__(self, peer: PeerId, host: DialHost, config: NetworkConfig, backoff: Backoff) -> None:
        self._peer = peer
        self._host = host
        self._config = config
        self._backoff = backoff
        self._names: dict[Multiaddr, bool] = {}
        """Names that are being looked up, and whether what is found ignores back-off."""
        self._waiting: list[tuple[float, Multiaddr]] = []
        """Addresses to try, each with the time at which it begins at the latest; the next one first."""
        self._attempting: set[Multiaddr] = set()
        self._vouched: set[Multiaddr] = set()
        """Addresses and names that an asker stands for; the others are tried as `hearsay` allows."""
        self._started_at = -math.inf
        self._failures: dict[str, Exception] = {}
        """Why each address was of no use."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._winner: Socket | None = None
        self._fault: BaseException | None = None
        self.over = False
        """True once every address has failed: what comes now must race anew."""

    def extend(
        self, addresses: Iterable[Multiaddr], *, forced: bool, hearsay: Collection[Multiaddr] = ()
    ) -> None:
        """Try `addresses` as well, at most `dial_addresses_max` of them; `forced` ignores back-off.

        hearsay: those of them that only others told of.
        """
        share = _Share(self._config.dial_addresses_max, self._next_start())
        numeric = []
        for address in addresses:
            if address not in hearsay:
                self._vouched.add(address.without_peer())
            if not address.protocols[0].startswith("dns"):
                numeric.append(address.without_peer())
            elif address in self._names:
                self._names[address] |= forced
            else:
                self._names[address] = forced
                self._spawn(self._look_up(address, share))
        self._offer(numeric, share, forced=forced)

    async def run(self) -> Socket:
        """The first success; when it returns or raises, nothing of the race is left. Raises `WarrenError`."""
        try:
            while self._winner is None:
                if self._fault is not None:
                    raise self._fault
                self._start_due()
                if not self._tasks:
                    self.over = True
                    raise _failure(self._peer, self._failures)
                await self._change()
        except BaseException:
            if self._winner is not None:
                self._winner.abort()
            raise
        finally:
            await self._end()
        return self._winner

    # --- addresses ------------------------------------------------------------------------------------------

    async def _look_up(self, name: Multiaddr, share: _Share) -> None:
        """Who hangs is given up after as long as an attempt may take; the others do not wait for it."""
        try:
            async with asyncio.timeout(self._config.dial_timeout_s):
                found = await self._host.resolve(name)
        except (OSError, WarrenError) as error:
            self._failures[str(name)] = error
            found = []
        if name.without_peer() in self._vouched:
            self._vouched.update(found)
        self._offer(found, share, forced=self._names.pop(name))

    def _offer(self, addresses: Iterable[Multiaddr], share: _Share, *, forced: bool) -> None:
        now = self._host.clock()
        wanted = [address for address in addresses if self._may_try(address, now, forced=forced)]
        start = max(now, share.next_at)
        for attempt in rank(wanted, self._config.dial_stagger_s, share.left):
            self._waiting.append((start + attempt.delay_s, attempt.address))
            share.left -= 1
            share.next_at = start + attempt.delay_s + self._config.dial_stagger_s
        self._waiting.sort(key=lambda entry: entry[0])
        self._changed.set()

    def _may_try(self, address: Multiaddr, now: float, *, forced: bool) -> bool:
        if address in self._attempting or any(address == waiting for _, waiting in self._waiting):
            return False
        wait_s = 0.0 if forced else self._backoff.wait_s((self._peer, address), now)
        if wait_s:
            reason = ConnectionFailed(f"failed lately; next try in {wait_s:.0f} s")
            self._failures.setdefault(str(address), reason)
        return not wait_s

    def _next_start(self) -> float:
        """When an attempt may begin that has another one before it, under way or due."""
        now = self._host.clock()
        due = [at for at, _ in self._waiting if at <= now]
        return max([self._started_at, *due]) + self._config.dial_stagger_s

    # --- attempts -------------------------------------------------------------------------------------------

    def _start_due(self) -> None:
        """Start the attempts whose time has come, and the next one early when all before it have failed."""
        while self._waiting and (not self._attempting or self._waiting[0][0] <= self._host.clock()):
            _, address = self._waiting.pop(0)
            now = self._host.clock()
            if address not in self._vouched and not self._host.hearsay.take(address, now):
                self._failures[str(address)] = tried_too_often(address)
                continue
            self._started_at = now
            self._attempting.add(address)
            self._spawn(self._attempt(address))

    async def _attempt(self, address: Multiaddr) -> None:
        counted = address not in self._vouched
        try:
            socket = await self._host.dial_address(address, self._peer)
        except (OSError, WarrenError) as error:
            if not isinstance(error, LimitReached):
                # By peer as well: a lie about where a peer is must not keep us from who really is there.
                self._backoff.on_failure((self._peer, address), self._host.clock())
            self._failures[str(address)] = error
        else:
            self._backoff.on_success((self._peer, address))
            if counted:
                self._host.hearsay.give_back(address, self._host.clock())
            if self._winner is None:
                self._winner = socket
            else:
                socket.abort()
        finally:
            self._attempting.discard(address)

    # --- tasks ----------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fault = fault
        self._changed.set()

    async def _change(self) -> None:
        """Wait until something ended or was added, or the next attempt is due."""
        self._changed.clear()
        due_s = self._waiting[0][0] - self._host.clock() if self._waiting else None
        try:
            async with asyncio.timeout(due_s):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)


def reason_of(error: Exception) -> str:
    """Why an attempt failed, in words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return REFUSED_REASON
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def tried_too_often(address: Multiaddr) -> LimitReached:
    """Why an address is not tried: its host was, on the word of others alone, as often as it may be."""
    return LimitReached(
        "hearsay_per_host_max",
        f"{address.host} was tried too often on the word of others",
        hint="name the address yourself: warren peer add",
    )


def _failure(peer: PeerId, failures: dict[str, Exception]) -> WarrenError:
    """What to tell the caller: the one reason itself when there is only one, else all of them."""
    reasons: Sequence[Exception] = list(failures.values())
    if len(reasons) == 1 and isinstance(reasons[0], WarrenError):
        return reasons[0]
    if reasons and all(isinstance(reason, LimitReached) for reason in reasons):
        return cast("LimitReached", reasons[0])  # nothing was tried: that says nothing of the peer
    if not reasons:
        return DialFailed(f"no address of {peer} is known", hint="name one: /ip4/ADDRESS/tcp/PORT/p2p/PEER")
    attempts = [(address, reason_of(error)) for address, error in failures.items()]
    listed = "; ".join(f"{address}: {reason}" for address, reason in attempts)
    return DialFailed(f"could not reach {peer} ({listed})", attempts, hint=NOT_REACHED_CURE)
