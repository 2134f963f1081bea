"""All sources of one fetch: who is asked, who no longer, and who comes in their place.

In: the peers that are known to have it, and those that are found meanwhile. Out: a fetch that is complete, or
the reason why nobody could serve it. Who lies is dropped and never asked again; who no longer has it is
struck from the record; who cannot be reached is tried a few times, and again when it is found again later.
With nobody left it waits for somebody, for `files.no_source_s`.

Each source is first asked what it has, and for whom that is (`Exchange`): one whose content is for fewer than
what is here is left alone while there are others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import (
    BadContent,
    ConnectionFailed,
    ContentUnknown,
    DialFailed,
    LimitReached,
    RemoteError,
    SourceChanged,
    SourceVanished,
    WarrenError,
)
from warren.protocols.transfer.messages import PROTOCOL_ID
from warren.runtime.waiting import settle
from warren.services.files.swarm.candidates import Candidates
from warren.services.files.swarm.following import follow
from warren.services.files.swarm.rotation import for_any, for_better
from warren.services.files.swarm.source import Source
from warren.services.files.swarm.tree import RETRY_DELAYS_S, TreePuller
from warren.services.files.types import SourceAdded, SourceDropped

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream
    from warren.services.files.chunks import ChunkKeeper
    from warren.services.files.config import FilesConfig
    from warren.services.files.ledger import Ledger
    from warren.services.files.nodes import NodePuller
    from warren.services.files.swarm.caps import Cap
    from warren.services.files.swarm.interfaces import Exchange, Holders, Holding
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.swarm.picker import Picker
    from warren.services.files.types import SourcePhase, SourceState

MEET_S: Final = 10.0
"""A source is to say what it has within this time; else it is taken to have everything."""
LOOK_S: Final = 0.5
"""How often it is looked whether sources stall."""
LEAD_S: Final = 1.0
"""So long a source may take to say which piece to take of it; else the picker says."""
FELLOWS_MAX: Final = 64
"""With whom the pieces are shared out. Each is reckoned with for each piece."""
ERRORS_MAX: Final = 16
_OF_THE_SOURCE: Final = (ConnectionFailed, LimitReached)
_GONE: Final = (ContentUnknown, SourceChanged, SourceVanished)
_LATER: Final = "try again when who has it is online"
_log = logging.getLogger(__name__)


class Work(NamedTuple):
    """What all sources of a fetch do together. partial: what others are served of it meanwhile."""

    ledger: Ledger
    picker: Picker
    nodes: NodePuller
    keeper: ChunkKeeper
    partial: Partial | None = None


class Swarm:
    """`run` it once. All else of a fetch is made before; see `Fetch`.

    exchange: None: nobody is asked what it has, and all are taken to have everything. only: no others than
    those that `run` names are asked.
    """

    def __init__(
        self,
        network: Network,
        config: FilesConfig,
        work: Work,
        *,
        exchange: Exchange | None = None,
        holders: Holders | None = None,
        caps: Sequence[Cap] = (),
        only: bool = False,
    ) -> None:
        self._network = network
        self._runtime = network.runtime
        self._config = config
        self._ledger, self._picker, self._nodes, self._keeper, self._partial = work
        self._root = work.ledger.wanted.cid
        self._exchange = exchange
        self._holders = None if only else holders
        self._caps = caps
        self._only = only
        self._sources: dict[PeerId, Source] = {}  # present ones
        self._past: dict[PeerId, Source] = {}
        self._fellows: set[PeerId] = set()
        self._shared_at = float("-inf")
        self._share_due = False
        self._named: frozenset[PeerId] = frozenset()
        self._candidates = Candidates(network.runtime.entropy)
        self._tasks: dict[PeerId, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._final: tuple[SourceState, ...] | None = None
        self._changed = asyncio.Event()
        self._errors: deque[WarrenError] = deque(maxlen=ERRORS_MAX)
        self._nobody_since: float | None = None
        self._all_found = self._holders is None

    def sources(self) -> tuple[SourceState, ...]:
        """All that were asked, the present ones first; once it ended, as they were then."""
        if self._final is not None:
            return self._final
        return tuple(one.state() for one in (*self._sources.values(), *self._past.values()))

    def add(self, peer: PeerId) -> None:
        """This peer may have it."""
        if peer == self._network.peer_id or peer in self._sources:
            return
        if self._candidates.found(peer, self._runtime.clock.now()):
            self._changed.set()

    def on_heard(self, peer: PeerId, holding: Holding) -> None:
        """This peer asked what is here, and told what it has."""
        self._picker.spread()
        self._note_fellows([peer])
        source = self._sources.get(peer)
        if source is not None:
            source.heard_at = self._runtime.clock.now()
            if source.complete is not None:
                self._learn(source, holding)
        elif not self._only:
            self.add(peer)
            if holding.complete or self._picker.wants(holding.gained):
                self._prefer(peer)

    def _prefer(self, peer: PeerId) -> None:
        self._candidates.prefer(peer)
        self._changed.set()

    # --- running ------------------------------------------------------------------------------------------

    async def run(self, peers: Sequence[PeerId]) -> None:
        """Fetch all of it. Raises what no source could mend, or what the last one failed with."""
        self._named = frozenset(peers)
        for peer in peers:
            self.add(peer)
            self._prefer(peer)
        tree = TreePuller(self._nodes, self._ledger, self._sources, self._give_up_on, self._config.answer_s)
        work = [self._start(one) for one in (tree.run(), self._look(), self._find())]
        try:
            while not self._picker.is_done:
                self._changed.clear()
                for task in (*work, *self._tasks.values()):
                    if task.done():
                        task.result()
                if self._keeper.failure is not None:
                    raise self._keeper.failure
                self._fill()
                self._check_nobody()
                await self._changed.wait()
        finally:
            self._final = self.sources()
            every = [*work, *self._tasks.values(), *self._ending]
            for task in every:
                task.cancel()
            await settle(every)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._changed.set())
        return task

    def _fill(self) -> None:
        """Take in those who wait, as far as there is room."""
        waiting = self._candidates.waiting
        if not waiting and not self._sources:
            self._candidates.accept()
        while waiting and (len(self._sources) < self._config.sources_max or self._make_room()):
            peer = self._candidates.take()
            if peer not in self._sources:
                self._begin(peer)

    def _make_room(self) -> bool:
        """For one that is known to have what is wanted, one gives way that has nothing."""
        if not self._candidates.has_preferred() or not self._picker.backlog:
            return False
        source = for_better(self._sources.values(), self._note_wanted())
        if source is not None:
            self._drop_for_room(source)
        return source is not None

    def _begin(self, peer: PeerId) -> None:
        async def open_stream() -> Stream:
            return await self._network.open_stream(peer, PROTOCOL_ID)

        source = Source(
            peer,
            self._runtime,
            self._config,
            self._picker,
            self._keeper,
            self._ledger,
            open_stream,
            caps=self._caps,
            share=lambda: max(1, len(self._sources)),
        )
        source.lead = lambda: self._lead(source)
        past = self._past.pop(peer, None)
        if past is not None:
            source.bytes_fetched = past.bytes_fetched
        self._sources[peer] = source
        self._tasks[peer] = self._start(self._serve(source))

    def _check_nobody(self) -> None:
        """With nobody left, and nobody to be expected: the end."""
        if self._sources:
            self._nobody_since = None
            return
        now = self._runtime.clock.now()
        if self._nobody_since is None:
            self._nobody_since = now
        if self._all_found or now >= self._nobody_since + self._config.no_source_s:
            raise _verdict(self._errors) or ContentUnknown(
                f"nobody was found who has {self._root}", hint=_LATER
            )

    async def _find(self) -> None:
        """Take in those who are found."""
        if self._holders is None:
            return
        try:
            async for peer in self._holders.find(self._root):
                self.add(peer)
        except WarrenError as error:
            _log.info("looking for holders of %s: %s", self._root, error)
        self._all_found = True
        self._changed.set()

    async def _look(self) -> None:
        """See who stalls, and who could be replaced, again and again."""
        while True:
            await asyncio.sleep(LOOK_S)
            changed = [source.look() for source in self._sources.values()]
            if any(changed):
                self._ledger.moved.set()
            self._replace()
            if self._share_due:
                self._share_out()
            if self._picker.backlog and not any(one.offer.asked for one in self._sources.values()):
                self._candidates.accept()
            self._candidates.look(self._runtime.clock.now())
            self._changed.set()

    def _replace(self) -> None:
        """Where others wait for their turn, those that are no use give way, for a while."""
        now = self._note_wanted()
        waiting = len(self._candidates.waiting)
        if waiting and self._picker.backlog and len(self._sources) >= self._config.sources_max:
            for source in for_any(self._sources.values(), now)[:waiting]:
                self._drop_for_room(source)

    def _note_wanted(self) -> float:
        """Note which sources have something that is wanted now; returns the time."""
        now = self._runtime.clock.now()
        for source in self._sources.values():
            if self._picker.wants_of(source.offer):
                source.wanted_at = now
        return now

    def _drop_for_room(self, source: Source) -> None:
        error = LimitReached("files.sources_max", "others may have what is still missing")
        self._drop(source, error, "dropped", for_room=True)

    # --- one source ---------------------------------------------------------------------------------------

    async def _serve(self, source: Source) -> None:
        """Ask one source as long as it is any use."""
        try:
            if not await self._meet(source):
                return
            source.met = True
            self._ledger.moved.set()
            self._network.events.emit(SourceAdded(self._root, source.peer))
            following = asyncio.create_task(self._follow(source))
            try:
                await self._pull_chunks(source)
            finally:
                following.cancel()
                await settle([following])
        except WarrenError as error:
            if not self._give_up_on(source, error):
                raise

    async def _pull_chunks(self, source: Source) -> None:
        """Again while only the way to it breaks, as long as that brings something."""
        failures = 0
        fetched = self._progress(source)
        while True:
            try:
                await source.run()
            except (*_OF_THE_SOURCE, ContentUnknown) as error:
                if isinstance(error, ContentUnknown) and source.complete is not False:
                    raise
                now_fetched = self._progress(source)
                failures, fetched = (1 if now_fetched > fetched else failures + 1), now_fetched
                if failures > len(RETRY_DELAYS_S):
                    raise
                _log.info("fetching %s from %s again: %s", self._root, source.peer, error)
                await asyncio.sleep(RETRY_DELAYS_S[failures - 1])
            else:
                return

    def _progress(self, source: Source) -> int:
        """What shows that a source is some use; that what is here was found counts for all."""
        return source.bytes_fetched + self._ledger.chunks_reused + self._ledger.total_files

    def _give_up_on(self, source: Source, error: WarrenError) -> bool:
        """Drop a source for this, if it is a fault of it alone."""
        if self._keeper.failure is not None or self._nodes.failure is not None:
            return False
        if isinstance(error, _GONE):
            self._drop(source, error, "gone")
        elif isinstance(error, BadContent):
            self._drop(source, error, "dropped", lied=True)
        elif isinstance(error, (*_OF_THE_SOURCE, RemoteError)):
            self._drop(source, error, "dropped")
            if isinstance(error, LimitReached):
                self._candidates.on_busy(source.peer, self._runtime.clock.now())
        else:
            return False
        return True

    def _drop(
        self,
        source: Source,
        error: WarrenError,
        phase: SourcePhase,
        *,
        lied: bool = False,
        for_room: bool = False,
    ) -> None:
        peer = source.peer
        if self._sources.get(peer) is not source:
            return
        del self._sources[peer]
        self._past[peer] = source
        if for_room:
            self._candidates.on_nothing(peer, self._runtime.clock.now())
        else:
            self._candidates.on_dropped(peer, self._runtime.clock.now(), lied=lied)
        source.ended, source.note = phase, str(error)
        self._share_out()
        self._picker.leave(source.offer)
        self._errors.append(error)
        if phase == "gone" and self._holders is not None:
            self._holders.gone(self._root, peer)
        task = self._tasks.pop(peer, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        _log.info("fetching %s from %s no more: %s", self._root, peer, error)
        self._network.events.emit(SourceDropped(self._root, peer, str(error), lied))
        self._ledger.moved.set()
        self._changed.set()

    # --- what sources have --------------------------------------------------------------------------------

    async def _meet(self, source: Source) -> bool:
        """Learn what a source has; whether it is of use now."""
        if self._exchange is None:
            return True
        try:
            async with asyncio.timeout(MEET_S):
                holding = await self._exchange.exchange(source.peer, self._root)
        except (TimeoutError, WarrenError) as error:
            # One that has no time to say knows this protocol, and may have a part only.
            if isinstance(error, (ContentUnknown, LimitReached)) and source.peer not in self._named:
                self._leave_for_now(source)
                return False
            # It may be older than this protocol. What it has shows when it is asked for that.
            _log.debug("what %s has of %s is not known: %s", source.peer, self._root, error)
            return True
        source.word = holding.word
        if not self._fits(source):
            self._set_apart(source)
            return False
        self._learn(source, holding, first=True)
        return True

    def _fits(self, source: Source) -> bool:
        """Whether its content is for as many as that of the others, or it is asked all the same."""
        fits = self._partial.fits if self._partial is not None else None
        if fits is None or fits(source.word) or self._candidates.is_accepted(source.peer):
            return True
        return not any(one.met and fits(one.word) for one in self._sources.values())

    def _set_apart(self, source: Source) -> None:
        self._forget(source)
        self._candidates.set_apart(source.peer)

    def _leave_for_now(self, source: Source) -> None:
        """It has nothing for us now: it may have just begun to fetch it itself."""
        self._forget(source)
        self._candidates.on_nothing(source.peer, self._runtime.clock.now())

    def _forget(self, source: Source) -> None:
        del self._sources[source.peer]
        del self._tasks[source.peer]
        self._picker.leave(source.offer)

    def _learn(self, source: Source, holding: Holding, *, first: bool = False) -> None:
        if first and (holding.fellows or not holding.complete):
            source.by_turns = True  # others will want of it as well
        if holding.complete:
            self._picker.has_all(source.offer)
        elif source.complete is not False:
            self._picker.has_part(source.offer, holding.bits)
        else:
            self._picker.on_gained(holding.gained)
            if holding.lost:
                self._picker.on_shrunk()
        if first or source.complete is not holding.complete or holding.gained:
            self._ledger.moved.set()
        if source.complete is not holding.complete:
            source.complete = holding.complete
            self._share_out()
        if holding.fellows and not self._only:
            self._picker.spread()
            self._note_fellows(holding.fellows)
            for peer in holding.fellows:
                self.add(peer)

    def _note_fellows(self, peers: Sequence[PeerId]) -> None:
        """These fetch it too, or did."""
        before = len(self._fellows)
        self._fellows.update(peers[: FELLOWS_MAX - before])
        if len(self._fellows) > before:
            self._share_out()

    def _share_out(self) -> None:
        """Share the pieces out among those who fetch it at the same time: each begins with another part.

        All pieces that are left are gone through, so now and then is enough. Attack: peers that come and go.
        """
        now = self._runtime.clock.now()
        self._share_due = now < self._shared_at + LOOK_S
        if self._share_due:
            return
        self._shared_at = now
        whole = {peer for peer, one in self._sources.items() if one.complete}
        fellows = self._fellows - whole - self._past.keys() - {self._network.peer_id}
        if self._fellows:
            self._picker.share_out(_number(self._network.peer_id), sorted(map(_number, fellows)))

    async def _follow(self, source: Source) -> None:
        """Ask it again and again what it has by now, and who else wants it."""
        exchange = self._exchange
        if exchange is not None:
            await follow(
                source,
                lambda: exchange.exchange(source.peer, self._root),
                lambda holding: self._learn(source, holding),
                self._partial,
                self._runtime.clock,
            )

    async def _lead(self, source: Source) -> int | None:
        """Which piece to take of one that has everything, now that it is our turn; None: whichever."""
        if self._exchange is None or not source.complete or not self._picker.is_guessing:
            return None
        try:
            async with asyncio.timeout(LEAD_S):
                holding = await self._exchange.exchange(source.peer, self._root, turn=True)
        except (TimeoutError, WarrenError) as error:
            _log.debug("which piece to take of %s is not known: %s", source.peer, error)
            return None
        self._learn(source, holding)
        return holding.lead


def _number(peer: PeerId) -> int:
    return int.from_bytes(peer.to_bytes()[-8:])


def _verdict(errors: Collection[WarrenError]) -> WarrenError | None:
    """What to say where nobody is left."""
    error = _most_telling(errors)
    if isinstance(error, DialFailed):
        text = f"nobody who has it can be reached now: {error}"
        return DialFailed(text, error.attempts, hint=error.hint or _LATER)
    return error


def _most_telling(errors: Collection[WarrenError]) -> WarrenError | None:
    """The last error that is not just a broken connection, if there is one; else the last one."""
    if not errors:
        return None
    last = [*errors][::-1]
    return next((one for one in last if not isinstance(one, _OF_THE_SOURCE)), last[0])
