"""The documents of the HTTP API, as OpenAPI shows them.

Sizes are bytes, times are unix seconds, spans are seconds. Requests are checked against these models; unknown
fields are refused, so that a typing error does not pass as a default. Answers are made by `views`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from warren.frontends.api.schemas_discovery import Discovery
from warren.frontends.api.schemas_resources import MetadataRequest
from warren.frontends.api.schemas_search import PartInSearch
from warren.services.files.queue.model import PEERS_MAX
from warren.services.peers.speedtest import SECONDS_DEFAULT, SECONDS_MAX, SECONDS_MIN


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why a request failed. `code` is the exit code that the command line gives for it."""

    error: str = Field(examples=["PeerUnknown"])
    message: str
    hint: str = Field(description="What to do next; may be empty")
    code: int
    candidates: list[str] = Field(default=[], description="What an ambiguous name could mean")


class Store(BaseModel):
    """What super-peers share their index by."""

    store: str = Field(description="Where it is, without a password")
    waiting: int = Field(description="Peers of whom something is registered here and not in the store yet")
    elsewhere: int = Field(description="Peers that are there at other super-peers")
    problem: str = Field(description="Why it cannot be used now; empty: it can")


class Status(BaseModel):
    """The running node."""

    name: str
    peer_id: str
    version: str
    pid: int
    home: str
    uptime_s: float
    listen: list[str] = Field(description="Addresses with the node's peer id, as others can dial them")
    connected: int = Field(description="Peers with at least one open socket")
    contacts: int
    shares: int
    download_dir: str
    status: str = Field(description="Where the status listener is; empty: there is none")
    damage: str = Field(description="What was wrong with the node's state when it started; empty: nothing")
    discovery: Discovery
    search: PartInSearch
    store: Store | None = Field(description="By which its index is shared with other super-peers; else null")


class Stopping(BaseModel):
    """The node heard it, and goes after this answer."""

    stopping: Literal[True] = True


class InviteRequest(_Request):
    """An invitation that lets whoever has its code become a contact."""

    uses: int = Field(default=1, ge=1, le=1000, description="How many peers may join with it")
    expires_s: float = Field(default=86_400.0, gt=0, le=366 * 86_400.0)
    name: str | None = Field(default=None, max_length=64, description="Petname for whoever joins with it")


class Invite(BaseModel):
    """The code, in one line of text."""

    code: str
    uses: int
    expires_s: float


class JoinRequest(_Request):
    """The code of somebody's invitation."""

    code: str = Field(max_length=8192)


class Peer(BaseModel):
    """A peer, as it is right now."""

    peer_id: str
    name: str | None = Field(description="Petname: what you call it")
    own_name: str | None = Field(description="What it calls itself")
    contact: bool
    connected: bool
    rtt_ms: float | None
    agent: str | None
    addresses: list[str]
    added_at: float | None


class KeptPeer(Peer):
    """A peer that is a contact now."""

    new: bool = Field(description="false: it was one before")


class PeerRequest(_Request):
    """A peer to keep as a contact: its address with /p2p/PEER-ID, or the id of one that is known."""

    peer: str = Field(max_length=2048)
    name: str | None = Field(default=None, max_length=64)


class PingRequest(_Request):
    """Measure the round trip."""

    peer: str = Field(max_length=2048)
    count: int = Field(default=5, ge=1, le=10_000)
    interval_s: float = Field(default=0.2, ge=0, le=3600)


class SpeedtestRequest(_Request):
    """Measure throughput, in each direction for half of the seconds."""

    peer: str = Field(max_length=2048)
    seconds: float = Field(default=SECONDS_DEFAULT, ge=SECONDS_MIN, le=SECONDS_MAX)


class ShareRequest(_Request):
    """A file or folder to share, by its absolute path on this machine."""

    path: str = Field(max_length=4096)
    audience: str | None = Field(
        default=None,
        description="contacts, public, group:NAME or peer:NAME,NAME; null: contacts, or what it was before",
    )
    name: str | None = Field(default=None, max_length=255)
    metadata: MetadataRequest | None = Field(default=None, description="What to say of it")


