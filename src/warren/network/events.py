"""What happens in the network, as typed events that anyone may subscribe to.

A subscriber that does not keep up loses the oldest events and sees how many; it never slows the network down.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.socket import Socket
    from warren.network.states import SocketState

QUEUE_EVENTS_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class SocketMoved:
    """A socket changed its state."""

    socket: Socket
    old: SocketState
    new: SocketState


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """The first socket with a peer carries streams."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    """The last socket with a peer is gone."""

    peer: PeerId
    reason: str


@dataclass(frozen=True, slots=True)
class PeerIdentified:
    """A peer told what it is; `info` is the `IdentifyInfo` of the identify protocol."""

    peer: PeerId
    socket: Socket
    info: object


@dataclass(frozen=True, slots=True)
class ListenStarted:
    """The network accepts connections at an address."""

    address: Multiaddr


@dataclass(frozen=True, slots=True)
class ListenStopped:
    """The network no longer accepts connections at an address."""

    address: Multiaddr


@dataclass(frozen=True, slots=True)
class SocketRefused:
    """An inbound connection was turned away by a limit."""

    limit: str
    remote: str


class Subscription:
    """An async iterator of events, from the moment it was made until `close`."""

    __slots__ = ("_bus", "_closed", "_queue", "_waiter", "dropped")

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._queue: deque[object] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self.dropped = 0
        """Events lost because the subscriber did not keep up."""

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()

    def close(self) -> None:
        """End the iteration after what is queued."""
        self._closed = True
        self._bus.remove(self)
        self._wake()

    def push(self, event: object) -> None:
        """Queue an event; the oldest goes when the queue is full."""
        if len(self._queue) >= QUEUE_EVENTS_MAX:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(event)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class EventBus:
    """Hands each event to every subscription."""

    __slots__ = ("_subscriptions",)

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    @property
    def watched(self) -> bool:
        """True while somebody listens; hot paths skip making events otherwise."""
        return bool(self._subscriptions)

    def subscribe(self) -> Subscription:
        """Begin to receive every event from now on."""
        subscription = Subscription(self)
        self._subscriptions.append(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Stop feeding a subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def emit(self, event: object) -> None:
        """Tell every subscription."""
        for subscription in self._subscriptions:
            subscription.push(event)

    def close(self) -> None:
        """End every subscription."""
        for subscription in list(self._subscriptions):
            subscription.close()
