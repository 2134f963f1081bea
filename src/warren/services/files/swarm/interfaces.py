"""What the engine needs of others: who has what is fetched, and who shares it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.services.files.swarm.bits import Bits
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.types import Audience, Fetched


class Holding(Protocol):
    """What a peer has of a root, as it says; see `swarms.PeerHolding`."""

    @property
    def complete(self) -> bool: ...

    @property
    def bits(self) -> Bits: ...

    @property
    def word(self) -> Audience | None: ...

    @property
    def gained(self) -> Sequence[int]: ...

    @property
    def lost(self) -> Sequence[int]: ...

    @property
    def fellows(self) -> Sequence[PeerId]: ...

    @property
    def lead(self) -> int | None: ...


class Exchange(Protocol):
    """Asks holders what they have."""

    async def exchange(self, peer: PeerId, root: Cid, *, turn: bool = False) -> Holding:
        """What `peer` has of `root`; `gained` and `lost` since it was last told. turn: it is our turn there;
        then `lead` may say which piece to take. See `swarms.Swarms`.
        """
        ...


class Holders(Protocol):
    """Finds out who has a content, whole or in part."""

    def find(self, root: Cid) -> AsyncIterator[PeerId]:
        """Peers that may have `root`, as they are found; it goes on while the fetch does, and may end.

        A peer may come again. The network knows where each can be dialled.
        """
        ...

    def gone(self, root: Cid, peer: PeerId) -> None:
        """`peer` says that it no longer has `root`."""
        ...


class Keeping(Protocol):
    """Shares on what was fetched."""

    async def keep(self, fetched: Fetched, verified: Partial, /) -> object:
        """A fetch came to its end; `verified` has its nodes, and says for whom it is. It fails for no fault
        of the fetch.
        """
        ...
