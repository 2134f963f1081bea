"""What the API says of sending and receiving."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from warren.frontends.api.schemas import Fetched, Skipped
from warren.protocols.send.code import TYPED_CHARS_MAX, WORDS_MAX, WORDS_MIN
from warren.protocols.send.messages import ITEMS_MAX
from warren.services.sending.looking import LOOK_S
from warren.services.sending.sending import FOR_S_MAX


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SendRequest(_Request):
    """What to send, by absolute paths on this machine, and for how long."""

    paths: list[str] = Field(min_length=1, max_length=ITEMS_MAX)
    words: int = Field(default=WORDS_MIN, ge=WORDS_MIN, le=WORDS_MAX, description="Of the code")
    once: bool = Field(default=False, description="Until the first receiver has it")
    for_s: float | None = Field(default=None, gt=0, le=FOR_S_MAX, description="Seconds at most")


class SendReceiver(BaseModel):
    """Somebody who proved the code."""

    peer_id: str
    called: str
    name: str = Field(description="What it calls itself")
    state: Literal["asking", "fetching", "done", "declined", "failed"]
    done_bytes: int = Field(description="What it has, by its own word")
    here: bool


class Send(BaseModel):
    """A send as it was in the end; the progress lines before have the same fields."""

    code: str = Field(description="Who knows it gets what is sent")
    names: list[str]
    files: int
    bytes: int
    wrong: int = Field(description="Guesses that were wrong")
    wrong_max: int = Field(description="After so many the code is withdrawn")
    skipped: list[Skipped]
    skipped_count: int
    receivers: list[SendReceiver]
    end: Literal["", "done", "time", "withdrawn", "closed"]


class ReceiveRequest(_Request):
    """A code to prove."""

    code: str = Field(max_length=TYPED_CHARS_MAX)
    from_peer: str | None = Field(default=None, max_length=2048, description="Who sends; else looked for")
    timeout_s: float = Field(default=LOOK_S, gt=0, le=3600, description="How long to look for the sender")


class OfferItem(BaseModel):
    """A file or folder that is sent, as the sender describes it."""

    cid: str
    name: str
    kind: Literal["file", "dir"]
    files: int
    bytes: int


class Offer(BaseModel):
    """What is sent, to be taken or declined within ten minutes."""

    id: str
    peer_id: str
    called: str
    name: str = Field(description="What the sender calls itself")
    items: list[OfferItem]
    files: int
    bytes: int


class TakeRequest(_Request):
    """Where to put it."""

    output: str | None = Field(
        default=None, max_length=4096, description="Folder; the download folder if null"
    )


class Received(BaseModel):
    """What came, one for each item."""

    items: list[Fetched]


class DeclinedOffer(BaseModel):
    """An offer that was not taken."""

    declined: str
