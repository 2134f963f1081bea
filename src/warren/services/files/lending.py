"""What is held ready for those who are admitted one by one, and is not shared.

In:  a path, and later the peers that may have it. Out: a share that stands in no listing but theirs, is not
followed, is told to no directory, and is gone once it is taken back, or when the node ends, however it ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from warren.core.errors import LimitReached
from warren.services.files.types import AUDIENCE_PEERS_MAX, Audience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import StrPath
    from warren.services.files.types import Progress, Share

    Report = Callable[[Progress], None] | None


class Lending:
    """Of one library.

    build: hashes what lies at a path under a number of the index; free: lets go of one. held: what is served,
    by number.
    """

    def __init__(
        self,
        build: Callable[[StrPath, Report], Awaitable[tuple[int, Share]]],
        free: Callable[[int], Awaitable[None]],
    ) -> None:
        self._build = build
        self._free = free
        self.held: MutableMapping[int, Share] = {}

    async def lend(self, path: StrPath, progress: Report = None) -> Lent:
        """Hash the file or folder at `path`; nobody may have it yet. Raises what `Library.share` raises."""
        return Lent(self, *await self._build(path, progress))

    def admit(self, number: int, share: Share, peer: PeerId) -> None:
        """Serve it to `peer` as well. Raises LimitReached."""
        before = self.held.get(number)
        peers = before.audience.peers if before is not None else ()
        if peer in peers:
            return
        if len(peers) >= AUDIENCE_PEERS_MAX:
            raise LimitReached(
                "services.files.types.AUDIENCE_PEERS_MAX", f"{AUDIENCE_PEERS_MAX} peers may have it already"
            )
        self.held[number] = replace(share, audience=Audience("peers", (*peers, peer)))

    async def take_back(self, number: int) -> None:
        """Serve it to nobody any more."""
        self.held.pop(number, None)
        await self._free(number)


class Lent:
    """Something that is held ready. share: what it is; its audience says nothing."""

    __slots__ = ("_lending", "_number", "_taken_back", "share")

    def __init__(self, lending: Lending, number: int, share: Share) -> None:
        self._lending = lending
        self._number = number
        self._taken_back = False
        self.share = share

    def admit(self, peer: PeerId) -> None:
        """Let `peer` have it from now on. Raises LimitReached."""
        if not self._taken_back:
            self._lending.admit(self._number, self.share, peer)

    async def take_back(self) -> None:
        """Let nobody have it any more. Doing so twice is harmless."""
        if not self._taken_back:
            self._taken_back = True
            await self._lending.take_back(self._number)
