"""The swarms that this node is in: what it holds or fetches, what others have of that, and who they are.

In:  fetches under way (`Partial`), questions of the fetching side, requests of peers by `protocols.swarm`.
Out: what a peer has of a root and for whom that is; answers to those who may have a root, and the same answer
to all others as if nothing were here; who else wants it.

Whether a peer may have something is one rule (`admission.py`) for shares, replicas and fetches; what a fetch
under way has is for those for whom all its sources are (`Partial.use`). Only they are told what it has, be it
that they ask or are asked; and only of fellows whom the same rule admits.

docs/protocols/swarm.md
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import ContentUnknown, LimitReached, ProtocolViolation
from warren.core.peer_record import PeerRecord
from warren.core.reach import believable, teller_at, teller_of
from warren.protocols.swarm.messages import (
    FELLOWS_MAX,
    RECORD_BYTES_MAX,
    SEGMENTS_MAX,
    UNKNOWN,
    Answer,
    Ask,
    Fellow,
    Holding,
    Version,
)
from warren.protocols.swarm.protocol import SwarmProtocol
from warren.services.files.swarm.admission import Rule
from warren.services.files.swarm.fellows import Fellows
from warren.services.files.swarm.holdings import NOTHING, Heard, Holdings
from warren.services.files.swarm.partial import PUBLIC
from warren.services.files.swarm.rounds import Rounds
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from warren.core.cid import Cid
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.core.reach import Reach
    from warren.network.network import Network
    from warren.services.files.swarm.admission import Admission
    from warren.services.files.swarm.bits import Bits
    from warren.services.files.swarm.partial import Partial

PLACES_MAX: Final = 1024
"""Fellows whose addresses are remembered until they are asked. Attack: fellows without end."""
PLACE_S: Final = 600.0
"""For so long the addresses of a fellow are good for dialling it."""
_NOT_FOUND: Final = Answer("not found")
_OWN_WILL: Final = frozenset({"contacts", "group", "peers"})
"""Who shares so is the origin, and gives tickets."""


class Shelf(Protocol):
    """What is shared here, replicas included."""

    async def find_root(self, peer: PeerId, root: Cid) -> Collection[Rule]:
        """Those of what `peer` may see that hold all of `root`."""
        ...

    def origins(self, root: Cid) -> Collection[PeerId]:
        """Of the replicas of `root`: who tells who may have them."""
        ...


class Records(Protocol):
    """What peers signed of themselves."""

    async def of(self, peers: Sequence[PeerId]) -> Mapping[PeerId, tuple[bytes, int]]:
        """Of these peers: their records that may be passed on, and the `Reach` each was told from. None of
        blocked ones.
        """
        ...


@dataclass(frozen=True, slots=True)
class PeerHolding:
    """What a peer has of a root, as it says.

    complete: all of it; else `bits` are its leaves. While the root is fetched here the same map grows with
    what it tells later; `gained` and `lost` are the numbers that changed since the last time. word: for whom
    it is: everyone, those of an origin, or nobody that it would say of (see `Partial.use`). fellows: others
    whom it names. lead: where to begin with what it is asked for now, modulo the leaves; see `rounds.py`.
    """

    complete: bool
    bits: Bits
    word: Audience | None
    gained: Sequence[int] = ()
    lost: Sequence[int] = ()
    fellows: tuple[PeerId, ...] = ()
    lead: int | None = None

    @property
    def public(self) -> bool:
        """Whether it is for everyone."""
        return self.word == PUBLIC


class _Fetching:
    """A root that is being fetched, maybe into several folders. partials: with the epochs of their maps."""

    __slots__ = ("holdings", "partials")

    def __init__(self) -> None:
        self.partials: dict[Partial, int] = {}
        self.holdings = Holdings()

    def holding(self, partial: Partial, known: Version) -> Holding:
        """What a partial has, for who knows so much of it."""
        if partial.complete:
            return Holding(complete=True)
        epoch, bits = self.partials.get(partial, 0), partial.bits
        since = known.number if known.epoch == epoch and known.number <= bits.version else 0
        segments, reached = bits.since(since, SEGMENTS_MAX)
        return Holding(False, Version(epoch, reached), since, tuple(segments))


class Swarms:
    """Of one node; it answers from now on. shelf: set by whoever has it, before anything is shared."""

    def __init__(self, network: Network, admission: Admission, records: Records) -> None:
        self._network = network
        self._entropy = network.runtime.entropy
        self.admission = admission
        self.tickets = admission.tickets
        self._records = records
        self._fetching: dict[Cid, _Fetching] = {}
        self._fellows = Fellows(self._entropy)
        self._rounds = Rounds(self._entropy)
        self._places: OrderedDict[PeerId, tuple[Multiaddr, ...]] = OrderedDict()
        self._listeners: list[Callable[[Cid, PeerId, PeerHolding], None]] = []
        self._protocol = SwarmProtocol(network, self)
        self.shelf: Shelf | None = None
        self.on_exchanged: Callable[[Cid, PeerId, PeerHolding], None] = lambda *_: None
        """Called with what each peer that was asked says to have."""

    # --- the fetching side --------------------------------------------------------------------------------

    def begin(self, partial: Partial) -> None:
        """A fetch is under way: what it has is served to those for whom it is, until `end`."""
        fetching = self._fetching.setdefault(partial.root, _Fetching())
        fetching.partials[partial] = int.from_bytes(self._entropy.bytes(8)) | 1

    def end(self, partial: Partial) -> None:
        """It is over, or its content is served as a share from now on. Ending it twice is harmless."""
        fetching = self._fetching.get(partial.root)
        if fetching is not None:
            fetching.partials.pop(partial, None)
            if not fetching.partials:
                del self._fetching[partial.root]
        partial.close()

    async def exchange(self, peer: PeerId, root: Cid, *, turn: bool = False) -> PeerHolding:
        """Ask a peer what it has of `root`, and tell it what this node has, if it is fetched here. turn: it
        lets us ask for a piece now.

        Connects if need be, also where only a fellow told where that is. Raises `ContentUnknown` where it has
        nothing that is for us, `LimitReached` where we ask too often, `ProtocolNotSupported`,
        `ProtocolViolation`, and what connecting raises.
        """
        self._recall_place(peer)
        fetching = self._fetching.get(root)
        heard = fetching.holdings.note(peer, asked=True) if fetching is not None else None
        ask = Ask(root, self.tickets.held(root), self._mine(fetching, heard, peer), _known(heard), turn)
        answer = await self._protocol.ask(peer, ask)
        match answer.status:
            case "busy":
                raise LimitReached("protocols.swarm.ASKS", f"{peer} is asked too often", hint="wait a while")
            case "not found":
                self._fellows.gone(root, peer)
                raise ContentUnknown(f"{peer} has nothing of {root} that is for us (any more)")
            case _:
                pass
        word = self._word(peer, root, answer)
        fellows = self._take_fellows(peer, answer.fellows)
        self._fellows.asked(root, peer, self._network.clock())
        if fetching is None or heard is None:  # nobody fetches it here: what it says is told once
            fetching, heard = _Fetching(), Heard()
        heard.knows = answer.known
        change = fetching.holdings.take(heard, answer.holding)
        lead = answer.lead - 1 if answer.lead else None
        holding = PeerHolding(heard.complete, heard.bits, word, change.gained, change.lost, fellows, lead)
        self.on_exchanged(root, peer, holding)
        return holding

    def on_heard(self, callback: Callable[[Cid, PeerId, PeerHolding], None]) -> None:
        """Have `callback` told of each peer that asked for a root which is being fetched here, and may have
        it: (root, peer, what it has as far as it told). `word` is None: for whom it has it is to be asked.
        """
        self._listeners.append(callback)

    def _mine(self, fetching: _Fetching | None, heard: Heard | None, peer: PeerId) -> Holding | None:
        """What this node has of a root, if that is for `peer`."""
        partial = self._partial_for(fetching, peer)
        if fetching is None or partial is None:
            return None
        return fetching.holding(partial, heard.knows if heard is not None else UNKNOWN)

    def _partial_for(self, fetching: _Fetching | None, peer: PeerId) -> Partial | None:
        """The first fetch of a root whose content is for `peer`."""
        if fetching is None:
            return None
        return next((one for one in fetching.partials if self._is_for(one, peer)), None)

    def _is_for(self, partial: Partial, peer: PeerId) -> bool:
        audience = partial.audience
        return audience is not None and self.admission.admits(Rule(audience, partial.root), peer)

    def _word(self, peer: PeerId, root: Cid, answer: Answer) -> Audience | None:
        """For whom a peer says its content is. Raises `ProtocolViolation`."""
        if answer.public:
            return PUBLIC
        if answer.ticket:
            self.tickets.keep(answer.ticket, root, peer)
            return Audience("origin", (peer,))
        if answer.origin is not None and self.tickets.holds(root, answer.origin):
            return Audience("origin", (answer.origin,))
        return None

    # --- fellows ------------------------------------------------------------------------------------------

    def _take_fellows(self, teller: PeerId, fellows: Sequence[Fellow]) -> tuple[PeerId, ...]:
        """Remember where they say they are, as far as `teller` is believed. Raises `ProtocolViolation`."""
        at = self._reach(teller)
        named: list[PeerId] = []
        for one in fellows:
            if one.peer in {self._network.peer_id, teller}:
                continue
            named.append(one.peer)
            if one.record and not self._network.is_connected(one.peer):
                record = PeerRecord.open(one.record)
                if record.peer_id != one.peer:
                    raise ProtocolViolation(f"{teller} names {one.peer} with a record of {record.peer_id}")
                addresses = believable(record.addrs, max(at, teller_of(one.told_from)))
                self._places[one.peer] = addresses
                self._places.move_to_end(one.peer)
                if len(self._places) > PLACES_MAX:
                    self._places.popitem(last=False)
        return tuple(named)

    def _recall_place(self, peer: PeerId) -> None:
        addresses = self._places.pop(peer, ())
        if addresses and not self._network.is_connected(peer):
            self._network.add_addresses(peer, addresses, PLACE_S)

    async def _tell_fellows(self, asker: PeerId, root: Cid, rules: Sequence[Rule]) -> tuple[Fellow, ...]:
        def may_tell(peer: PeerId) -> bool:
            return any(self.admission.admits(rule, peer) for rule in rules)

        now = self._network.clock()
        self._fellows.asked(root, asker, now)
        chosen = self._fellows.news(root, asker, FELLOWS_MAX, now, may_tell)
        records = await self._records.of(chosen) if chosen else {}
        listener = self._reach(asker)
        return tuple(
            Fellow(peer, record, max(listener, teller_of(told_from)))
            for peer, (record, told_from) in records.items()
            if len(record) <= RECORD_BYTES_MAX
        )

    def _reach(self, peer: PeerId) -> Reach:
        """From how near a peer speaks."""
        sockets = self._network.sockets(peer)
        return min((teller_at(socket.remote_addr) for socket in sockets), default=teller_at(None))

    # --- the answering side -------------------------------------------------------------------------------

    def partials_for(self, peer: PeerId) -> list[Partial]:
        """The fetches under way whose content is for `peer`."""
        if not self._fetching:
            return []
        admits = self.admission.of(peer)
        return [
            partial
            for fetching in self._fetching.values()
            for partial in fetching.partials
            if partial.audience is not None and admits(Rule(partial.audience, partial.root))
        ]

    async def answer(self, asker: PeerId, ask: Ask) -> Answer:
        """See `protocols.swarm.protocol.Member`."""
        root = ask.root
        self.tickets.show(asker, root, ask.tickets, self._origins(root))
        shared = await self.shelf.find_root(asker, root) if self.shelf is not None else ()
        fetching = self._fetching.get(root)
        partial = self._partial_for(fetching, asker)
        rules = list(shared)
        if partial is not None and partial.audience is not None:
            rules.append(Rule(partial.audience, root))
        if not rules:
            return _NOT_FOUND
        fellows = await self._tell_fellows(asker, root, rules)
        public = any(rule.audience == PUBLIC for rule in rules)
        gives = not public and any(rule.audience.kind in _OWN_WILL for rule in rules)
        origins = () if public or gives else [rule.audience.origin for rule in rules]
        holding, known = Holding(complete=bool(shared)), UNKNOWN
        if fetching is not None and partial is not None:
            known = self._hear(fetching, root, asker, ask.mine)
            if not shared:
                holding = fetching.holding(partial, ask.known)
        return Answer(
            public=public,
            ticket=self.tickets.give(root, asker) if gives else b"",
            origin=next(iter(origins), None),
            holding=holding,
            known=known,
            fellows=fellows,
            lead=1 + self._rounds.take(root) if ask.turn and shared else 0,
        )

    def _hear(self, fetching: _Fetching, root: Cid, asker: PeerId, mine: Holding | None) -> Version:
        """An asker tells what it has; what is known of that now."""
        heard = fetching.holdings.note(asker, asked=False)
        if heard is None:
            return UNKNOWN
        change = fetching.holdings.take(heard, mine) if mine is not None else NOTHING
        told = PeerHolding(heard.complete, heard.bits, None, change.gained, change.lost)
        for callback in self._listeners:
            callback(root, asker, told)
        return heard.version

    def _origins(self, root: Cid) -> set[PeerId]:
        """Whose tickets for `root` are worth anything here."""
        origins = set(self.shelf.origins(root)) if self.shelf is not None else set()
        fetching = self._fetching.get(root)
        for partial in fetching.partials if fetching is not None else ():
            if partial.audience is not None and partial.audience.origin is not None:
                origins.add(partial.audience.origin)
        return origins


def _known(heard: Heard | None) -> Version:
    return heard.version if heard is not None else UNKNOWN
