"""What the queue needs of others: who fetches, and who says what goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import StrPath
    from warren.services.files.transfer import Transfer
    from warren.services.files.uploads.uploads import UploadState


class Fetching(Protocol):
    """Starts fetches; `Fetcher.get` says what of."""

    def get(
        self,
        ref: Cid | str,
        folder: StrPath,
        *,
        peers: Sequence[PeerId] = (),
        name: str | None = None,
        select: Callable[[str], bool] | None = None,
        only: bool = False,
        cap_bytes_per_s: int = 0,
        keep: bool = True,
    ) -> Transfer: ...


class Uploads(Protocol):
    """What goes out."""

    def states(self) -> Sequence[UploadState]:
        """Who is given what, now and lately."""
        ...
