"""What the overlay needs from beside: an index, its words, the DHT. `parts_overlay.py` ties them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence

    from warren.core.found import Found
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.core.query import Query


class PublicIndex(Protocol):
    """What is registered here for everybody to see."""

    async def find(self, query: Query) -> Sequence[Found]:
        """Public entries alone, `query.limit` contents at most. Raises `WarrenError`."""
        ...


class WordsChange(Protocol):
    """What became of the public words of one owner."""

    @property
    def added(self) -> Collection[str]:
        """Words that it has now."""
        ...

    @property
    def removed(self) -> Collection[str]:
        """Words that it has no more."""
        ...


class PublicWords(Protocol):
    """The words of public entries whose owners are online."""

    def changes(self) -> AsyncIterator[WordsChange]:
        """What changed since the last call; it ends when all was told."""
        ...


class Holder(NamedTuple):
    """A super-peer that says in the DHT to have a word, and where it is."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...]


class Rare(Protocol):
    """The DHT, as far as rare words go."""

    async def provide(self, word: str) -> None:
        """Say that this node has a word. It holds for a day or two. Raises `WarrenError`."""
        ...

    def withdraw(self, word: str) -> None:
        """Say so no more. What others keep of it stays until it has grown old."""
        ...

    def find(self, word: str) -> AsyncGenerator[Holder, None]:
        """Who has it, as they are found, a score at most. Raises `WarrenError`."""
        ...
