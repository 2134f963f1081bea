"""What the API says of discovery."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SECONDS_MAX = 366 * 86_400.0


class DiscoverySource(BaseModel):
    """One way to find peers."""

    name: str = Field(description="bootstrap, dns, peers, mdns or dht")
    active: bool
    note: str = Field(description="What it does, or why it does nothing")


class Discovery(BaseModel):
    """How the node finds others, and what came of it since it started."""

    namespace: str = Field(description="The name under which nodes find each other")
    sources: list[DiscoverySource]
    found: int = Field(description="Peers, and addresses of which nobody knows the peer, that it knows of")
    tried: int = Field(description="Dials that it began")
    met: int = Field(description="Dials at which a peer was met")
    wanted: int = Field(description="Connections up to which it dials")


class DiscoverRequest(BaseModel):
    """Whom to look for, and how long."""

    model_config = ConfigDict(extra="forbid")

    namespace: str | None = Field(
        default=None, max_length=1024, description="The name of a service; null: the network of the node"
    )
    advertise: bool = Field(default=False, description="Let this node be found there, too, meanwhile")
    seconds: float | None = Field(default=None, gt=0, le=SECONDS_MAX, description="null: until you go")


class Discovered(BaseModel):
    """The last line, once the seconds are over. The first was `begin`, with the namespace and the sources
    that look; then each that was found came on a line: peer_id and called (null where only an address is
    known), addresses, source.
    """

    namespace: str
    count: int
