"""What the API says of standing searches."""

from __future__ import annotations

from pydantic import BaseModel, Field

from warren.frontends.api.schemas_search import Wanted
from warren.services.searches.model import NAME_CHARS_MAX


class SaveRequest(Wanted):
    """A search to keep."""

    name: str = Field(max_length=NAME_CHARS_MAX)
    fetch: bool = Field(default=False, description="Fetch what it finds into the download folder")


class SavedSearch(BaseModel):
    """A search that is kept, in the words and filters that it was saved with."""

    name: str
    words: str
    suffixes: list[str]
    size_min: int | None
    size_max: int | None
    author: str
    domain: str
    online: bool
    limit: int
    fetch: bool
    saved_at: float
    matches: int = Field(description="How much it has found")


class SavedSearchList(BaseModel):
    """All that are kept."""

    items: list[SavedSearch]


class MatchHolder(BaseModel):
    """Who had it when it was last found; name: the petname, if there is one."""

    peer_id: str
    name: str | None


class Match(BaseModel):
    """What a standing search found. number: the order in which it did."""

    number: int
    cid: str
    name: str
    kind: str
    size: int
    title: str
    found_at: float
    fetched: bool
    holders: list[MatchHolder]


class MatchList(BaseModel):
    """All that it found, the oldest first."""

    items: list[Match]
