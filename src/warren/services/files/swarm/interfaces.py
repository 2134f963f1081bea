"""What the engine needs of others: who has what is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId


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