class Skipped(BaseModel):
    """An entry that was left out of a share."""

    path: str
    reason: str


class HashingProgress(BaseModel):
    """How far the hashing of what changed in a share is."""

    phase: Literal["hashing"]
    done_bytes: int
    total_bytes: int
    done_files: int
    total_files: int
    current: str


class Share(BaseModel):
    """A shared file or folder. One that is not `ready` is hashed again; until then nobody else sees it.

    state: whether it follows what changes in its folder; nobody else sees one that is `missing`, nor a
    replica that was `changed`.
    """

    name: str
    path: str
    cid: str
    kind: Literal["file", "dir"]
    audience: str
    files: int
    bytes: int
    skipped: list[Skipped]
    skipped_count: int
    hash_s: float
    ready: bool
    state: Literal["watched", "polled", "hashing", "paused", "missing", "changed"]
    note: str = Field(description="Why it is missing, polled or changed")
    replica: bool = Field(description="A copy of what somebody else shares, kept as it was fetched")
    progress: HashingProgress | None


class ShareList(BaseModel):
    """What this node shares."""

    items: list[Share]


class Paused(BaseModel):
    """Whether shares are kept as they are, whatever changes in their folders."""

    paused: bool


class RemovedPeer(BaseModel):
    """Who was taken away."""

    removed: str = Field(description="Its peer id, or the imported address")
    called: str = Field(description="As messages name it")


class Removed(BaseModel):
    """What was taken away."""

    removed: str


class File(BaseModel):
    """One entry of a listing. `ref` names it for a transfer."""

    ref: str
    name: str
    path: str
    kind: Literal["file", "dir", "symlink"]
    size: int
    cid: str


class FileList(BaseModel):
    """What a peer shares with us, or what lies in one folder of it."""

    items: list[File]


class FileAddressRequest(_Request):
    """Who has the file, as far as that is known, and what it is called."""

    peer: str | None = Field(default=None, max_length=2048, description="From this one alone")
    holders: list[str] = Field(default=[], max_length=PEERS_MAX, description="Known to have it")
    name: str = Field(default="", max_length=1024, description="Its ending says the media type")


class FileAddress(BaseModel):
    """An address for a player. Whoever has it can read the file, and do nothing else."""

    url: str
    expires_at: float = Field(description="Seconds since 1970; it ends before with the node")


class Renamed(BaseModel):
    """An entry that got another name here than it has at its source."""

    path: str
    new_name: str
    reason: str


class Source(BaseModel):
    """Whom a transfer came from."""

    peer_id: str
    state: Literal["connecting", "active", "waiting", "stalled", "dropped", "gone"]
    bytes_fetched: int = Field(description="Verified and kept of what it sent")
    bytes_per_s: int = Field(description="Over the last seconds")
    outstanding_bytes: int = Field(description="Asked and not arrived")
    complete: bool | None = Field(description="Whether it has all of it; null: not known yet")
    note: str = Field(description="Why it was dropped, or is gone")


class Fetched(BaseModel):
    """The last line of a transfer that went well."""

    path: str = Field(description="Where it lies now")
    cid: str
    sources: list[Source]
    partial: bool = Field(description="Only what was selected was fetched")
    files: int
    bytes: int
    seconds: float
    already_there: bool
    chunks_fetched: int
    chunks_reused: int = Field(description="Chunks that an earlier attempt had left")
    skipped: list[Skipped]
    skipped_count: int
    renamed: list[Renamed]
    renamed_count: int


class Speed(BaseModel):
    """The last line of a speed test that went well."""

    peer_id: str
    rtt_ms: float
    download_bytes_per_s: int
    upload_bytes_per_s: int
    downloaded_bytes: int
    uploaded_bytes: int
    seconds: float


class Pings(BaseModel):
    """The last line of a ping that went well."""

    peer_id: str
    called: str = Field(description="As messages name it: a contact by its petname")
    count: int
    min_ms: float
    median_ms: float
    max_ms: float
