"""What is learnt of peers and waits to be written: many small things become one transaction. Pure.

In:  news of single peers. Out: one `Note` for each peer, in which the newest word on each matter holds.
A thousand peers that answer every fifteen seconds must not make the disk work for each answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.core.reach import Reach, believable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.services.peers.model import Figure, State

# Attack: a peer that is told of under ever new addresses. The table keeps no more of one peer.
ADDRESSES_MAX: Final = 16


@dataclass(eq=False, slots=True)
class Signed:
    """A signed envelope that waits; already verified. addresses, entries: what is in it. told_from: from how
    near it was told.
    """

    seq: int
    envelope: bytes
    addresses: tuple[Multiaddr, ...] = ()
    entries: Mapping[str, str] = field(default_factory=dict)
    told_from: Reach = Reach.PUBLIC
    believed: set[Multiaddr] = field(init=False)
    """Those of the addresses that somebody told of who may."""

    def __post_init__(self) -> None:
        self.believed = set(believable(self.addresses, self.told_from))

    def also_told(self, before: Signed) -> None:
        """Somebody told of `before`, too, which is older or the same: whoever is nearest is believed."""
        self.believed |= before.believed.intersection(self.addresses)
        if before.envelope == self.envelope:
            self.told_from = min(self.told_from, before.told_from)


@dataclass(slots=True)
class Note:
    """News of one peer. None, empty: nothing new. Times are Unix seconds.

    began_at, touched_at: of the first and the last of them. introduces: they are enough to take up a peer
    that the table does not hold.
    """

    began_at: float = 0.0
    touched_at: float = 0.0
    introduces: bool = False
    seen_at: float | None = None
    host: str | None = None
    latency: Figure | None = None
    jitter_s: float | None = None
    response: Figure | None = None
    download: Figure | None = None
    upload: Figure | None = None
    state: State | None = None
    public: bool | None = None
    agent: str | None = None
    roles: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()
    told: dict[Multiaddr, float] = field(default_factory=dict)
    proven: dict[Multiaddr, float] = field(default_factory=dict)
    record: Signed | None = None
    metadata: Signed | None = None

    def tell(self, addresses: Iterable[Multiaddr], at: float) -> None:
        """Somebody said that it may be reached at `addresses`."""
        _remember(self.told, addresses, at)

    def prove(self, address: Multiaddr, at: float) -> None:
        """A handshake at `address` met its key."""
        _remember(self.proven, [address], at)

    def add_source(self, source: str) -> None:
        """How it became known."""
        if source and source not in self.sources:
            self.sources = (*self.sources, source)

    def under(self, newer: Note) -> Note:
        """Both notes as one, in which `newer` holds."""
        both = Note(self.began_at, introduces=self.introduces or newer.introduces)
        for name in _PLAIN:
            mine, theirs = getattr(self, name), getattr(newer, name)
            setattr(both, name, mine if theirs is None else theirs)
        both.sources = tuple(dict.fromkeys((*self.sources, *newer.sources)))
        for note in (self, newer):
            for known, out in ((note.told, both.told), (note.proven, both.proven)):
                for address, at in known.items():
                    _remember(out, [address], at)
        both.record = _higher(self.record, newer.record)
        both.metadata = _higher(self.metadata, newer.metadata)
        return both


_PLAIN: Final = (
    *("touched_at", "seen_at", "host", "state", "public", "agent", "roles"),
    *("latency", "jitter_s", "response", "download", "upload"),
)


class Notes:
    """The notes of many peers."""

    __slots__ = ("_by_peer",)

    def __init__(self) -> None:
        self._by_peer: dict[PeerId, Note] = {}

    def __len__(self) -> int:
        return len(self._by_peer)

    def of(self, peer: PeerId, at: float) -> Note:
        """The note of `peer`, to be written on at the time `at`."""
        note = self._by_peer.setdefault(peer, Note(at))
        note.touched_at = at
        return note

    def drop(self, peer: PeerId) -> None:
        """Nothing that was noted of `peer` counts any more."""
        self._by_peer.pop(peer, None)

    def drop_oldest(self, keep: int) -> int:
        """Let go of all but `keep`; return of how many."""
        over = max(len(self._by_peer) - keep, 0)
        for peer in list(self._by_peer)[:over]:
            del self._by_peer[peer]
        return over

    def take(self) -> dict[PeerId, Note]:
        """All notes, which are no longer here."""
        taken, self._by_peer = self._by_peer, {}
        return taken

    def put_back(self, taken: dict[PeerId, Note]) -> None:
        """What was taken could not be written: it waits again, under what has come since."""
        newer, self._by_peer = self._by_peer, taken
        for peer, note in newer.items():
            older = taken.pop(peer, None)
            taken[peer] = note if older is None else older.under(note)

    def __iter__(self) -> Iterator[PeerId]:
        return iter(self._by_peer)


def offer(waiting: Signed | None, new: Signed) -> Signed:
    """Which of two envelopes of one peer waits on: the higher number; of equal ones the first.

    What was believed of the other one's addresses stays believed where this one names them as well.
    """
    if waiting is None:
        return new
    if new.seq > waiting.seq:
        new.also_told(waiting)
        return new
    if new.envelope == waiting.envelope:
        waiting.also_told(new)
    return waiting


def _higher(older: Signed | None, newer: Signed | None) -> Signed | None:
    return older if newer is None else offer(older, newer)


def _remember(known: dict[Multiaddr, float], addresses: Iterable[Multiaddr], at: float) -> None:
    for address in addresses:
        bare = address.without_peer()
        known.pop(bare, None)
        known[bare] = at
        if len(known) > ADDRESSES_MAX:
            del known[next(iter(known))]
