"""One request to one peer.

In:  whom, and what to ask. Out: its answer, checked; or an error that says what went wrong. Each request has
a stream of its own and one deadline, connecting included.

ADD_PROVIDER has no answer on the wire. A PING behind it on the same stream has one, and streams are served
in order: so whoever was told is known to have taken it.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#rpc-messages
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from warren.core.errors import ConnectionClosed, ProtocolViolation, RequestTimeout
from warren.core.framing import FrameDecoder
from warren.protocols.kad.messages import ANSWER_BYTES_MAX, Kind, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.network.stream import Stream
    from warren.protocols.kad.connections import Connections

_PING = Message(Kind.PING)


class Answer(NamedTuple):
    """What a peer answered, and on which socket."""

    message: Message
    socket: Socket


class Client:
    """Asks others."""

    __slots__ = ("_connections", "_network", "_protocol")

    def __init__(self, network: Network, connections: Connections, protocol: str) -> None:
        self._network = network
        self._connections = connections
        self._protocol = protocol

    async def request(
        self, peer: PeerId, addresses: Sequence[Multiaddr], message: Message, timeout_s: float
    ) -> Answer:
        """Ask `peer`, dialled at `addresses` and where it is known to be, if need be.

        Raises RequestTimeout, ProtocolNotSupported, ProtocolViolation, StreamReset (it refuses), and what
        connecting raises.
        """
        try:
            async with asyncio.timeout(timeout_s):
                fresh = not self._network.is_connected(peer)
                try:
                    return await self._ask(peer, addresses, message)
                except ConnectionClosed:
                    # The other side may close what rested just when it is used again.
                    if fresh:
                        raise
                    return await self._ask(peer, addresses, message)
        except TimeoutError as error:
            raise RequestTimeout(f"no answer from {peer} within {timeout_s:g} s") from error

    async def _ask(self, peer: PeerId, addresses: Sequence[Multiaddr], message: Message) -> Answer:
        async with self._connections.socket(peer, addresses) as socket:
            stream = socket.open_stream((self._protocol,))
            try:
                stream.write_through(message.to_frame())
                if message.kind is Kind.ADD_PROVIDER:
                    stream.write_through(_PING.to_frame())
                answer = await _answer(stream, message.kind)
            except BaseException:
                stream.reset()
                raise
            stream.close_nowait()
            return Answer(answer, socket)


async def _answer(stream: Stream, asked: Kind) -> Message:
    """The first message of the kind that was asked for; behind ADD_PROVIDER, the PING."""
    wanted = Kind.PING if asked is Kind.ADD_PROVIDER else asked
    decoder = FrameDecoder(ANSWER_BYTES_MAX)
    while data := await stream.read():
        for body in decoder.receive(data):
            message = Message.from_bytes(body)
            if message.kind is wanted:
                return message
            if message.kind is not asked:
                raise ProtocolViolation(f"an answer to {message.kind.name} where {wanted.name} was asked")
    if wanted is Kind.PING:
        return _PING  # it is there, and took what came before; Rust closes the stream at a PING
    raise ProtocolViolation("the stream ended before the answer")
