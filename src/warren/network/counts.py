"""How much a network has and did: counted where it happens, added up when somebody looks.

In:  sockets that end, limits that refused, messages of protocols that count theirs; on request all sockets.
Out: `Counts`. Nothing is counted per byte or frame that was not counted before.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from warren.core.peer_id import PeerId
    from warren.network.limits import SocketLimits
    from warren.network.socket import Socket


class Sort(NamedTuple):
    """A sort of message. kind: what it is called in the page of its protocol, as `query` or `hits`."""

    protocol: str
    kind: str
    direction: Literal["in", "out"]


class Tally:
    """What happened since the start, and is over.

    opened: connections that came to carry streams, by direction. refused: newcomers turned away, by limit.
    messages: those that came and could be read, and those that were sent.
    """

    __slots__ = ("bytes_in", "bytes_out", "messages", "opened", "refused")

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.messages: Counter[Sort] = Counter()
        self.bytes_in = 0
        self.bytes_out = 0

    def add_closed(self, socket: Socket) -> None:
        """A socket is gone; what it carried still counts."""
        self.bytes_in += socket.bytes_in
        self.bytes_out += socket.bytes_out


@dataclass(frozen=True, slots=True)
class Counts:
    """One moment. inbound, outbound: sockets, those in their handshake included.

    bytes_in, bytes_out, opened, refused, messages: since the start.
    """

    peers: int
    inbound: int
    outbound: int
    handshakes: int
    streams: int
    bytes_in: int
    bytes_out: int
    opened: Mapping[str, int]
    refused: Mapping[str, int]
    messages: Mapping[Sort, int]


def counts_of(
    sockets: Collection[Socket], peers: Collection[PeerId], limits: SocketLimits, tally: Tally
) -> Counts:
    """The counts of a network with these `sockets`."""
    return Counts(
        peers=len(peers),
        inbound=limits.inbound,
        outbound=limits.outbound,
        handshakes=limits.handshakes,
        streams=sum(socket.streams for socket in sockets),
        bytes_in=tally.bytes_in + sum(socket.bytes_in for socket in sockets),
        bytes_out=tally.bytes_out + sum(socket.bytes_out for socket in sockets),
        opened=dict(tally.opened),
        refused=dict(tally.refused),
        messages=dict(tally.messages),
    )
