"""A search under way: many are asked at once, and what they find is told as it comes.

In:  those to ask, each an iterator of what it finds. Out: hits, merged by content; how far it is; who failed
and why. It ends when all have answered or its time is over; nothing polls.

Refuses to let one who answers stop the others: what fails is noted, and costs only its own answer, and nobody
fills the list alone (spread.py). Of one hit no more waits than its latest state, and it comes again ever less
often: who finds a thousand holders of one content makes a few hits of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from warren.core.errors import MisuseError, WarrenError
from warren.core.found import Counts
from warren.services.directory.model import SearchProgress
from warren.services.directory.spread import Spread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from types import TracebackType

    from warren.core.found import Found
    from warren.core.peer_id import PeerId
    from warren.services.directory.merging import Merging
    from warren.services.directory.model import Hit

PATIENCE_S: Final = 2.0
"""So long others are left their share of the places. Fault: hits that wait for who never answers."""
AGAIN_S: Final = 0.25
"""Until a hit comes again with what is new of it; twice as long each time. Attack: a super-peer that names
one holder or path of the same content after the other, and each time the whole hit is sent."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody to ask. peer: who; None: this node itself, or several through one who asks them.

    `ask` yields what is found as it comes, and `Counts` where it asks others in turn.
    """

    peer: PeerId | None
    ask: Callable[[], AsyncGenerator[Found | Counts, None]]


class Search:
    """An async iterator of hits, for one consumer.

        async with node.search("old maps") as search:    # leaving the block early ends it
            async for hit in search: ...
        print(search.progress, search.errors)

    A content that more is learnt of comes again, with the same `number` and all that is known: the later one
    takes the place of the earlier. Without `async with` it ends by itself at its deadline.
    """

    def __init__(self, sources: Iterable[Source], merging: Merging, timeout_s: float) -> None:
        """Everybody is asked from now on."""
        self.errors: dict[PeerId, WarrenError] = {}
        """Whom of the peers asked it failed with, and how."""
        self._merging = merging
        self._fresh: dict[int, None] = {}
        """The numbers of hits of which there is something to tell."""
        self._again: dict[int, asyncio.TimerHandle] = {}
        self._waits_s: dict[int, float] = {}
        self._news = asyncio.Event()
        self._counts: dict[int, Counts] = {}
        self._answered: set[int] = set()
        self._is_over = False
        self._in_time = True
        self._reading = False
        asked = list(sources)
        self._spread = Spread(merging.limit, len(asked))
        self._task = asyncio.create_task(self._run(asked, timeout_s), name="search")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Hit:
        """The next hit. Raises `MisuseError` while another consumer waits."""
        if self._reading:
            raise MisuseError("two consumers wait on one search", hint="search once for each")
        self._reading = True
        try:
            while not self._fresh:
                if self._is_over:
                    raise StopAsyncIteration
                self._news.clear()
                await self._news.wait()
        finally:
            self._reading = False
        number = next(iter(self._fresh))
        del self._fresh[number]
        return self._merging.hit(number)

    def on_end(self, tell: Callable[[], None]) -> None:
        """Call it once nobody is asked any more."""
        self._task.add_done_callback(lambda _: tell())

    async def close(self) -> None:
        """Ask nobody any more. What was found already can still be taken. Closing twice is harmless."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @property
    def progress(self) -> SearchProgress:
        """How far it is."""
        asked = about = 0
        for number, counts in self._counts.items():
            asked += counts.asked + (number in self._answered)
            about += counts.about + 1
        return SearchProgress(asked, about, len(self._merging), self._is_over, self._in_time)

    async def _run(self, sources: list[Source], timeout_s: float) -> None:
        self._counts = dict.fromkeys(range(len(sources)), Counts(0, 0))
        loop = asyncio.get_running_loop()
        patience = loop.call_later(PATIENCE_S, lambda: self._take(self._spread.open()))
        try:
            async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as tasks:
                for number, source in enumerate(sources):
                    tasks.create_task(self._ask(number, source))
        except TimeoutError:
            self._in_time = False
        finally:
            patience.cancel()
            self._take(self._spread.open())
            for number, timer in self._again.items():
                timer.cancel()
                self._fresh[number] = None
            self._again.clear()
            self._is_over = True
            self._news.set()

    async def _ask(self, number: int, source: Source) -> None:
        try:
            async with contextlib.aclosing(source.ask()) as answers:
                async for one in answers:
                    if isinstance(one, Counts):
                        self._counts[number] = one
                    else:
                        self._take(self._spread.offer(number, one))
        except WarrenError as error:
            if source.peer is not None:
                self.errors[source.peer] = error
            _log.debug("searching at %s: %s", source.peer or "this node", error)
        except Exception:  # noqa: BLE001  the boundary of supervision: one who answers stops no other
            _log.exception("searching at %s failed", source.peer or "this node")
        self._answered.add(number)
        self._take(self._spread.end(number))
        self._news.set()

    def _take(self, found: Iterable[Found]) -> None:
        for one in found:
            number = self._merging.take(one)
            if number is not None:
                self._tell(number)

    def _tell(self, number: int) -> None:
        """There is something new of a hit. What comes first comes at once."""
        if number in self._fresh or number in self._again:
            return
        wait_s = self._waits_s.get(number)
        self._waits_s[number] = wait_s * 2 if wait_s is not None else AGAIN_S
        if wait_s is None:
            self._tell_now(number)
        else:
            later = asyncio.get_running_loop().call_later
            self._again[number] = later(wait_s, self._tell_now, number)

    def _tell_now(self, number: int) -> None:
        self._again.pop(number, None)
        self._fresh[number] = None
        self._news.set()
