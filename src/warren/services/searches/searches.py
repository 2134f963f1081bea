"""`Searches`: standing searches, asked now and then and when somebody comes; what is new is told.

In:  queries to keep; a way to search, a way to fetch; word of who comes. Out: rows in `state.db`, committed
before they are acknowledged; `SearchMatched` for each match that was not there before; fetches.

A search that fails is tried again at the next look; a fetch that fails ever less often. Where the query does
not say how large it may be, what is very large is told of and not fetched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError, LimitReached, NotFound, WarrenError
from warren.services.searches import store
from warren.services.searches.model import SavedSearch, SearchMatched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.cid import Cid
    from warren.core.query import Query
    from warren.runtime.seam import Clock, Database
    from warren.services.searches.model import Match

LOOK_EVERY_S: Final = 60.0
SETTLE_S: Final = 2.0
"""After somebody came: until then more may come, and they have said what they are."""
SEARCHES_MAX: Final = 64
"""Saved searches. Fault: everybody in reach is asked each of them, each minute."""
MATCHES_MAX: Final = 5000
"""Kept of one search, the newest. Attack: a peer that shares what fits under ever new contents."""
FETCHES_MAX: Final = 100
"""In one look, of one search. Attack: the same."""
FETCH_BYTES_MAX: Final = 1 << 30
"""Of one content that is fetched by itself, unless the query has a bound of its own. Attack: a name that
fits, with a disk full of nothing under it."""
RETRY_MAX_S: Final = 3600.0
"""Between two attempts to fetch the same content, doubled from `LOOK_EVERY_S`. Attack: one that can never be
had, and is asked for each minute for ever."""
_log = logging.getLogger(__name__)


class Searches:
    """Load once, then run as one task."""

    def __init__(
        self,
        state: Database,
        clock: Clock,
        search: Callable[[Query], Awaitable[list[Match]]],
        fetch: Callable[[Match], Awaitable[bool]],
        emit: Callable[[object], None],
    ) -> None:
        """search: all that others have and that fits. fetch: get it from who has it; whether it came."""
        self._state = state
        self._clock = clock
        self._search = search
        self._fetch = fetch
        self._emit = emit
        self._saved: dict[str, SavedSearch] = {}
        self._known: dict[str, dict[Cid, bool]] = {}
        """Of each search what it found, and whether that was fetched."""
        self._retries: dict[str, dict[Cid, tuple[int, float]]] = {}
        """Of each search what could not be fetched: how often, and when it is tried again."""
        self._news = asyncio.Event()
        self._at_once = False

    async def load(self) -> None:
        """Take up what was saved before. Raises `StorageError`."""
        for one in await self._state.run(store.load):
            await self._take_up(one)

    def all(self) -> list[SavedSearch]:
        """What is saved, by name."""
        return [self._saved[name] for name in sorted(self._saved)]

    def count(self, name: str) -> int:
        """How much it has found. Raises `NotFound`."""
        return len(self._known[self._named(name).name])

    async def save(self, name: str, query: Query, *, fetch: bool = False) -> SavedSearch:
        """Keep a search, and look at once. Raises InputError, LimitReached, StorageError."""
        one = SavedSearch(name, replace(query, after=0), fetch, self._clock.wall())
        if name in self._saved:
            raise InputError(
                f"a search is saved as {name!r} already",
                hint=f"choose another name, or: warren search --forget {name}",
            )
        if len(self._saved) >= SEARCHES_MAX:
            raise LimitReached(
                "services.searches.searches.SEARCHES_MAX",
                f"{SEARCHES_MAX} searches are saved",
                hint="forget one: warren search --forget NAME",
            )
        await self._state.run(lambda db: store.save(db, one))
        await self._take_up(one)
        self.wake(at_once=True)
        return one

    async def forget(self, name: str) -> None:
        """Keep it no longer; what it found is forgotten, what was fetched stays. Raises `NotFound`."""
        self._named(name)
        await self._state.run(lambda db: store.forget(db, name))
        self._saved.pop(name, None)
        self._known.pop(name, None)
        self._retries.pop(name, None)

    async def matches(self, name: str) -> list[Match]:
        """What it found, in that order. Raises `NotFound`."""
        self._named(name)
        return await self._state.run(lambda db: store.matches(db, name))

    def wake(self, *, at_once: bool = False) -> None:
        """Look again soon: somebody came."""
        if self._saved:
            self._at_once = self._at_once or at_once
            self._news.set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            while not self._saved:
                await self._news.wait()
                self._news.clear()
            if not self._at_once:
                await asyncio.sleep(SETTLE_S)
            self._news.clear()
            self._at_once = False
            for one in self.all():
                await self._look(one)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()

    async def _look(self, one: SavedSearch) -> None:
        try:
            found = await self._search(one.query)
            known = self._known.get(one.name)
            if known is None or not found:  # it was forgotten meanwhile
                return
            now = self._clock.wall()
            found = [replace(match, found_at=now) for match in found]
            await self._state.run(lambda db: store.add(db, one.name, found, MATCHES_MAX))
            for match in found:
                if match.cid not in known:
                    known[match.cid] = False
                    self._emit(SearchMatched(one.name, match))
            for cid in list(known)[: max(len(known) - MATCHES_MAX, 0)]:
                del known[cid]
                self._retries.get(one.name, {}).pop(cid, None)
            if one.fetch:
                await self._fetch_some(one, found, known)
        except WarrenError as error:
            _log.warning("the saved search %r: %s", one.name, error)

    async def _fetch_some(self, one: SavedSearch, found: list[Match], known: dict[Cid, bool]) -> None:
        wanted = [match for match in found if not known.get(match.cid, True) and self._is_wanted(one, match)]
        for match in wanted[:FETCHES_MAX]:
            if one.name not in self._saved:
                return
            if await self._fetch(match):
                known[match.cid] = True
                work = partial(store.set_fetched, search=one.name, cid=match.cid)
                await self._state.run(work)
            else:
                self._put_off(one.name, match.cid)

    def _is_wanted(self, one: SavedSearch, match: Match) -> bool:
        size_max = one.query.size_max if one.query.size_max is not None else FETCH_BYTES_MAX
        _, at = self._retries.get(one.name, {}).get(match.cid, (0, float("-inf")))
        return match.online and match.size <= size_max and at <= self._clock.now()

    def _put_off(self, name: str, cid: Cid) -> None:
        retries = self._retries.setdefault(name, {})
        failures, _ = retries.get(cid, (0, 0.0))
        wait_s = min(LOOK_EVERY_S * 2**failures, RETRY_MAX_S)
        retries[cid] = min(failures + 1, 16), self._clock.now() + wait_s

    async def _take_up(self, one: SavedSearch) -> None:
        found = await self._state.run(lambda db: store.matches(db, one.name))
        self._known[one.name] = {match.cid: match.fetched for match in found}
        self._saved[one.name] = one

    def _named(self, name: str) -> SavedSearch:
        if name not in self._saved:
            raise NotFound(f"no search is saved as {name!r}", hint="list them: warren search --saved")
        return self._saved[name]
