"""The documents of the HTTP API about the peer table. Speeds are bytes per second, times unix seconds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from warren.frontends.api.schemas import Peer


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tally(BaseModel):
    """How the fail votes stand that hold a peer offline."""

    accusers: int
    online: int = Field(description="Peers that could vote")


class KnownPeer(Peer):
    """A peer of the table. Each figure stands with the time of its measurement, null if there is none."""

    first_seen: float | None
    last_seen: float | None = Field(description="When it was met last; null: never")
    latency_ms: float | None
    latency_at: float | None
    jitter_ms: float | None
    response_ms: float | None = Field(description="How long it took to say how it is doing")
    response_at: float | None
    download_bytes_per_s: float | None
    download_at: float | None
    upload_bytes_per_s: float | None
    upload_at: float | None
    state: Literal["new", "reachable", "suspect", "unreachable"]
    public: bool | None = Field(description="Whether anyone may dial it; null: not known")
    roles: list[str]
    metadata: dict[str, str] = Field(description="What it says of itself, signed by it")
    blocked: bool
    sources: list[str] = Field(description="How it became known")
    held_offline: Tally | None = Field(description="By votes of others; null: it is not")


class PeerPage(BaseModel):
    """Some of all peers, in the order that was asked for."""

    items: list[KnownPeer]
    total: int
    offset: int
    leads: int = Field(description="Imported addresses of which nobody knows yet whose they are")


class RenameRequest(_Request):
    """What to call a contact."""

    name: str = Field(max_length=4096, description="1 to 64 characters")


class BlockRequest(_Request):
    """Whom to block."""

    peer: str = Field(max_length=2048)


class Blocked(BaseModel):
    """The peer, and whether it is blocked now."""

    peer_id: str
    called: str = Field(description="As messages name it")
    blocked: bool
    changed: bool


class ImportRequest(_Request):
    """A list of peers, by its absolute path on this machine or as it is."""

    path: str | None = Field(default=None, max_length=4096)
    text: str | None = None


class ImportProblem(BaseModel):
    """What is wrong in a line of the list."""

    line: int
    text: str


class Imported(BaseModel):
    """What became of the entries of a list; all of it is on disk."""

    form: Literal["classic", "full"]
    added: int = Field(description="Peers that are new")
    known: int = Field(description="Entries that were here before; what was missing was added")
    leads: int = Field(description="Addresses that are dialled now, until a peer is met there")
    skipped: int = Field(description="Entries of no use")
    blocked: list[str]
    problems: list[ImportProblem]
    problem_count: int


class Exported(BaseModel):
    """The last line of an export."""

    form: Literal["classic", "full"]
    entries: int
    left_out: int


class Metadata(BaseModel):
    """What this node says of itself."""

    entries: dict[str, str]


class MetadataRequest(_Request):
    """Something to say of this node."""

    # The node itself says in its own words what is too long.
    key: str = Field(max_length=4096, description="1 to 64 bytes")
    value: str = Field(max_length=4096, description="Up to 256 bytes")
