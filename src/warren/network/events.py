"""What happens in the network, as typed events that anyone may subscribe to.

A subscriber that does not keep up loses the oldest events and sees how many; it never slows the network down.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from warren.core.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.socket import Socket
    from warren.network.states import SocketState

logger = logging.getLogger(__name__)

QUEUE_EVENTS_MAX: Final = 4096

E = TypeVar("E")


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
    """The last socket with a peer is gone. ours: this node closed it, in good order."""

    peer: PeerId
    reason: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class PeerDoubted:
    """A peer could not be dialled, or did not answer in time: it may be gone. Proves nothing."""

    peer: PeerId


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


class _Inbox:
    """What one subscription has not taken yet. The bus knows only this: who lets it go ends it."""

    __slots__ = ("dropped", "kinds", "queue", "waiter", "where")

    def __init__(self, kinds: tuple[type, ...], where: Callable[[Any], bool] | None) -> None:
        self.kinds = kinds
        self.where = where
        self.queue: deque[object] = deque()
        self.waiter: asyncio.Future[None] | None = None
        self.dropped = 0

    def push(self, event: object) -> None:
        """Queue an event; the oldest goes when the queue is full."""
        if len(self.queue) >= QUEUE_EVENTS_MAX:
            self.queue.popleft()
            self.dropped += 1
        self.queue.append(event)
        self.wake()

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Subscription:
    """An async iterator of events for one consumer, from the moment it was made.

    It ends with the network, by `close`, or when nobody refers to it any more, iterated or not.
    """

    __slots__ = ("_bus", "_closed", "_inbox", "_missed")

    def __init__(
        self, bus: EventBus, kinds: tuple[type, ...], where: Callable[[Any], bool] | None = None
    ) -> None:
        self._bus = bus
        self._inbox = _Inbox(kinds, where)
        self._closed = False
        self._missed = 0
        bus.add(self._inbox)

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        """The next event. Raises `MisuseError` while another consumer waits."""
        inbox = self._inbox
        while not inbox.queue:
            if self._closed or self._bus.closed:
                raise StopAsyncIteration
            if inbox.waiter is not None:
                raise MisuseError("two consumers wait on one subscription", hint="subscribe once for each")
            inbox.waiter = asyncio.get_running_loop().create_future()
            try:
                await inbox.waiter
            finally:
                inbox.waiter = None
        return inbox.queue.popleft()

    def __del__(self) -> None:
        self._bus.remove(self._inbox)

    @property
    def dropped(self) -> int:
        """Events lost because the subscriber did not keep up."""
        return self._inbox.dropped

    def missed(self) -> bool:
        """Whether events were lost since this was last asked: look at what is, not at what was told alone."""
        before, self._missed = self._missed, self._inbox.dropped
        return self._missed != before

    def close(self) -> None:
        """End the iteration after what is queued."""
        self._closed = True
        self._bus.remove(self._inbox)
        self._inbox.wake()


class EventBus:
    """Hands each event to every subscription."""

    __slots__ = ("_callbacks", "_inboxes", "closed")

    def __init__(self) -> None:
        self._inboxes: list[_Inbox] = []
        self._callbacks: dict[type, list[Callable[[Any], None]]] = {}
        self.closed = False
        """True once every subscription ends after what it has queued."""

    @property
    def watched(self) -> bool:
        """True while somebody listens."""
        return bool(self._inboxes)

    def wants(self, kind: type) -> bool:
        """True while somebody listens to such events; hot paths skip making them otherwise."""
        listened = any(not inbox.kinds or kind in inbox.kinds for inbox in self._inboxes)
        return listened or kind in self._callbacks

    def subscribe(self, *kinds: type, where: Callable[[Any], bool] | None = None) -> Subscription:
        """Begin to receive every event from now on, or those of `kinds` alone for which `where` is true.

        Who wants few should say so: a connection makes a dozen events, and each wakes whoever waits for it.
        """
        return Subscription(self, kinds, where)

    def on(self, kind: type[E], callback: Callable[[E], None]) -> None:
        """Call `callback` with each event of this class as it happens, for as long as the network lives.

        Cheaper than a subscription where one kind matters. It must be quick; what it raises is logged.
        """
        self._callbacks.setdefault(kind, []).append(callback)

    def add(self, inbox: _Inbox) -> None:
        """Feed a subscription."""
        if not self.closed:
            self._inboxes.append(inbox)

    def remove(self, inbox: _Inbox) -> None:
        """Stop feeding a subscription."""
        # A new list: a subscription may go while `emit` walks the old one, whenever garbage is collected.
        self._inboxes = [one for one in self._inboxes if one is not inbox]

    def emit(self, event: object) -> None:
        """Tell every subscription that wants it, and those who wait for just this."""
        kind = type(event)
        for inbox in self._inboxes:
            if (not inbox.kinds or kind in inbox.kinds) and (inbox.where is None or inbox.where(event)):
                inbox.push(event)
        for callback in self._callbacks.get(kind, ()):
            try:
                callback(event)
            except Exception:  # a supervision boundary: the network goes on, whoever listens to it
                logger.exception("a listener to %s failed", kind.__name__)

    def close(self) -> None:
        """End every subscription."""
        self.closed = True
        self._callbacks = {}
        inboxes, self._inboxes = self._inboxes, []
        for inbox in inboxes:
            inbox.wake()
