"""Keeps the summaries of this super-peer as its index is, and those of its neighbours told.

In:  the words of the index as they change. Out: summaries, sent when they are due; rare words into the DHT.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.services.overlay.own_words import OwnWords
from warren.services.overlay.rare import rank_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.core.peer_id import PeerId
    from warren.protocols.overlay.messages import Summary
    from warren.services.overlay.interfaces import PublicWords, Rare
    from warren.services.overlay.summaries import Summaries

LOOK_EVERY_S: Final = 1.0
"""Between looks at what words the index has."""
PROVIDE_AFTER_S: Final = 120.0
"""Words are rare or not once the summaries of neighbours have come."""
PROVIDE_AGAIN_S: Final = 20 * 3600.0
"""A provider record is kept for two days, and said again well before."""
PROVIDE_PAUSE_S: Final = 1.0
"""Between words. Fault: two thousand look-ups at once."""
PROVIDED_MAX: Final = 4
"""Times as many words as may be said are said in that time, where owners come and go. Attack: one that has
other words each minute, each of which costs some hundred messages."""
_BATCH: Final = 200
_log = logging.getLogger(__name__)


class Summarising:
    """Of one super-peer; `run` for as long as it is one."""

    def __init__(
        self,
        summaries: Summaries,
        words: PublicWords,
        rare: Rare | None,
        rare_words_max: int,
        now: Callable[[], float],
        send: Callable[[PeerId, Summary], object],
    ) -> None:
        self._summaries = summaries
        self._words = words
        self._rare = rare
        self._rare_words_max = rare_words_max
        self._now = now
        self._send = send
        self._own = OwnWords()
        self._provided: dict[str, float] = {}
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Something may be due: a neighbour came, or said something."""
        self._due.set()

    async def run(self) -> None:
        """Look, tell and provide until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            tasks.create_task(self._tell())
            if self._rare is not None and self._rare_words_max:
                tasks.create_task(self._provide(self._rare))

    async def _look(self) -> None:
        while True:
            with suppress(WarrenError):  # the index says what is wrong with it
                await self._take_changes()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _take_changes(self) -> None:
        async for change in self._words.changes():
            await _in_batches(change.removed, self._own.remove)
            self._withdraw(change.removed)
            await _in_batches(change.added, self._own.add)
        if self._own.outgrown:
            await _in_batches(self._own.emptied(), self._own.refill)
        self._summaries.set_own(self._own.snapshot())
        self.wake()

    def _withdraw(self, words: Iterable[str]) -> None:
        """Nobody here has them any more. They come back with owners: when they were said stays known."""
        if self._rare is not None:
            for word in words:
                if word in self._provided and word not in self._own.words:
                    self._rare.withdraw(word)

    async def _tell(self) -> None:
        while True:
            self._due.clear()
            for peer, summary in self._summaries.due(self._now()):
                self._send(peer, summary)
                await asyncio.sleep(0)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._summaries.next_due()):
                    await self._due.wait()

    async def _provide(self, rare: Rare) -> None:
        while True:
            await asyncio.sleep(PROVIDE_AFTER_S)
            words = await self._rare_words()
            old = self._now() - PROVIDE_AGAIN_S
            self._provided = {word: said for word, said in self._provided.items() if said > old}
            for word in words:
                if word in self._provided or word not in self._own.words:
                    continue  # it is said already, or went while others were said
                if len(self._provided) >= PROVIDED_MAX * self._rare_words_max:
                    break
                try:
                    await rare.provide(word)
                except WarrenError as error:
                    _log.debug("overlay: a rare word is not in the DHT: %s", error)
                    break
                self._provided[word] = self._now()
                self._withdraw((word,))  # where it went meanwhile
                await asyncio.sleep(PROVIDE_PAUSE_S)

    async def _rare_words(self) -> list[str]:
        ranked: list[tuple[int, bytes, str]] = []

        def rank(words: Iterable[str]) -> None:
            ranks = (rank_of(word, self._summaries.holders) for word in words)
            ranked.extend(rank for rank in ranks if rank is not None)

        await _in_batches(list(self._own.words), rank)
        return [word for _, _, word in sorted(ranked)[: self._rare_words_max]]


async def _in_batches(words: Iterable[str], do: Callable[[Iterable[str]], None]) -> None:
    """Let others have their turn in between."""
    left = iter(words)
    while batch := list(islice(left, _BATCH)):
        do(batch)
        await asyncio.sleep(0)
