"""The documents of the DHT's routes.

Names, keys and values are any bytes. In requests they come as text, which stands for its UTF-8, or in base 64
(RFC 4648, padded). In answers they come in base 64, and as text too where they are some.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# More than any value that is kept, in base 64: the node refuses the rest in its own words.
_VALUE_MAX = 180_000
_NAME_MAX = 2048


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DhtStatus(BaseModel):
    """The DHT of this node."""

    mode: Literal["off", "client", "server"] = Field(description="server: it answers others")
    protocol: str
    peers: int = Field(description="In the routing table")
    records: int = Field(description="Kept here, for others and for itself")
    providers: int = Field(description="Provider records kept here")
    published: int = Field(description="What this node itself publishes")


class PutRequest(_Request):
    """A value under a name of this node's own, in place of the one before. One form of each."""

    name: str | None = Field(default=None, max_length=_NAME_MAX)
    name_base64: str | None = Field(default=None, max_length=_NAME_MAX)
    value: str | None = Field(default=None, max_length=_VALUE_MAX)
    value_base64: str | None = Field(default=None, max_length=_VALUE_MAX)


class PutRecordRequest(_Request):
    """A finished record under its whole key, such as an IPNS record that was made elsewhere."""

    key: str | None = Field(default=None, max_length=_NAME_MAX, description="/ipns/NAME, /pk/PEER-ID, ...")
    key_base64: str | None = Field(default=None, max_length=_NAME_MAX)
    value_base64: str = Field(max_length=_VALUE_MAX)


class PutDone(BaseModel):
    """The last line of a put that went well."""

    key: str | None = Field(description="Where it is; null if that is no text")
    key_base64: str
    sequence: int | None = Field(description="Of the value; the highest one holds")
    stored: int = Field(description="Peers that took it")
    asked: int = Field(description="Peers that were asked to")


class GetRequest(_Request):
    """A whole key, or a name of a peer (this node's own if no peer is given)."""

    key: str | None = Field(default=None, max_length=_NAME_MAX)
    key_base64: str | None = Field(default=None, max_length=_NAME_MAX)
    peer: str | None = Field(default=None, max_length=_NAME_MAX)
    name: str | None = Field(default=None, max_length=_NAME_MAX)
    name_base64: str | None = Field(default=None, max_length=_NAME_MAX)


class Value(BaseModel):
    """The last line of a get that went well."""

    key: str | None
    key_base64: str
    value: str | None = Field(description="null if it is no text")
    value_base64: str
    peer_id: str | None = Field(description="Who signed it; null for records that are not under /warren/")
    called: str | None
    sequence: int | None


class ProvideRequest(_Request):
    """Content that this node has, by its content id."""

    cid: str = Field(max_length=_NAME_MAX)


class ProvideDone(BaseModel):
    """The last line of an announcement that went well."""

    cid: str
    stored: int = Field(description="Peers that took note of it")
    asked: int


class FindProvidersRequest(_Request):
    """Content by its id; every id of the same bytes finds the same providers."""

    cid: str = Field(max_length=_NAME_MAX)
    count: int = Field(default=20, ge=1, le=1000)


class ProvidersFound(BaseModel):
    """The last line. Each provider came on a line before: peer_id, called, addresses."""

    cid: str
    count: int


class FindPeerRequest(_Request):
    """A peer by its id, a petname, or the unique beginning of an id that is known."""

    peer: str = Field(max_length=_NAME_MAX)


class FoundPeer(BaseModel):
    """The last line of a search for a peer that went well."""

    peer_id: str
    called: str
    addresses: list[str] = Field(description="Each with the peer id, ready to be dialled")
    hops: int = Field(description="Requests one after the other that it took; 0: it was known here")
    reached: bool = Field(description="A connection proves it; else it is the word of others")


class Published(BaseModel):
    """Something that this node publishes."""

    kind: Literal["record", "content"]
    key: str | None
    key_base64: str
    name: str | None = Field(description="Of a name of this node's own; null if it is no text, or none")
    name_base64: str | None
    cid: str | None
    put_at: float | None = Field(description="When others last took it; null: not yet")
    next_in_s: float | None = Field(description="Until it is put again; null: that is under way")


class PublishedList(BaseModel):
    """What this node publishes: records, then content."""

    items: list[Published]


class TakeBackRequest(_Request):
    """A name of this node's own, a whole key, or a content id."""

    name: str | None = Field(default=None, max_length=_NAME_MAX)
    name_base64: str | None = Field(default=None, max_length=_NAME_MAX)
    cid: str | None = Field(default=None, max_length=_NAME_MAX)


class TakenBack(BaseModel):
    """It is published no longer. Others may keep it for two more days."""

    taken_back: str
