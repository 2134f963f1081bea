"""What the queue needs of others: who fetches, and who says what goes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import StrPath
    from warren.services.files.transfer import Transfer

UploadPhase: TypeAlias = Literal["active", "waiting"]


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
    ) -> Transfer: ...


@dataclass(frozen=True, slots=True)
class UploadState:
    """What one peer is given of one content. state: `active`, or `waiting` for its turn."""

    peer: PeerId
    root: Cid
    name: str
    bytes_sent: int
    bytes_per_s: float
    state: UploadPhase


class Uploads(Protocol):
    """What goes out."""

    def states(self) -> tuple[UploadState, ...]:
        """Who is given what, now and lately."""
        ...
