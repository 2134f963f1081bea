"""What is being sent to peers, and when each is sent more.

In:  what the transfer server wants to send. Out: it waits for its turn (`scheduler.py`, pure); and to the
user, to whom what is sent how fast.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from warren.services.files.uploads.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Clock
    from warren.services.files.uploads.scheduler import Line, Standing, Turn, UploadLimits

UploadActivity: TypeAlias = Literal["sending", "waiting", "idle"]


@dataclass(frozen=True, slots=True)
class UploadState:
    """What goes to one peer. name: of the file that it was sent last. bytes_sent: since it began to ask, of
    `bytes_per_s` lately. `waiting`: for its turn, as others are served or a cap is reached.
    """

    peer: PeerId
    name: str
    bytes_sent: int
    bytes_per_s: float
    state: UploadActivity


class Uploads:
    """The uploads of one node. See `warren.protocols.transfer.server.Turns`."""

    def __init__(
        self,
        clock: Clock,
        limits: UploadLimits,
        standing: Callable[[PeerId], Standing] = lambda _: "stranger",
    ) -> None:
        self._clock = clock
        self._scheduler = Scheduler(limits, standing)
        self._granted: dict[Turn, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limits(self) -> UploadLimits:
        return self._scheduler.limits

    def set_limits(self, limits: UploadLimits) -> None:
        """From now on."""
        self._scheduler.set_limits(limits, self._clock.now())
        self._go_on()

    def states(self) -> tuple[UploadState, ...]:
        """To whom something goes, the most first."""
        now = self._clock.now()
        found = [
            UploadState(peer, line.name, line.sent.total, line.sent.rate(now), _activity(line))
            for peer, line in self._scheduler.lines()
            if line.sent.total or line.waiting or line.active
        ]
        return tuple(sorted(found, key=lambda one: (-one.bytes_per_s, str(one.peer))))

    def note(self, peer: PeerId, name: str) -> None:
        """What `peer` is sent next."""
        self._scheduler.line(peer, self._clock.now()).name = name

    def gave(self, peer: PeerId, size: int) -> None:
        """`peer` sent us so much that was right: it is served before others."""
        self._scheduler.gave(peer, size, self._clock.now())

    # --- the server's side --------------------------------------------------------------------------------

    def turn_bytes(self) -> int:
        """See `Turns`."""
        return self._scheduler.turn_bytes()

    async def begin(self, peer: PeerId, size: int) -> Turn:
        """See `Turns`."""
        turn = self._scheduler.ask(peer, size, self._clock.now())
        granted = self._granted[turn] = asyncio.get_running_loop().create_future()
        self._go_on()
        try:
            if not granted.done():
                await granted
        except BaseException:
            self.end(turn, sent=False)
            raise
        finally:
            self._granted.pop(turn, None)
        return turn

    def end(self, turn: Turn, *, sent: bool = True) -> None:
        """See `Turns`."""
        self._scheduler.end(turn, self._clock.now(), sent=sent)
        self._go_on()

    def close(self) -> None:
        """Wake nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        turns, again = self._scheduler.grant(self._clock.now())
        for turn in turns:
            granted = self._granted.get(turn)
            if granted is not None and not granted.done():
                granted.set_result(None)
        if again is not None:
            self._timer = asyncio.get_running_loop().call_at(again, self._go_on)


def _activity(line: Line) -> UploadActivity:
    if line.active:
        return "sending"
    return "waiting" if line.waiting else "idle"
