"""The documents of the API about how other peers are doing."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class StatusRequest(BaseModel):
    """Whom to ask."""

    model_config = ConfigDict(extra="forbid")

    peer: str = Field(min_length=1, max_length=1024)


class PeerDetails(BaseModel):
    """What a peer tells its contacts. All of it is its own word."""

    uptime_s: int
    peers_connected: int
    peers_known: int
    inbound: int = Field(description="Connections that others opened")
    outbound: int
    streams: int
    bytes_in: int = Field(description="Since its start, as bytes_out")
    bytes_out: int
    dht_mode: str
    dht_peers: int


class PeerStatus(BaseModel):
    """How a peer says it is doing, and how long it took to say so."""

    peer_id: str
    called: str
    response_ms: float
    agent: str
    roles: list[str]
    load_percent: int = Field(description="Of its inbound connections are taken, in steps of ten")
    details: PeerDetails | None = Field(description="null: we are no contact of it")
