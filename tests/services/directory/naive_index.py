"""An index as anybody would write it: dictionaries, and a look at each entry. Real ones are held to it."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING

from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.peer_id import PeerId
from warren.core.words import words
from warren.protocols.directory.entries import Registered
from warren.services.directory.index.interface import PUBLIC, Gap, Position, Stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from warren.core.entry import EntryKind
    from warren.core.query import Query

NOTHING = Metadata()
FRIENDS = 7
"""An audience: that owner's `friends`."""


def peer(number: object) -> PeerId:
    return PeerId(b"\x12\x20" + sha256(str(number).encode()).digest())


def cid(text: str) -> Cid:
    return Cid.raw_sha256(sha256(text.encode()).digest())


def listed(
    path: str,
    content: str = "",
    *,
    kind: EntryKind = "file",
    size: int = 5,
    metadata: Metadata = NOTHING,
    audience: int = PUBLIC,
) -> Registered:
    return Registered(Entry(path, kind, size, cid(content or path), metadata), audience)


class NaiveIndex:
    """The same as `interface.Index`, at once and without a store."""

    def __init__(self) -> None:
        self.entries: dict[PeerId, dict[str, Registered]] = {}
        self.positions: dict[PeerId, Position] = {}
        self.online: set[PeerId] = set()
        self.friends: set[tuple[PeerId, PeerId]] = set()

    def admits(self, owner: PeerId, audience: int, asker: PeerId) -> bool:
        return audience == FRIENDS and (owner, asker) in self.friends

    def replace(self, owner: PeerId, epoch: int, seq: int, entries: Iterable[Registered]) -> None:
        if owner in self.positions and Position(epoch, seq) < self.positions[owner]:
            raise Stale(self.positions[owner])
        self.positions[owner] = Position(epoch, seq)
        self.entries[owner] = {one.entry.path: one for one in entries}

    def apply(
        self,
        owner: PeerId,
        epoch: int,
        from_seq: int,
        to_seq: int,
        added: Sequence[Registered],
        removed: Sequence[str],
    ) -> None:
        position = self.positions.get(owner)
        if position is None or position.epoch != epoch or position.seq < from_seq:
            raise Gap(position)
        if to_seq > position.seq:
            self.positions[owner] = Position(epoch, to_seq)
            for path in removed:
                self.entries[owner].pop(path, None)
            self.entries[owner] |= {one.entry.path: one for one in added}

    def forget(self, owner: PeerId) -> None:
        self.positions.pop(owner, None)
        self.entries.pop(owner, None)

    def search(self, query: Query, asker: PeerId | None) -> dict[Cid, dict[tuple[PeerId, Entry], bool]]:
        """(owner, entry) -> online, for each content id."""
        found: dict[Cid, dict[tuple[PeerId, Entry], bool]] = {}
        for owner, entries in self.entries.items():
            for entry, audience in entries.values():
                seen = audience == PUBLIC or (asker is not None and self.admits(owner, audience, asker))
                online = owner in self.online
                if seen and (online or not query.online) and fits(entry, query):
                    found.setdefault(entry.cid, {})[owner, entry] = online
        return found

    def public_words(self) -> Counter[str]:
        """How many online owners have each word."""
        return Counter(
            word
            for owner in self.online
            for word in {
                word
                for entry, audience in self.entries.get(owner, {}).values()
                if audience == PUBLIC
                for word in words_of(entry)
            }
        )


def words_of(entry: Entry) -> set[str]:
    about = entry.metadata
    texts = (entry.path, about.title, about.abstract, *about.authors, *about.domains, *about.tags)
    return {word for text in texts for word in words(text)}


def fits(entry: Entry, query: Query) -> bool:
    if query.cid is not None and entry.cid != query.cid:
        return False
    if query.size_min is not None and entry.size < query.size_min:
        return False
    if query.size_max is not None and entry.size > query.size_max:
        return False
    kind = "dir" if entry.kind == "dir" else entry.suffix
    if query.suffixes and (not kind or kind not in query.suffixes or not words(kind)):
        return False
    wanted = [(word, term.whole) for term in query.terms for word in words(term.word)]
    authors, domains = words(query.author), words(query.domain)
    if not (wanted or query.suffixes or authors or domains) or (query.terms and not wanted):
        return False
    return (
        all(_has(words_of(entry), *term) for term in wanted)
        and _has_all(authors, entry.metadata.authors)
        and _has_all(domains, entry.metadata.domains)
    )


def _has_all(beginnings: list[str], texts: tuple[str, ...]) -> bool:
    there = {word for text in texts for word in words(text)}
    return all(any(word.startswith(one) for word in there) for one in beginnings)


def _has(there: set[str], word: str, whole: bool) -> bool:
    if whole or (len(word) == 1 and word < "\u2e80"):
        return word in there
    return any(one.startswith(word) for one in there)
