"""`/warren/peers/1.0.0`: signed records of peers spread from one connected peer to the next.

In:  the events of the network, streams of peers, a `RecordBook`. Out: what peers signed, into the book and on
to connected peers that do not know it yet.
Spec: docs/protocols/peers.md.

On a new connection each side asks the other for peers that it does not know; what is news then goes to other
connected peers at once. Who is told what:
- Only peers with whom there is a connection, and who speak this protocol, are told anything.
- What is told is what its owner signed, as it is, and from how near we were told, but no nearer than whoever
  hears it now; nothing that we measured or noticed ourselves. So an address counts as told by the farthest
  through whom it came, and nobody makes a neighbour believe what a stranger on the internet says.
- Not told are records of blocked peers; and those that were signed over two days ago, unless we are connected
  with their owner.

Refuses what entry.py and messages.py refuse, more than the allowances below, and late messages. One bad entry
costs itself and its stream; the good ones beside it are taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import LimitReached, ProtocolViolation, WarrenError
from warren.core.framing import frame
from warren.core.reach import teller_at, teller_of
from warren.network.allowance import Allowances, Rate
from warren.network.events import PeerDisconnected, PeerIdentified
from warren.protocols.exchange.doubts import Doubts
from warren.protocols.exchange.entry import RECORD_BYTES_MAX, Entry, Listed, Version, check, read_claim
from warren.protocols.exchange.known import SALT_BYTES, Known
from warren.protocols.exchange.messages import (
    ANSWER_BYTES_MAX,
    ANSWER_MAX,
    CALL_BYTES_MAX,
    NEWS_MAX,
    Answer,
    Ask,
    News,
    fit,
    read_call,
)
from warren.protocols.exchange.schedule import AskNow, Schedule, SchedulePolicy
from warren.protocols.exchange.spread import Send, Spread, SpreadLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.core.reach import Reach
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.network.stream import Stream

PROTOCOL: Final = "/warren/peers/1.0.0"
TIMEOUT_S: Final = 10.0
"""For a message and its answer. Attack: a stream on which nothing is said, or slowly."""
STREAMS_MAX: Final = 2
"""Streams that one connection may have open here: an ask and news. Attack: many half messages are held."""
CHECKS: Final = Rate(512, 32.0)
"""Entries of one peer whose signatures are checked. Attack: forgeries, or records of keys made for it."""
CHECKS_ALL: Final = Rate(2048, 64.0)
"""The same of all peers together: 14 ms of each second. Attack: the same from many identities."""
ANSWERS: Final = Rate(20, 0.1)
"""Asks of one peer that are answered. Attack: asks without end, each of which costs a look at the table."""
ANSWERS_ALL: Final = Rate(64, 8.0)
"""The same of all peers together. Attack: the same from many identities."""
PEERS_MAX: Final = 1024
"""Peers whose allowance is remembered. Attack: keys without end."""
RECENT_MAX: Final = 512
"""Entries kept in memory for being told, 1 KiB each as a rule. Attack: keys without end."""
_TURN: Final = 32
"""Entries checked in one turn of the loop: 7 ms at most."""
_FRAME_BYTES: Final = 64
logger = logging.getLogger(__name__)


class RecordBook(Protocol):
    """Who keeps what peers signed."""

    async def take(self, one: Listed, source: PeerId) -> bool:
        """Keep what is newer than what is kept. Its signatures were checked. source: who told of it.

        False if the record names addresses that somebody nearer than its `told_from` may tell of.
        """
        ...

    async def sample(
        self, limit: int, exclude: Callable[[PeerId, Version], bool]
    ) -> tuple[list[Listed], bool]:
        """Up to `limit` that are not excluded, by lot; and whether there may be more. None of blocked peers.

        `exclude` may be called in another thread.
        """
        ...

    async def newest(self, peers: Sequence[PeerId]) -> list[Listed]:
        """What is kept of these peers. None of blocked ones."""
        ...

    async def versions(self, limit: int) -> list[tuple[PeerId, Version]]:
        """How new what is kept is, of the `limit` peers that were heard of last; those first."""
        ...

    def is_blocked(self, peer: PeerId) -> bool:
        """Whether the user wants nothing to do with it."""
        ...


class PeerExchange:
    """Serves from now on; `run` asks and tells others as long as the node lives."""

    def __init__(
        self,
        network: Network,
        book: RecordBook,
        own: Callable[[], Entry],
        limits: SpreadLimits | None = None,
        policy: SchedulePolicy | None = None,
    ) -> None:
        """own: what this node signed of itself."""
        self._network = network
        self._book = book
        self._own = own
        self._limits = limits or SpreadLimits()
        self._policy = policy or SchedulePolicy()
        self._entropy = network.runtime.entropy
        now = network.clock()
        self._spread = Spread(self._limits, self._entropy)
        self._schedule = Schedule(self._policy, self._entropy, now)
        self._checks: Allowances[PeerId] = Allowances(CHECKS, CHECKS_ALL, PEERS_MAX, now)
        self._answers: Allowances[PeerId] = Allowances(ANSWERS, ANSWERS_ALL, PEERS_MAX, now)
        self._doubts = Doubts()
        self._recent: OrderedDict[PeerId, Entry] = OrderedDict()
        """What was learnt last, whole as it came: most of it is told to others in a moment."""
        self._serving: Counter[Socket] = Counter()
        self._news = asyncio.Event()
        self._asks = asyncio.Event()
        network.handle_stream(PROTOCOL, self._serve)

    def announce(self) -> None:
        """This node signed something new of itself: tell neighbours."""
        own = self._own()
        if own.record or own.metadata:
            _, version = read_claim(own)
            self._spread.learn(self._network.peer_id, version, None, self._network.clock())
            self._wake()

    async def run(self) -> None:
        """Ask and tell until cancelled. May be run again after a fault."""
        self._spread = Spread(self._limits, self._entropy)
        self._schedule = Schedule(self._policy, self._entropy, self._network.clock())
        events = self._network.events.subscribe(PeerIdentified, PeerDisconnected)
        try:
            for peer, version in reversed(await self._book.versions(self._limits.subjects_max)):
                self._spread.recall(peer, version)
            await self._look_at_all()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tell_when_due(tasks))
                tasks.create_task(self._ask_when_due(tasks))
                async for event in events:
                    await self._on_event(event)
                    if events.missed():
                        await self._look_at_all()
        finally:
            events.close()

    # --- who is there -------------------------------------------------------------------------------------

    async def _look_at_all(self) -> None:
        """Bring the machines in line with what is, at the start and after events were lost."""
        for peer in self._spread.neighbours:
            if not self._network.is_connected(peer):
                self._leave(peer)
        for socket in self._network.sockets():
            if socket.identity is not None:
                await self._meet(socket.peer_id, socket, socket.identity)

    async def _on_event(self, event: object) -> None:
        match event:
            case PeerIdentified(peer, socket, info):
                await self._meet(peer, socket, info)
            case PeerDisconnected(peer, _):
                self._leave(peer)
            case _:
                pass

    async def _meet(self, peer: PeerId, socket: Socket, info: object) -> None:
        """A peer said what it is; its record was checked when it came."""
        if self._book.is_blocked(peer):
            self._leave(peer)
            return
        if PROTOCOL in getattr(info, "protocols", ()):
            self._spread.join(peer, self._network.clock())
            self._schedule.join(peer, self._network.clock())
            self._asks.set()
        else:
            self._leave(peer)
        record: bytes = getattr(info, "signed_record", b"")
        version, teller = Version(record=getattr(info, "record_seq", 0)), teller_at(socket.remote_addr)
        known = self._spread.version(peer)
        wanted = version.has_news_for(known) or self._doubts.are_settled_by(teller, peer)
        if record and len(record) <= RECORD_BYTES_MAX and wanted:
            await self._keep([Listed(peer, version, Entry(record, told_from=teller))], peer)

    def _leave(self, peer: PeerId) -> None:
        self._spread.leave(peer)
        self._schedule.leave(peer)
        self._doubts.leave(peer)

    def _socket(self, peer: PeerId) -> Socket | None:
        return next((socket for socket in self._network.sockets(peer) if socket.usable), None)

    # --- telling ------------------------------------------------------------------------------------------

    async def _tell_when_due(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._news.clear()
            due = self._spread.next(self._network.clock())
            if isinstance(due, Send):
                tasks.create_task(self._tell(due))
            else:
                await _until(due.until, self._news)

    def _wake(self) -> None:
        if self._spread.hurries:
            self._news.set()

    async def _tell(self, due: Send) -> None:
        with _logged("telling", due.peer):
            entries = await self._entries_of(due.subjects)
            socket = self._socket(due.peer)
            if entries and socket is not None:
                stream = await self._network.open_stream(socket, PROTOCOL, timeout_s=TIMEOUT_S)
                stream.write_nowait(frame(News(_told_to(socket, entries)).to_bytes()))
                await stream.close()
        self._spread.sent(due.peer)
        self._wake()

    async def _entries_of(self, subjects: Sequence[PeerId]) -> tuple[Entry, ...]:
        me = self._network.peer_id
        asked_for = [one for one in subjects if one != me and one not in self._recent]
        kept = [one for one in subjects if one in self._recent and not self._book.is_blocked(one)]
        listed = [Listed(one, self._spread.version(one), self._recent[one]) for one in kept]
        listed += await self._book.newest(asked_for) if asked_for else []
        wall, is_connected = self._network.runtime.clock.wall(), self._network.is_connected
        entries = [one.entry for one in listed if one.version.is_recent(wall) or is_connected(one.peer)]
        return fit(
            [self._own(), *entries] if me in subjects else entries, NEWS_MAX, CALL_BYTES_MAX - _FRAME_BYTES
        )

    def _may_pass(self) -> Callable[[PeerId, Version], bool]:
        """Whether what is kept of a peer may be told to others now. The function is good in any thread."""
        wall, connected = self._network.runtime.clock.wall(), frozenset(self._network.peers())
        return lambda peer, version: version.is_recent(wall) or peer in connected

    # --- asking -------------------------------------------------------------------------------------------

    async def _ask_when_due(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._asks.clear()
            due = self._schedule.next(self._network.clock())
            if isinstance(due, AskNow):
                tasks.create_task(self._ask(due.peer))
            else:
                await _until(due.until, self._asks)

    async def _ask(self, peer: PeerId) -> None:
        with _logged("asking", peer):
            socket = self._socket(peer)
            teller = teller_at(socket.remote_addr if socket is not None else None)
            answer = await self._exchange(socket, teller) if socket is not None else None
            gained = await self._take(answer.entries, peer, teller) if answer is not None else 0
            more = answer is not None and answer.more and gained > 0
            self._schedule.answered(peer, self._network.clock(), more=more)
        self._schedule.failed(peer)
        self._asks.set()

    async def _exchange(self, socket: Socket, teller: Reach) -> Answer:
        doubtful = self._doubts.asks(socket.peer_id, teller)
        newest = [(peer, version) for peer, version in self._spread.newest() if peer not in doubtful]
        known = Known.of(newest, self._entropy.bytes(SALT_BYTES))
        stream = await self._network.open_stream(socket, PROTOCOL, timeout_s=TIMEOUT_S)
        try:
            stream.write_nowait(frame(Ask(known).to_bytes()))
            return Answer.from_bytes(await _read(stream, ANSWER_BYTES_MAX))
        finally:
            stream.close_nowait()

    # --- answering ----------------------------------------------------------------------------------------

    async def _serve(self, stream: Stream) -> None:
        socket = stream.socket
        if self._serving[socket] >= STREAMS_MAX or self._book.is_blocked(stream.peer_id):
            stream.reset()
            return
        self._serving[socket] += 1
        try:
            call = read_call(await _read(stream, CALL_BYTES_MAX))
            if isinstance(call, Ask):
                await self._answer(stream, call)
            else:
                await self._take(call.entries, stream.peer_id, teller_at(socket.remote_addr))
        finally:
            self._serving[socket] -= 1
            if not self._serving[socket]:
                del self._serving[socket]

    async def _answer(self, stream: Stream, ask: Ask) -> None:
        asker, me = stream.peer_id, self._network.peer_id
        if not self._answers.take(asker, self._network.clock()):
            raise LimitReached("peer exchange", f"{asker} asks too often")
        passed = self._may_pass()

        def exclude(peer: PeerId, version: Version) -> bool:
            return peer in (asker, me) or not passed(peer, version) or (peer, version) in ask.known

        listed, more = await self._book.sample(min(ask.limit, ANSWER_MAX), exclude)
        entries = [*self._own_unless(ask.known), *(one.entry for one in listed)]
        told = fit(entries, ask.limit, ANSWER_BYTES_MAX - _FRAME_BYTES)
        answer = Answer(_told_to(stream.socket, told), more or len(told) < len(entries))
        stream.write_nowait(frame(answer.to_bytes()))

    def _own_unless(self, known: Known) -> Iterator[Entry]:
        own = self._own()
        if (own.record or own.metadata) and read_claim(own) not in known:
            yield own

    # --- taking -------------------------------------------------------------------------------------------

    async def _take(self, entries: Sequence[Entry], source: PeerId, teller: Reach) -> int:
        """Keep and hand on what is new; return how much was. teller: how near `source` is. Raises
        `ProtocolViolation` for bad ones, after the good ones were taken.
        """
        fresh: list[Listed] = []
        bad: ProtocolViolation | None = None
        for number, entry in enumerate(entries, 1):
            try:
                one = self._fresh(entry, source, teller)
            except ProtocolViolation as error:
                bad = bad or error
                continue
            if one is not None:
                fresh.append(one)
            if number % _TURN == 0:
                await asyncio.sleep(0)
        await self._keep(fresh, source)
        if bad is not None:
            raise bad
        return len(fresh)

    def _fresh(self, entry: Entry, source: PeerId, teller: Reach) -> Listed | None:
        """What is new of an entry. Only what claims to be new is checked, and only within the allowance."""
        peer, claim = read_claim(entry)
        known = self._spread.version(peer)
        told_from = teller if peer == source else max(teller, teller_of(entry.told_from))
        if claim.record == known.record and self._doubts.are_settled_by(told_from, peer):
            known = known._replace(record=0)  # the same, from nearer
        if peer == self._network.peer_id or not claim.has_news_for(known):
            return None
        if self._book.is_blocked(peer) or not self._checks.take(source, self._network.clock()):
            return None
        return check(replace(entry, told_from=told_from), known)

    async def _keep(self, fresh: Sequence[Listed], source: PeerId) -> None:
        for one in fresh:
            whole = await self._book.take(one, source)
            if one.entry.record:
                self._doubts.kept(one.peer, teller_of(one.entry.told_from), whole=whole)
            self._remember(one)
            self._spread.learn(one.peer, one.version, source, self._network.clock())
        self._wake()

    def _remember(self, one: Listed) -> None:
        """Keep what is new in memory for a while; a half of something older is looked up again."""
        self._recent.pop(one.peer, None)
        if one.version.has_all_of(self._spread.version(one.peer)):
            self._recent[one.peer] = one.entry
        if len(self._recent) > RECENT_MAX:
            self._recent.popitem(last=False)


def _told_to(socket: Socket, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """As they are told to that peer: from how near, but no nearer than it is itself."""
    listener = teller_at(socket.remote_addr)
    return tuple(replace(one, told_from=max(listener, teller_of(one.told_from))) for one in entries)


async def _read(stream: Stream, bytes_max: int) -> bytes:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await stream.read_frame(bytes_max)
    except TimeoutError as error:
        raise ProtocolViolation(f"peer exchange: no message within {TIMEOUT_S:g} s") from error


async def _until(until: float | None, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await event.wait()


@contextlib.contextmanager
def _logged(doing: str, peer: PeerId) -> Iterator[None]:
    """What goes wrong with one peer is its affair."""
    try:
        yield
    except WarrenError as error:
        logger.debug("%s %s: %s", doing, peer, error)
