"""What a super-peer asks of its inverted index, whatever that is kept in.

In:  registrations of owners as snapshots and deltas, who is online, whom an audience admits. Out: what a
query finds and its asker may see, and the words of what is public. It does not matter where deltas come from:
who signed them, and whether their sender may, is settled before.

One suite holds every implementation to this: `tests/services/directory/conformance_index.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from warren.core.errors import MisuseError, WarrenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence

    from warren.core.found import Found
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.protocols.directory.entries import Registered

PUBLIC: Final = 0
"""The audience that admits everybody, in the table of every owner."""

HOLDERS_MAX: Final = 16
"""Entries that a page has of one content id, online ones first. Attack: ten thousand identities that hold the
same file and leave no room for others on a page."""

COUNTED_MIN: Final = 50
"""Content ids that are counted and ranked for one query, if there are so many; of more perhaps not all."""


class Position(NamedTuple):
    """How far a registration has come. They are ordered: a later epoch comes after all of an earlier one.

    epoch: of the owner's log, which is a later one each time that log begins anew. seq: the last change of
    the log that is in.
    """

    epoch: int
    seq: int


class Gap(WarrenError):
    """A delta does not follow what the index has of its owner: only a snapshot can.

    `position` is what the index has; None: nothing.
    """

    def __init__(self, position: Position | None) -> None:
        super().__init__(f"the delta does not follow {position}", hint="send all entries anew")
        self.position = position


def check_span(from_seq: int, to_seq: int) -> None:
    """Raises `MisuseError` for a delta that ends before it begins."""
    if to_seq < from_seq:
        raise MisuseError(f"a delta cannot end at {to_seq} before it begins at {from_seq}")


class Stale(WarrenError):
    """A snapshot is older than what the index has of its owner; `position` is what it has.

    An honest owner meets this when its log was lost: it begins one of a later epoch.
    """

    def __init__(self, position: Position) -> None:
        super().__init__(f"the snapshot is older than {position}", hint="begin a later epoch")
        self.position = position


class Results(NamedTuple):
    """A page of what a query found.

    hits: entries, best first; those of one content id stand together, online ones first, `HOLDERS_MAX` of
    them at most. total: content ids that the query finds, on this page and others; there are more if not
    `exact`.
    """

    hits: Sequence[Found]
    total: int
    exact: bool


class WordsChange(NamedTuple):
    """What became of the public words of one owner. No word is in both.

    added: words that its public entries have now, and had not when last told (all, if it came online).
    removed: words that they had, and have no more (all, if it went offline or was forgotten).
    """

    added: Collection[str]
    removed: Collection[str]


class PublicWords(Protocol):
    """The words of public entries of online owners, told as changes to one reader.

    A reader who adds one to a counter for each word `added`, and takes one away for each `removed`, has in it
    how many online owners have the word in a public entry; a counting Bloom filter will do. Words are those
    that `core.words` makes of all that a search looks in. Offline owners and other audiences are in none.
    """

    def changes(self) -> AsyncIterator[WordsChange]:
        """What changed since the last call; one change for each owner, none without a difference.

        It ends when all was told: ask again when the next summary is due (what comes and goes between two
        calls costs nothing). A change counts as told once it was yielded; one reader at a time.
        """
        ...


Admits: TypeAlias = "Callable[[PeerId, int, PeerId], bool]"
"""(owner, audience, asker) -> whether the asker may see what the owner registered for that audience. Not
asked for `PUBLIC`, nor where there is no asker. It must be quick: a search asks it for each owner and each
audience that it meets, in the loop's thread or another."""


class Index(Protocol):
    """The inverted index. Raises `StorageError` where its store fails, and `Closed` after `close`.

    Positions decide what a delta is worth: one that comes twice is applied once. Calls for one owner take
    effect in the order in which they were made, and every search sees each of them whole or not at all.
    """

    async def replace(self, owner: PeerId, epoch: int, seq: int, entries: Iterable[Registered]) -> None:
        """Take a snapshot: from now on the owner has these entries and no others.

        The old ones are found until shortly before this returns. entries: each path once, else the last one
        counts; read in pieces, in another thread perhaps, and what it raises is raised here. What is at the
        position that the index has is taken again. Raises `Stale` for what is older; `Gap` where others were
        told more, if it is shared with them.
        """
        ...

    async def apply(
        self,
        owner: PeerId,
        epoch: int,
        from_seq: int,
        to_seq: int,
        added: Sequence[Registered],
        removed: Sequence[str],
    ) -> None:
        """Take a delta: the last state of each path that changed after `from_seq`, up to `to_seq`.

        removed: paths, of which those it does not have are passed over; they go first, so that a path in both
        is replaced. added: an entry replaces the one at its path. Does nothing where the index has `to_seq`
        of that epoch or more. May begin before what the index has (a delta holds last states). Raises `Gap`
        where it begins after that, and where epochs differ; `MisuseError` if it ends before it begins.
        """
        ...

    def position(self, owner: PeerId) -> Position | None:
        """How far the owner's registration has come; None: it has none. Told once it is committed."""
        ...

    def owners(self) -> list[PeerId]:
        """Who has a registration, online or not."""
        ...

    def size(self, owner: PeerId) -> int:
        """How many entries the owner has registered."""
        ...

    def set_online(self, owner: PeerId, online: bool) -> None:
        """Say whether an owner is online. Nobody is, at the start.

        Takes effect in every search that begins after it. Of an offline owner entries are found as `online`
        false, and not at all by a query for what is online.
        """
        ...

    def set_admits(self, admits: Admits) -> None:
        """Say who decides about audiences. Until then only what is public is found."""
        ...

    async def search(self, query: Query, asker: PeerId | None) -> Results:
        """Find what has all words and meets all filters, and what the asker may see; None: what is public.

        Words are looked for in path, title, authors, domains, tags and abstract; a term of one letter or
        digit (before U+2E80, where scripts begin in which one character is a word) is a whole word.

        What the asker may not see has no influence on hits, scores and total. Limit and offset of the query
        count content ids.
        """
        ...

    async def forget(self, owner: PeerId) -> None:
        """Take all entries of an owner away, and its position.

        No search that begins after this call finds them.
        """
        ...

    def public_words(self) -> PublicWords:
        """The public words, for a new reader, who has been told nothing yet."""
        ...

    async def close(self) -> None:
        """End what goes on in the background. Closing twice is harmless."""
        ...
