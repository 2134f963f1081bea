"""What the API says of transfers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from warren.frontends.api.schemas import Fetched, Source
from warren.services.files.queue.machine import PRIORITY_DEFAULT, PRIORITY_MAX
from warren.services.files.queue.model import PEERS_MAX, REF_CHARS_MAX
from warren.services.files.queue.selection import PATHS_MAX, PATTERNS_MAX

SEVERAL_MAX = 1000
# Of an option to say that a limit is that of the settings.
AS_SET = -1


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TransferRequest(_Request):
    """Something to fetch."""

    ref: str = Field(
        max_length=REF_CHARS_MAX,
        description="PEER/PATH, or a content id; with from_peer a path there, or a content id",
    )
    output: str | None = Field(
        default=None, max_length=4096, description="Folder; the download folder if null"
    )
    from_peer: str | None = Field(default=None, max_length=2048, description="From this peer alone")
    holders: list[str] = Field(default=[], max_length=PEERS_MAX, description="Peers that have it, too")
    name: str | None = Field(
        default=None, max_length=4096, description="What to call it; as it is called there if null"
    )
    patterns: list[str] = Field(
        default=[], max_length=PATTERNS_MAX, description="Of a folder what fits these, in gitignore's syntax"
    )
    paths: list[str] = Field(
        default=[], max_length=PATHS_MAX, description="Of a folder these files, and folders with all in them"
    )
    priority: int = Field(default=PRIORITY_DEFAULT, ge=0, le=PRIORITY_MAX, description="Higher goes first")
    cap_bytes_per_s: int = Field(default=0, ge=0, description="0: none")
    between: str = Field(default="", max_length=32, description="Hours in which it runs, as 22:00-06:00")
    keep: bool = Field(default=True, description="Whether it is shared with others once it is here")
    detach: bool = Field(
        default=False, description="Answer once it is in the queue; going away pauses nothing"
    )


class SeveralRequest(_Request):
    """Several to fetch. What each says of `detach` counts for nothing."""

    items: list[TransferRequest] = Field(min_length=1, max_length=SEVERAL_MAX)
    detach: bool = Field(default=False, description="Answer once they are in the queue")


class FollowRequest(_Request):
    """Transfers to watch."""

    numbers: list[int] = Field(min_length=1, max_length=SEVERAL_MAX)


class ChangeRequest(_Request):
    """What is to be another; what is null stays."""

    priority: int | None = Field(default=None, ge=0, le=PRIORITY_MAX)
    cap_bytes_per_s: int | None = Field(default=None, ge=0)
    between: str | None = Field(default=None, max_length=32, description="Empty: at any hour")


class LimitsRequest(_Request):
    """What all together may move; what is null stays."""

    down_bytes_per_s: int | None = Field(default=None, ge=AS_SET, description="0: no limit; -1: the setting")
    up_bytes_per_s: int | None = Field(default=None, ge=AS_SET, description="0: no limit; -1: the setting")


class Limits(BaseModel):
    """What all together may move; 0: no limit."""

    down_bytes_per_s: int
    up_bytes_per_s: int


class TransferSource(Source):
    """A source of a transfer under way."""

    called: str = Field(description="As messages name it: a contact by its petname")
    share: float = Field(description="Of what was fetched, 0 to 1")


class Dropped(BaseModel):
    """A source that was let go."""

    peer_id: str
    called: str
    reason: str
    at: float


class Transfer(BaseModel):
    """Something that is fetched, was, or could not be."""

    number: int = Field(description="Its own for ever")
    name: str
    ref: str = Field(description="What was asked for")
    cid: str | None = Field(description="null: not known yet")
    state: Literal["queued", "running", "waiting", "paused", "failed", "done"] = Field(
        description="waiting: for somebody who has it"
    )
    cause: Literal["", "user", "disk", "hours", "busy"] = Field(
        description="Of a pause; busy: queued until who has it has a place for one more"
    )
    reason: str = Field(description="Why it waits, is paused or failed, in words")
    hint: str
    error: str = Field(description="The class of what it failed with; may be empty")
    priority: int
    cap_bytes_per_s: int
    between: str
    from_peers: list[str] = Field(description="Who was named; with only, nobody else is asked")
    only: bool
    keep: bool
    patterns: list[str]
    paths: int = Field(description="How many files and folders were chosen; 0: all")
    output: str = Field(description="The folder it goes into")
    path: str = Field(description="Where it lies, once it is done")
    phase: str
    done_bytes: int
    total_bytes: int = Field(description="0: not known yet")
    done_files: int
    total_files: int
    current: str
    bytes_per_s: int
    left_s: float | None = Field(description="How long it will take; null: nobody can say")
    sources: list[TransferSource]
    dropped: list[Dropped]
    added_at: float
    ended_at: float | None
    retry_at: float | None


class Upload(BaseModel):
    """What goes out to one peer, or went lately."""

    peer_id: str
    called: str
    name: str = Field(description="Of the file that it was sent last")
    bytes_sent: int = Field(description="In the last minutes")
    bytes_per_s: int
    state: Literal["sending", "waiting", "idle"] = Field(description="waiting: for its turn")


class TransferList(BaseModel):
    """All that is fetched or was lately, and what goes out."""

    items: list[Transfer]
    uploads: list[Upload]
    limits: Limits


class Queued(Fetched):
    """The last line of a transfer that went well."""

    number: int


class Ended(Transfer):
    """How a transfer ended, or stands where it cannot go on now."""

    fetched: Fetched | None = Field(description="What came of it, where it was done since the node started")


class Followed(BaseModel):
    """The last line of a watch."""

    items: list[Ended]


class Cancelled(BaseModel):
    """What was taken out of the list."""

    number: int
    name: str
    state: str = Field(description="In which it was")
    removed_bytes: int = Field(description="Of what had been fetched")
