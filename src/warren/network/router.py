"""From protocol id to handler.

In: inbound streams whose protocol is agreed.  Out: a supervised task for a coroutine handler, a plain call
for an inline one.  A handler that fails costs its stream, never the socket.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeAlias

from warren.core.errors import MisuseError, WarrenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.network.stream import Stream

logger = logging.getLogger(__name__)

StreamHandler: TypeAlias = "Callable[[Stream], Awaitable[None]]"
InlineHandler: TypeAlias = "Callable[[Stream], None]"


class Router:
    """The handlers of one network."""

    __slots__ = ("_default", "_handlers", "_inline", "_stopped", "_tasks", "on_changed")

    def __init__(self) -> None:
        self._handlers: dict[str, StreamHandler] = {}
        self._inline: dict[str, InlineHandler] = {}
        self._default: StreamHandler | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.on_changed: Callable[[], None] = lambda: None
        """Called when the list of protocols changed."""

    def add(self, protocol: str, handler: StreamHandler) -> None:
        """Serve `protocol` with a coroutine, one task a stream. Raises `MisuseError` when it is taken."""
        self._check_free(protocol)
        self._handlers[protocol] = handler
        self.on_changed()

    def add_inline(self, protocol: str, handler: InlineHandler) -> None:
        """Serve `protocol` with a plain function that must not block; for hot protocols."""
        self._check_free(protocol)
        self._inline[protocol] = handler
        self.on_changed()

    def remove(self, protocol: str) -> None:
        """Stop serving `protocol`; streams under way go on."""
        found = self._handlers.pop(protocol, None) or self._inline.pop(protocol, None)
        if found is not None:
            self.on_changed()

    def set_default(self, handler: StreamHandler | None) -> None:
        """Serve whatever no other handler claims; None refuses it again."""
        self._default = handler

    def supports(self, protocol: str) -> bool:
        """Whether an inbound stream for `protocol` is accepted."""
        return protocol in self._inline or protocol in self._handlers or self._default is not None

    @property
    def protocols(self) -> list[str]:
        """What is served, sorted."""
        return sorted([*self._handlers, *self._inline])

    def dispatch(self, stream: Stream) -> None:
        """Start the handler of an inbound stream."""
        if self._stopped:
            stream.reset()
            return
        inline = self._inline.get(stream.protocol)
        if inline is not None:
            try:
                inline(stream)
            except Exception as error:  # noqa: BLE001 - supervision boundary, see _fail
                _fail(stream, error)
            return
        handler = self._handlers.get(stream.protocol, self._default)
        if handler is None:
            stream.reset()
            return
        self.spawn(self._serve(handler, stream))

    def spawn(self, work: Awaitable[None]) -> None:
        """Run a task that this router owns until it ends or the network stops."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        if self._stopped:
            task.cancel()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self, grace_s: float | None = None) -> None:
        """Cancel what runs and wait for it, at most `grace_s` seconds; what comes later gets no handler."""
        self._stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        if late:
            logger.warning("handlers that run on %g s after being cancelled: %d", grace_s, len(late))

    async def _serve(self, handler: StreamHandler, stream: Stream) -> None:
        try:
            await handler(stream)
            stream.close_nowait()  # what a handler leaves open would stay so
        except Exception as error:  # noqa: BLE001 - supervision boundary, see _fail
            _fail(stream, error)
        except asyncio.CancelledError:
            if stream.finishing:
                stream.close_nowait()  # the handler had done its part, and the peer shall have all of it
            else:
                stream.reset()
            raise

    def _check_free(self, protocol: str) -> None:
        if protocol in self._handlers or protocol in self._inline:
            raise MisuseError(f"{protocol} has a handler already")


def _fail(stream: Stream, error: Exception) -> None:
    """A handler failed: that costs its own stream; only a fault of ours is worth a line in the log."""
    if isinstance(error, WarrenError):
        logger.debug("%s ended by %s", stream, error)
    else:
        logger.error("the handler of %s failed", stream.protocol, exc_info=error)
    stream.reset()
