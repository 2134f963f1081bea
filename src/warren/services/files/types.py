"""What the files service shows to those above: shares, entries, progress, outcomes.

In: facts from the index and from transfers. Out: frozen values that frontends print. An `Audience` is also
read from text, and refuses what names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from warren.core.errors import InputError
from warren.core.group_name import group_name
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from warren.core.cid import Cid

AudienceKind: TypeAlias = Literal["contacts", "group", "peers", "public", "origin"]
EntryKind: TypeAlias = Literal["file", "dir", "symlink"]
ShareState: TypeAlias = Literal["watched", "polled", "hashing", "paused", "missing", "changed"]
Phase: TypeAlias = Literal["listing", "hashing", "verifying", "fetching", "finishing"]
SourcePhase: TypeAlias = Literal["connecting", "active", "waiting", "stalled", "dropped", "gone"]

AUDIENCE_PEERS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may see a share: all contacts, a group of them, the named peers, or everyone; or, of what another
    one shares (the origin), those whom that one gave a ticket, and nobody by itself.

    Who is in the group is asked each time: one that is gone admits nobody. What is for those of an origin is
    in no listing; who shows a ticket for it is known in `swarm/tickets.py`.
    """

    kind: AudienceKind = "contacts"
    peers: tuple[PeerId, ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        if (self.kind in {"peers", "origin"}) != bool(self.peers):
            raise InputError("an audience of peers names them, and no other does", hint="write peer:ANNA,BEN")
        if self.kind == "origin" and len(self.peers) != 1:
            raise InputError("an audience of an origin names one peer", hint="write origin:ANNA")
        if len(self.peers) > AUDIENCE_PEERS_MAX:
            raise InputError(f"an audience names at most {AUDIENCE_PEERS_MAX} peers")
        if (self.kind == "group") != bool(self.group):
            raise InputError("an audience of a group names it, and no other does", hint="write group:FAMILY")
        if self.group:
            object.__setattr__(self, "group", group_name(self.group))

    @classmethod
    def parse(cls, text: str, resolve: Callable[[str], PeerId] = PeerId.parse) -> Audience:
        """Read `contacts`, `public`, `group:NAME`, `peer:NAME,NAME` or `origin:NAME`; `resolve` turns each
        name of a peer into its id.

        Raises `InputError`, and what `resolve` raises.
        """
        match text.strip().partition(":"):
            case (("contacts" | "public") as kind, "", ""):
                return cls(kind)
            case ("group", ":", name):
                return cls("group", group=group_name(name))
            case (("peer" | "peers"), ":", names):
                wanted = [name.strip() for name in names.split(",") if name.strip()]
                return cls("peers", tuple(dict.fromkeys(resolve(name) for name in wanted)))
            case ("origin", ":", name) if name.strip():
                return cls("origin", (resolve(name.strip()),))
        raise InputError(f"{text!r} is no audience", hint="contacts, public, group:FAMILY, or peer:ANNA,BEN")

    def admits(self, peer: PeerId, *, is_contact: bool, groups: Collection[str] = ()) -> bool:
        """Whether `peer` belongs to it, with no ticket. groups: the names of those it is in now."""
        if self.kind == "origin":
            return False
        if self.kind == "peers":
            return peer in self.peers
        if self.kind == "group":
            return is_contact and self.group in groups
        return self.kind == "public" or is_contact

    def covers(self, other: Audience) -> bool:
        """Whether it admits all whom the other one does, whoever is a contact or in a group."""
        if self.kind == "peers" and other.kind == "peers":
            return set(self.peers) >= set(other.peers)
        return self.kind == "public" or self == other or (self.kind, other.kind) == ("contacts", "group")

    @property
    def origin(self) -> PeerId | None:
        """Whose tickets admit to it."""
        return self.peers[0] if self.kind == "origin" else None

    def __str__(self) -> str:
        if self.group:
            return f"group:{self.group}"
        if self.kind == "origin":
            return f"origin:{self.peers[0]}"
        return f"peer:{','.join(map(str, self.peers))}" if self.peers else self.kind


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left out; `path` is relative to the top of what was shared or fetched."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """Something that got another name here than it has at its source; both are relative paths."""

    path: str
    new_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Share:
    """A shared file or folder.

    `bytes` is the content of its `files`. `skipped` and `hash_seconds` tell of the last time it was hashed:
    the entries left out (at most `SKIPPED_SHOWN_MAX` are named, `skipped_count` counts all) and the seconds
    that hashing took when it was shared. A share that is not `ready` is hashed again, after the index was
    lost; until then it is shown as it was, and nobody else sees it.

    replica: it is a copy of what somebody else shares, kept as it was fetched. It stays what it is: once
    something in it is another, nobody else sees it (`changed`), until the user shares it by hand.

    state: `watched` (changes are seen as they happen), `polled` (the system tells of none: it is looked at
    now and then), `hashing` (changes are being taken in, as far as `progress` says), `paused`, or `missing`
    (what is shared is not there, for instance as a drive is not mounted: nobody else sees it until it is
    back), or `changed`. note: why it is missing, polled or changed.
    """

    name: str
    path: Path
    cid: Cid
    audience: Audience
    kind: Literal["file", "dir"]
    files: int
    bytes: int
    skipped: tuple[Skipped, ...] = ()
    skipped_count: int = 0
    hash_seconds: float = 0.0
    ready: bool = True
    state: ShareState = "watched"
    note: str = ""
    progress: Progress | None = None
    replica: bool = False


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One line of a listing. `path` begins with the name of the share; `size` is the content in bytes."""

    name: str
    path: str
    kind: EntryKind
    size: int
    cid: Cid


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a share or a transfer is. Totals grow while the tree is still being read; 0 is unknown."""

    done_bytes: int
    total_bytes: int
    done_files: int
    total_files: int
    current: str
    phase: Phase


@dataclass(frozen=True, slots=True)
class ShareChanged:
    """Event: a share was made, or is not what it was: its content, its name, its audience, its state."""

    share: Share


@dataclass(frozen=True, slots=True)
class ShareRemoved:
    """Event: something is no longer shared."""

    name: str


@dataclass(frozen=True, slots=True)
class ShareProgress:
    """Event: how far the hashing of what changed in a share is."""

    name: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class SourceState:
    """What one holder is to one fetch.

    state: `connecting`, `active` (something was asked of it), `waiting` (it has nothing that is wanted now),
        `stalled` (it was asked and sends nothing; others fetch that meanwhile), `dropped` (it lied, or cannot
        be reached) or `gone` (it says that it does not have it any more).
    bytes_fetched: verified and kept of what it sent. bytes_per_s: over the last seconds. outstanding_bytes:
        asked and not arrived.
    complete: whether it has all of the content; None: not known yet.
    note: why it was dropped, or is gone.
    """

    peer: PeerId
    state: SourcePhase
    bytes_fetched: int = 0
    bytes_per_s: float = 0.0
    outstanding_bytes: int = 0
    complete: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SourceAdded:
    """Event: a fetch of `root` uses one more holder."""

    root: Cid
    peer: PeerId


@dataclass(frozen=True, slots=True)
class SourceDropped:
    """Event: a fetch of `root` asks a holder no more. lied: it served what does not fit its hash."""

    root: Cid
    peer: PeerId
    reason: str
    lied: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """The outcome of a transfer.

    path: where it lies now.
    sources: who was asked for it, and what came of each.
    partial: only what was selected was fetched: the copy is not all of `cid`.
    already_there: this very content lay there before; nothing was fetched.
    chunks_fetched, chunks_reused: chunks that came over the wire, and those an earlier attempt had left.
    skipped, renamed: what could not be recreated here, and what got another name (named up to
        `SKIPPED_SHOWN_MAX`, counted all).
    """

    path: Path
    cid: Cid
    sources: tuple[SourceState, ...]
    files: int
    bytes: int
    seconds: float
    already_there: bool = False
    partial: bool = False
    chunks_fetched: int = 0
    chunks_reused: int = 0
    skipped: tuple[Skipped, ...] = ()
    skipped_count: int = 0
    renamed: tuple[Renamed, ...] = ()
    renamed_count: int = 0


SKIPPED_SHOWN_MAX = 1000
