"""What the API says of discovery."""

from __future__ import annotations

from pydantic import BaseModel, Field


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
