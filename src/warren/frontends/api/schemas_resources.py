"""The documents of resources and groups, as OpenAPI shows them; the others are in schemas.py."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from warren.core.entry import (
    ABSTRACT_CHARS_MAX,
    LICENCE_CHARS_MAX,
    NAMES_MAX,
    TITLE_CHARS_MAX,
)
from warren.core.group_name import GROUP_NAME_CHARS_MAX

MEMBERS_AT_ONCE_MAX = 1000


class Metadata(BaseModel):
    """What is said of a file or folder; empty where nothing is."""

    title: str
    abstract: str
    authors: list[str]
    domains: list[str] = Field(description="Knowledge domains", examples=[["botany"]])
    tags: list[str]
    licence: str = Field(description="An SPDX identifier, or a few words", examples=["CC-BY-4.0"])


class MetadataRequest(BaseModel):
    """What to say. A field that is not given, or null, stays as it is; an empty one is said to be empty."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, max_length=TITLE_CHARS_MAX)
    abstract: str | None = Field(default=None, max_length=ABSTRACT_CHARS_MAX)
    authors: list[str] | None = Field(default=None, max_length=NAMES_MAX)
    domains: list[str] | None = Field(default=None, max_length=NAMES_MAX)
    tags: list[str] | None = Field(default=None, max_length=NAMES_MAX)
    licence: str | None = Field(default=None, max_length=LICENCE_CHARS_MAX)


class Word(BaseModel):
    """What another publisher says, in words that it signed."""

    publisher: str
    called: str = Field(description="As messages name it: a contact by its petname")
    seq: int
    metadata: Metadata


class Resource(BaseModel):
    """A file or folder, and what is said of it."""

    cid: str
    paths: list[str] = Field(description="Where it is shared: SHARE/PATH")
    metadata: Metadata = Field(description="What this node says")
    by_hand: list[str] = Field(description="Its fields that the user said; the others the file says itself")
    seq: int = Field(description="Number of this node's word; 0: it never said anything")
    others: list[Word]


class ResourceList(BaseModel):
    """Everything of which this node says something."""

    items: list[Resource]


class Member(BaseModel):
    """A contact in a group."""

    peer_id: str
    name: str | None


class Group(BaseModel):
    """A set of contacts. `shares` are for it."""

    name: str
    members: list[Member]
    shares: list[str]


class GroupList(BaseModel):
    """All groups."""

    items: list[Group]


class GroupRequest(BaseModel):
    """A group, made if need be, and who is to be in it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=4 * GROUP_NAME_CHARS_MAX)
    members: list[str] = Field(default=[], max_length=MEMBERS_AT_ONCE_MAX, description="Contacts")


class GroupChange(BaseModel):
    """Who is to be in a group from now on, and who not."""

    model_config = ConfigDict(extra="forbid")

    add: list[str] = Field(default=[], max_length=MEMBERS_AT_ONCE_MAX)
    remove: list[str] = Field(default=[], max_length=MEMBERS_AT_ONCE_MAX)


class RemovedGroup(BaseModel):
    """The group that is gone. `shares` were for it, and are seen by nobody now."""

    removed: str
    shares: list[str]
