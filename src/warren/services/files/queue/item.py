"""One transfer of the queue while this node runs: how it stands, its attempt under way, who follows it.

In:  its place in the queue, progress, failures. Out: `QueuedTransfer`s, and the event that it changed.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from warren.services.files.queue.model import DroppedSource, TransferChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cid import Cid
    from warren.core.errors import WarrenError
    from warren.runtime.seam import Clock
    from warren.services.files.queue.machine import Place
    from warren.services.files.queue.model import QueuedTransfer, Want
    from warren.services.files.transfer import Transfer
    from warren.services.files.types import Fetched, Progress

TELL_EVERY_S: Final = 1.0
DROPPED_MAX: Final = 50
"""Sources that were let go, kept of one transfer: the newest. Attack: ever new identities that serve lies."""
_LET_GO: Final = frozenset({"dropped", "gone"})


class Item:
    """See the module's header. `one` is how it stands, without what only the attempt under way knows."""

    def __init__(
        self, one: QueuedTransfer, place: Place, clock: Clock, emit: Callable[[object], None]
    ) -> None:
        self.one = one
        self.place = place
        self.task: asyncio.Task[None] | None = None
        """The last attempt."""
        self.transfer: Transfer | None = None
        """The fetch under way."""
        self.failure: WarrenError | None = None
        self.resolve_again = True
        """Whether its path at the source may mean something else by now."""
        self.changed = asyncio.Event()
        """Set at the next change; another takes its place then."""
        self._clock = clock
        self._emit = emit
        self._best_bytes = one.progress.done_bytes if one.progress is not None else 0
        self._told_at = -math.inf

    @property
    def number(self) -> int:
        return self.place.number

    @property
    def is_named(self) -> bool:
        """Whether nobody else can give it now than whom the user named."""
        return self.one.want.only or (self.one.root is None and bool(self.one.want.path))

    def is_for(self, want: Want) -> bool:
        """Whether it comes to the same, and is not done."""
        return self.one.state != "done" and self.one.want.is_same(want)

    # --- an attempt ---------------------------------------------------------------------------------------

    def begin(self, transfer: Transfer) -> None:
        """An attempt is under way."""
        self.transfer = transfer

    def progressed(self, progress: Progress) -> bool:
        """It is so far; whether that is further than it ever was."""
        self.one = replace(self.one, progress=progress)
        further = progress.done_bytes > self._best_bytes
        self._best_bytes = max(self._best_bytes, progress.done_bytes)
        if self._clock.now() >= self._told_at + TELL_EVERY_S:
            self._note_dropped()
            self.tell()
        self.ring()
        return further

    def found(self, root: Cid, name: str) -> None:
        """Its path at the source means this."""
        self.one = replace(self.one, root=root, name=name or self.one.name)
        self.resolve_again = False

    def fail(self, error: WarrenError) -> None:
        """What the attempt failed with."""
        self.failure = error
        self.one = replace(self.one, error=type(error).__name__, reason=str(error), hint=error.hint)

    def end(self, outcome: Fetched | None = None) -> None:
        """The attempt ended; outcome: where it came to its end."""
        self._note_dropped()
        self.transfer = None
        if outcome is not None:
            self.one = replace(
                self.one, outcome=outcome, path=str(outcome.path), root=outcome.cid, name=outcome.path.name
            )

    def stop(self) -> None:
        """Cancel the attempt under way, if there is one."""
        if self.task is not None:
            self.task.cancel()

    async def wait_stopped(self) -> None:
        """Wait until no attempt is under way."""
        if self.task is not None:
            await asyncio.wait([self.task])

    # --- how it stands ------------------------------------------------------------------------------------

    def sync(self) -> bool:
        """Be in the state that its place in the queue is in; whether it was in another."""
        place, one = self.place, self.one
        if (place.state, place.cause) == (one.state, one.cause):
            return False
        if place.state not in {"waiting", "failed"} and place.cause not in {"disk", "busy"}:
            hours = place.window if place.cause == "hours" else None
            reason = f"its hours begin at {hours.opens}" if hours is not None else ""
            one = replace(one, error="", reason=reason, hint="")
        ended_at = self._clock.wall() if place.state in {"failed", "done"} else None
        self.one = replace(one, state=place.state, cause=place.cause, ended_at=ended_at)
        self.tell()
        self.ring()
        return True

    def view(self) -> QueuedTransfer:
        """How it stands, with what only the attempt under way knows."""
        one, place = self.one, self.place
        if place.state == "waiting" or place.cause in {"disk", "busy"}:
            return replace(one, retry_at=self._clock.wall() + max(place.due_at - self._clock.now(), 0.0))
        if self.transfer is not None:
            sources = self.transfer.sources()
            return replace(one, sources=sources, bytes_per_s=sum(source.bytes_per_s for source in sources))
        if one.outcome is not None:
            gave = (replace(source, bytes_per_s=0.0, outstanding_bytes=0) for source in one.outcome.sources)
            return replace(one, sources=tuple(gave))
        return one

    def ring(self) -> None:
        """Wake who follows it."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def tell(self) -> None:
        """Emit the event that it changed."""
        self._told_at = self._clock.now()
        one = self.view()
        done, total = (one.progress.done_bytes, one.progress.total_bytes) if one.progress else (0, 0)
        self._emit(
            TransferChanged(
                one.number, one.name, one.state, one.cause, one.reason, done, total, one.bytes_per_s
            )
        )

    def _note_dropped(self) -> None:
        if self.transfer is None:
            return
        known = {(one.peer, one.reason) for one in self.one.dropped}
        now = self._clock.wall()
        new = [
            DroppedSource(source.peer, source.note, now)
            for source in self.transfer.sources()
            if source.state in _LET_GO and (source.peer, source.note) not in known
        ]
        if new:
            self.one = replace(self.one, dropped=(*self.one.dropped, *new)[-DROPPED_MAX:])
