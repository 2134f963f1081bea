"""What the queue of transfers is made of: what is wanted, how it stands, events.

In:  facts from the queue, and from who fetches. Out: frozen values that frontends show. A `Want` refuses what
names nothing, and caps below 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError
from warren.services.files.queue.machine import PRIORITY_DEFAULT
from warren.services.files.queue.selection import Selection

if TYPE_CHECKING:
    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.services.files.queue.machine import Cause, State
    from warren.services.files.queue.window import Window
    from warren.services.files.types import Fetched, Progress, SourceState

PEERS_MAX: Final = 64
"""Named as holders of one transfer."""
REF_CHARS_MAX: Final = 8192


@dataclass(frozen=True, slots=True)
class Want:
    """What is to be fetched, and how.

    path: at the first of `peers`; "" where `cid` says what it is. peers: who has it, as far as is known.
    only: nobody else is asked. folder: absolute, where it goes. name: what it is called there; None: as it is
    called at its source. cap_bytes_per_s: 0 is none. keep: it is shared with others once it is here.
    """

    folder: str
    cid: Cid | None = None
    path: str = ""
    peers: tuple[PeerId, ...] = ()
    only: bool = False
    name: str | None = None
    selection: Selection = field(default_factory=Selection)
    keep: bool = True
    cap_bytes_per_s: int = 0
    priority: int = PRIORITY_DEFAULT
    window: Window | None = None

    def __post_init__(self) -> None:
        if self.cid is None and not (self.path.strip("/") and self.peers):
            raise InputError("name what to fetch", hint="PEER/SHARE, PEER/SHARE/PATH or a content id")
        if self.only and not self.peers:
            raise InputError("only peers that are named can be the only ones", hint="name one: --from PEER")
        if len(self.path) > REF_CHARS_MAX or len(self.peers) > PEERS_MAX:
            raise InputError(
                f"a transfer has a path of {REF_CHARS_MAX} characters and {PEERS_MAX} peers at most"
            )
        if self.cap_bytes_per_s < 0:
            raise InputError("a cap is 0 (none) or above", hint="write for instance 5M, in bytes a second")

    def is_same(self, other: Want) -> bool:
        """Whether both come to the same files in the same place."""
        mine, its = ((one.cid, one.path, one.folder, one.name, one.selection) for one in (self, other))
        return mine == its and (not self.path or self.peers[0] == other.peers[0])


@dataclass(frozen=True, slots=True)
class DroppedSource:
    """A source that was let go. reason: what it did, or could not do. at: seconds since 1970."""

    peer: PeerId
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class QueuedTransfer:
    """A transfer as it stands.

    number: its own for ever. name: what is fetched, in the best words known. root: its content id, once
    known.
    state: `queued`, `running`, `waiting` (for holders), `paused` (cause: `user`, `disk` or `hours`),
    `failed`, `done`. reason, hint: of the last failure or pause; error: the class of that failure in
    `core.errors`.
    retry_at: seconds since 1970, while it waits or the disk is full. path: where it lies, once it is done.
    bytes_per_s: what comes now. dropped: the newest last.
    """

    number: int
    want: Want
    name: str
    state: State
    root: Cid | None = None
    cause: Cause = ""
    reason: str = ""
    hint: str = ""
    error: str = ""
    retry_at: float | None = None
    progress: Progress | None = None
    bytes_per_s: float = 0.0
    sources: tuple[SourceState, ...] = ()
    dropped: tuple[DroppedSource, ...] = ()
    path: str = ""
    added_at: float = 0.0
    ended_at: float | None = None
    outcome: Fetched | None = None

    @property
    def left_s(self) -> float | None:
        """How long it will take at what comes now; None: nobody can say."""
        if self.state != "running" or self.progress is None or self.bytes_per_s <= 0:
            return None
        left = self.progress.total_bytes - self.progress.done_bytes
        return left / self.bytes_per_s if self.progress.total_bytes else None


@dataclass(frozen=True, slots=True)
class Limits:
    """What all transfers together may move, in bytes a second; 0: no limit."""

    down_bytes_per_s: int = 0
    up_bytes_per_s: int = 0


@dataclass(frozen=True, slots=True)
class TransferChanged:
    """Event: a transfer is in another state, or (once a second at most) further than it was."""

    number: int
    name: str
    state: State
    cause: Cause
    reason: str
    done_bytes: int
    total_bytes: int
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class TransferRemoved:
    """Event: a transfer is no longer in the list."""

    number: int
