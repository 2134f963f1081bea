"""What a node tells of how it is doing, as plain values; and the two messages of the status protocol.

In:  bytes of one frame, as a peer sent it; or what we want to say. Out: the other form.
Spec: docs/protocols/status.md; the wire form is proto/status.proto.

Refuses, with `ProtocolViolation`, bytes that are not the message. Texts are cut, numbers are what the peer
claims.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from warren.core import protobuf
from warren.protocols.status.proto import status_pb2

FACTS_BYTES_MAX: Final = 2048
"""An answer; a full one has some 200 bytes. Attack: whom we ask sends without end."""
QUESTION_BYTES_MAX: Final = 64
"""A question, which is empty, with room for what later versions ask. Attack: memory for its holding."""
TEXT_CHARS_MAX: Final = 64
"""Attack: a name that fills listings or the log."""
ROLES_MAX: Final = 16
"""Attack: the same, by many."""


@dataclass(frozen=True, slots=True)
class Details:
    """What contacts may know. Bytes and connections are of the whole node, not of one peer."""

    uptime_s: int = 0
    peers_connected: int = 0
    peers_known: int = 0
    inbound: int = 0
    outbound: int = 0
    streams: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dht_mode: str = ""
    dht_peers: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What anybody may know of a node. load_percent: of its inbound connections, in steps of ten.

    details: None where we are no contact of it.
    """

    agent: str = ""
    roles: tuple[str, ...] = ()
    load_percent: int = 0
    details: Details | None = None

    def to_bytes(self) -> bytes:
        """The answer."""
        message = status_pb2.Facts(agent=self.agent, roles=self.roles, load_percent=self.load_percent)
        if self.details is not None:
            message.details.CopyFrom(status_pb2.Details(**asdict(self.details)))
        return message.SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Facts:
        """Raises `ProtocolViolation`."""
        message = protobuf.parse(status_pb2.Facts, data, "the status of a peer")
        roles = tuple(role[:TEXT_CHARS_MAX] for role in message.roles[:ROLES_MAX])
        details = _details(message.details) if message.HasField("details") else None
        return cls(message.agent[:TEXT_CHARS_MAX], roles, min(message.load_percent, 100), details)


def question() -> bytes:
    """The question."""
    return status_pb2.Question().SerializeToString()


def read_question(data: bytes) -> None:
    """Raises `ProtocolViolation` for what is no question."""
    protobuf.parse(status_pb2.Question, data, "the question for the status")


def coarse_percent(share: float) -> int:
    """A share of 0 to 1 in percent, in steps of ten: strangers shall not count our connections."""
    return min(max(round(share * 10) * 10, 0), 100)


def _details(message: status_pb2.Details) -> Details:
    return Details(
        uptime_s=message.uptime_s,
        peers_connected=message.peers_connected,
        peers_known=message.peers_known,
        inbound=message.inbound,
        outbound=message.outbound,
        streams=message.streams,
        bytes_in=message.bytes_in,
        bytes_out=message.bytes_out,
        dht_mode=message.dht_mode[:TEXT_CHARS_MAX],
        dht_peers=message.dht_peers,
    )
