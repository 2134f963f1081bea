"""What the API says of searching."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from warren.core.query import LIMIT_MAX, QUERY_CHARS_MAX

SECONDS_MAX = 300.0
SUFFIXES_MAX = 32


class KnownSuperPeer(BaseModel):
    """A super-peer, and what to call it."""

    peer_id: str
    called: str


class PartInSearch(BaseModel):
    """Who keeps this node's list of what it shares, or whose lists it keeps."""

    role: Literal["super", "weak", "off"] = Field(description="What it is at the moment")
    registered_with: list[KnownSuperPeer] = Field(description="Super-peers that have the whole list")
    registered_here: int = Field(description="As a super-peer: peers that are there")


class Wanted(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")

    words: str = Field(
        default="",
        max_length=QUERY_CHARS_MAX,
        description='All must be there; each is a prefix, unless it stands in "double quotes"',
    )
    suffixes: list[str] = Field(
        default=[], max_length=SUFFIXES_MAX, description="pdf, mp3, ...: any of these; dir: folders"
    )
    size_min: int | None = Field(default=None, ge=0, description="Bytes")
    size_max: int | None = Field(default=None, ge=0, description="Bytes")
    author: str = Field(default="", max_length=QUERY_CHARS_MAX)
    domain: str = Field(default="", max_length=QUERY_CHARS_MAX, description="A knowledge domain")
    online: bool = Field(default=False, description="Only what somebody holds who is there now")
    limit: int = Field(default=50, ge=1, le=LIMIT_MAX, description="Different contents at most")


class SearchRequest(Wanted):
    """What to look for, and how long."""

    after: int = Field(default=0, ge=0, description="Each who answers leaves out so many of its best")
    ttl: int | None = Field(
        default=None, ge=0, le=255, description="How far super-peers pass it on; null: as they see fit"
    )
    seconds: float = Field(default=10.0, gt=0, le=SECONDS_MAX, description="When it ends at the latest")


class NotAnswered(BaseModel):
    """A peer that was asked and did not answer to the end, with the reason."""

    peer_id: str
    called: str
    message: str


class Searched(BaseModel):
    """The last line. Before it came lines of two kinds:

    `hit`: number, cid, name, size, kind (file or dir), title, abstract, authors, domains, tags, licence,
    score, online (false: nobody who holds it is there), holders: a list of peer_id, called, name (petname or
    null), own (whether it is this node), paths, online, latency_s. A line with a number that came before
    takes the place of the earlier one.

    `progress`: asked, about, hits.
    """

    asked: int = Field(description="Who answered, this node included")
    about: int = Field(description="Of about so many")
    hits: int = Field(description="Different contents")
    in_time: bool = Field(description="false: the seconds were over before all had answered")
    errors: list[NotAnswered]
