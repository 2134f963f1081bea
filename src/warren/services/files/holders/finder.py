"""Finding who has a root, for as long as a fetch wants to know.

In:  sources, each of which names peers that may have a root: the record, the directory, contacts, the DHT.
Out: peers, the best of those known at the moment first; then again after a while, ever less often, and at
once when somebody comes. Nothing here proves that a peer has it: who asks it finds out.

Asking the DHT tells strangers what this node wants. It is asked for what is known to be public, never for
what is known not to be; where nobody can say, only once all others found nobody, if the user lets it
(setting files.ask_dht).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from warren.core.errors import WarrenError
from warren.services.files.holders.ranking import Candidate, Ranked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Clock
    from warren.services.files.holders.record import Record

ROUND_S: Final = 20.0
"""For one round of asking. Fault: a source that never ends."""
AGAIN_S, AGAIN_MAX_S = 5.0, 300.0
"""Until the next round; then twice as long each time. A round costs each contact and super-peer a message."""
SOON_S: Final = 2.0
"""Between rounds that somebody's coming brings. Fault: a peer that comes and goes."""
FOUND_MAX: Final = 64
"""Of one source in one round. Attack: one that names peers without end, each of which is dialled."""
GONE_S: Final = 600.0
"""Who said that it has it no more is not named for so long, whatever others say."""
GONE_MAX: Final = 4096
_log = logging.getLogger(__name__)


class Sighting(NamedTuple):
    """A peer may have it. online: see `ranking.Candidate`. proven: it gave something of it before."""

    peer: PeerId
    online: bool | None = None
    proven: bool = False


class Source(Protocol):
    """Somebody to ask who has a root."""

    def __call__(self, root: Cid) -> AsyncGenerator[Sighting, None]:
        """Those who may have it, as they are found. Raises `WarrenError` where it cannot tell."""
        ...


class Sources(NamedTuple):
    """Whom to ask. near: in every round. dht: strangers; None: there is no DHT, or it is never asked."""

    near: Sequence[Source]
    dht: Source | None = None


class Finder:
    """See the module's header; `swarm.interfaces.Holders` is what a fetch needs of it.

    judge: what is known of a peer. is_public: whether everybody may know of a root; None: nobody said.
    ask_dht: whether the DHT is asked for what nobody said anything of.
    """

    def __init__(
        self,
        me: PeerId,
        clock: Clock,
        record: Record,
        sources: Sources,
        judge: Callable[[Sighting], Coroutine[object, object, Candidate]],
        is_public: Callable[[Cid], bool | None],
        *,
        ask_dht: bool,
    ) -> None:
        self._me = me
        self._clock = clock
        self._record = record
        self._sources = sources
        self._judge = judge
        self._is_public = is_public
        self._ask_dht = ask_dht
        self._gone: dict[tuple[Cid, PeerId], float] = {}
        self._came: set[asyncio.Event] = set()

    async def find(self, root: Cid) -> AsyncGenerator[PeerId, None]:
        """Those who may have it, until it is closed. Who is found again is named again in the next round."""
        came, wait_s = asyncio.Event(), AGAIN_S
        self._came.add(came)
        try:
            while True:
                came.clear()
                round_ = _Round(self._ask(root), self._judge)
                try:
                    while (peer := await round_.next()) is not None:
                        if self._is_wanted(root, peer):
                            yield peer
                finally:
                    await round_.close()
                await self._rest(came, wait_s)
                wait_s = min(2 * wait_s, AGAIN_MAX_S)
        finally:
            self._came.discard(came)

    def gone(self, root: Cid, peer: PeerId) -> None:
        """It said that it has it no more: struck from the record."""
        self._record.strike(root, peer)
        while len(self._gone) >= GONE_MAX:
            del self._gone[next(iter(self._gone))]
        self._gone[root, peer] = self._clock.now()

    def wake(self) -> None:
        """Somebody came who may have something."""
        for came in self._came:
            came.set()

    async def _rest(self, came: asyncio.Event, wait_s: float) -> None:
        await asyncio.sleep(SOON_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s - SOON_S):
                await came.wait()

    def _is_wanted(self, root: Cid, peer: PeerId) -> bool:
        said_at = self._gone.get((root, peer))
        return peer != self._me and (said_at is None or self._clock.now() >= said_at + GONE_S)

    async def _ask(self, root: Cid) -> AsyncGenerator[Sighting, None]:
        """One round."""
        sources, dht = list(self._sources.near), self._sources.dht
        if dht is not None and self._is_public(root):
            sources.append(dht)
        found = False
        async with contextlib.aclosing(_together(sources, root)) as sightings:
            async for one in sightings:
                found = found or self._is_wanted(root, one.peer)
                yield one
        # By now somebody may have said whom it is for.
        if dht is None or dht in sources or self._is_public(root) is False:
            return
        if self._is_public(root) or (self._ask_dht and not found):
            async with contextlib.aclosing(_together([dht], root)) as sightings:
                async for one in sightings:
                    yield one


class _Round:
    """One round of asking: what was found waits here, ranked, until somebody wants it."""

    def __init__(
        self,
        sightings: AsyncGenerator[Sighting, None],
        judge: Callable[[Sighting], Coroutine[object, object, Candidate]],
    ) -> None:
        self._judge = judge
        self._ranked = Ranked()
        self._told: set[PeerId] = set()
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._gather(sightings))

    async def next(self) -> PeerId | None:
        """The best that waits, each once; None: all was asked and nobody waits."""
        while not self._ranked:
            if self._task.done():
                await self._task  # a fault of ours shows
                return None
            self._news.clear()
            await self._news.wait()
        best = self._ranked.take()
        self._told.add(best.peer)
        return best.peer

    async def close(self) -> None:
        """Ask nobody any more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _gather(self, sightings: AsyncGenerator[Sighting, None]) -> None:
        try:
            async with contextlib.aclosing(sightings):
                async for one in sightings:
                    if one.peer not in self._told:
                        self._ranked.put(await self._judged(one))
                        self._news.set()
        finally:
            asyncio.get_running_loop().call_soon(self._news.set)  # once the task is done

    async def _judged(self, one: Sighting) -> Candidate:
        """What is known of it; nothing, where the peer table cannot be read."""
        try:
            return await self._judge(one)
        except WarrenError as error:
            _log.info("what %s is like is not known: %s", one.peer, error)
            return Candidate(one.peer, online=one.online, proven=one.proven)


async def _together(sources: Sequence[Source], root: Cid) -> AsyncGenerator[Sighting, None]:
    """What all of these find, as it comes, until all have answered or the time is over."""
    found: asyncio.Queue[Sighting | None] = asyncio.Queue()

    async def ask(source: Source) -> None:
        try:
            async with contextlib.aclosing(source(root)) as sightings:
                left = FOUND_MAX
                async for one in sightings:
                    found.put_nowait(one)
                    left -= 1
                    if not left:
                        break
        except WarrenError as error:
            _log.debug("looking for who has %s: %s", root, error)

    tasks = [asyncio.create_task(ask(source)) for source in sources]
    over = asyncio.create_task(asyncio.wait(tasks, timeout=ROUND_S))
    over.add_done_callback(lambda _: found.put_nowait(None))
    try:
        while (one := await found.get()) is not None:
            yield one
    finally:
        for task in (over, *tasks):
            task.cancel()
        await asyncio.gather(over, *tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
