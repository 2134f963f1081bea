"""identify and identify/push: who a peer is, where it listens and what it speaks.

In: a socket that reached `connected`.  Out: `IdentifyInfo` on the socket, `PeerIdentified`; addresses in the
address book, without those nearer than the peer itself (`core/reach.py`). The question goes out on every
socket, both ways; while it is under way the socket may be used already.
A push may tell a part only: what it leaves out stays as it was.
Refuses: messages over 16 KiB, a public key that is not the one of the handshake, records signed by someone
else, peers that neither go on nor end; more than the first 64 addresses and 512 protocols are dropped.
Spec: https://github.com/libp2p/specs/blob/master/identify/README.md
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.errors import InvalidMultiaddr, ProtocolViolation, WarrenError
from warren.core.framing import FrameDecoder, frame
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.core.peer_record import PeerRecord
from warren.core.reach import believable, teller_at
from warren.network.events import PeerIdentified
from warren.network.states import USABLE
from warren.protocols.proto.identify_pb2 import Identify as Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.network.stream import Stream

logger = logging.getLogger(__name__)

PROTOCOL_ID: Final = "/ipfs/id/1.0.0"
PUSH_ID: Final = "/ipfs/id/push/1.0.0"
PROTOCOL_VERSION: Final = "ipfs/0.1.0"
MESSAGE_BYTES_MAX: Final = 16 * 1024
"""All parts of one answer. Attack: a stranger makes us hold or parse a large message."""
MESSAGES_MAX: Final = 10
"""Parts of one answer: stops floods of empty ones. Go takes as many."""
ADDRESSES_MAX: Final = 64
"""Kept of one peer; each has at most `core.multiaddr.BYTES_MAX`. Attack: a boaster fills the memory."""
PROTOCOLS_MAX: Final = 512
"""The same for protocol ids, each cut at `TEXT_CHARS_MAX`. Attack: a boaster fills the memory."""
TEXT_CHARS_MAX: Final = 256
"""A protocol id, the agent, the protocol version. Attack: names that fill the memory, listings or the log."""
TIMEOUT_S: Final = 10.0
"""For an answer or a push, to its very end. Attack: half a message, or a stream that is never ended."""
_SHARED_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class IdentifyInfo:
    """What a peer said of itself; only the key is proven, the rest is its word."""

    agent: str
    protocol_version: str
    protocols: tuple[str, ...]
    listen_addrs: tuple[Multiaddr, ...]
    """Of the signed record when there is one."""
    observed_addr: Multiaddr | None
    """How the peer sees this node's address."""
    signed_record: bytes
    """The peer's signed record, verified; empty when it sent none."""
    record_seq: int
    """Its number, 64 bits; 0 when there is none."""

    @property
    def is_warren(self) -> bool:
        """Whether the peer runs Warren."""
        return self.agent.startswith("warren/")

    def updated(self, news: IdentifyInfo) -> IdentifyInfo:
        """What is known once `news` came: what it leaves out stays, and of two records the newer holds."""
        newer = news.signed_record and news.record_seq >= self.record_seq
        record = news if newer else self
        addrs = record.listen_addrs if record.signed_record else news.listen_addrs or self.listen_addrs
        return IdentifyInfo(
            agent=news.agent or self.agent,
            protocol_version=news.protocol_version or self.protocol_version,
            protocols=news.protocols or self.protocols,
            listen_addrs=addrs,
            observed_addr=news.observed_addr or self.observed_addr,
            signed_record=record.signed_record,
            record_seq=record.record_seq,
        )


class Identify:
    """Asks every new socket, answers every question, and pushes what changed."""

    def __init__(
        self,
        network: Network,
        agent: str,
        advertised: Callable[[], Sequence[Multiaddr]],
        record: Callable[[], bytes] = bytes,
    ) -> None:
        """advertised: where others may dial this node. record: the same, sealed; empty: there is none."""
        self._network = network
        self._agent = agent
        self._advertised = advertised
        self._record = record
        self._cached: tuple[tuple[object, ...], bytes] | None = None
        self._pushing: set[Socket] = set()
        """Sockets on which a push arrives: one at a time, so that half pushes cannot pile up."""
        network.on_connected = self._ask
        network.handle_stream_inline(PROTOCOL_ID, self._answer)
        network.handle_stream_inline(PUSH_ID, self._take_push)

    def push(self) -> None:
        """Tell every peer that speaks identify/push what changed: addresses or protocols."""
        for socket in self._network.sockets():
            info = socket.identity
            if isinstance(info, IdentifyInfo) and PUSH_ID in info.protocols and socket.usable:
                try:
                    stream = socket.open_stream((PUSH_ID,))
                    stream.write_nowait(self._message(socket))
                    _end(stream)
                except WarrenError as error:
                    logger.debug("push to %s failed: %s", socket.peer_id, error)

    # --- asking ---------------------------------------------------------------------------------------------

    def _ask(self, socket: Socket) -> None:
        try:
            stream = socket.open_stream((PROTOCOL_ID,))
        except WarrenError as error:
            socket.identified(error)
            return
        stream.close_write()

        def done(result: IdentifyInfo | Exception) -> None:
            if isinstance(result, IdentifyInfo):
                self._learn(socket, result)
                socket.identified()
            else:
                socket.identified(result)

        _Reader(stream, done)

    def _learn(self, socket: Socket, info: IdentifyInfo) -> None:
        if socket.state not in USABLE:
            return
        if isinstance(socket.identity, IdentifyInfo):
            info = socket.identity.updated(info)
        socket.identity = info
        network, peer = self._network, socket.peer_id
        network.add_addresses(peer, believable(info.listen_addrs, teller_at(socket.remote_addr)))
        if info.is_warren:
            network.settle(peer)
        if network.events.wants(PeerIdentified):
            network.events.emit(PeerIdentified(peer, socket, info))

    # --- answering ------------------------------------------------------------------------------------------

    def _answer(self, stream: Stream) -> None:
        stream.write_nowait(self._message(stream.socket))
        _end(stream)

    def _take_push(self, stream: Stream) -> None:
        socket = stream.socket
        if socket in self._pushing:
            stream.reset()
            return
        self._pushing.add(socket)

        def done(result: IdentifyInfo | Exception) -> None:
            self._pushing.discard(socket)
            stream.close_write()
            if isinstance(result, IdentifyInfo):
                self._learn(stream.socket, result)

        _Reader(stream, done)

    def _message(self, socket: Socket) -> bytes:
        head = self._common_part()
        observed = socket.remote_addr
        if observed is None:
            return frame(head)
        # Protobuf messages concatenate: the part that is the same for all is made once.
        return frame(head + Message(observedAddr=observed.without_peer().to_bytes()).SerializeToString())

    def _common_part(self) -> bytes:
        addresses, protocols = self._advertised(), self._network.router.protocols
        record = self._record()
        parts = (tuple(addresses), tuple(protocols), record)
        if self._cached is not None and self._cached[0] == parts:
            return self._cached[1]
        encoded = Message(
            publicKey=self._network.key.public_key.to_protobuf(),
            listenAddrs=[address.to_bytes() for address in addresses],
            protocols=protocols,
            protocolVersion=PROTOCOL_VERSION,
            agentVersion=self._agent,
            signedPeerRecord=record or None,
        ).SerializeToString()
        self._cached = (parts, encoded)
        return encoded


def _end(stream: Stream) -> None:
    """End our half; who has not ended its own in time is reset, so that no stream stays half open."""
    timer = asyncio.get_running_loop().call_later(TIMEOUT_S, stream.reset)
    stream.close_write()
    stream.set_receiver(lambda _: None, lambda _: timer.cancel())


class _Reader:
    """Hears a peer out on a stream, without a task; calls `done` once, as soon as all is known or none will.

    The deadline holds until the peer has ended its half, also behind a message that is whole.
    """

    __slots__ = ("_done", "_message", "_stream", "_timer")

    def __init__(self, stream: Stream, done: Callable[[IdentifyInfo | Exception], None]) -> None:
        self._stream = stream
        self._done: Callable[[IdentifyInfo | Exception], None] | None = done
        self._message = PartialMessage(stream.peer_id)
        self._timer = asyncio.get_running_loop().call_later(TIMEOUT_S, stream.reset)
        stream.set_receiver(self._on_data, self._on_end)

    def _on_data(self, data: memoryview) -> None:
        if self._done is None:
            return
        try:
            if self._message.receive(data) and self._message.info is not None:
                self._finish(self._message.info)
        except ProtocolViolation as error:
            logger.debug("identify of %s: %s", self._stream.peer_id, error)
            self._finish(error)
            self._stream.reset()

    def _on_end(self, error: Exception | None) -> None:
        self._timer.cancel()
        early = error or ProtocolViolation("identify: the stream ended too early")
        self._finish(self._message.info or early)

    def _finish(self, result: IdentifyInfo | Exception) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(result)


class PartialMessage:
    """An identify message as it arrives: bytes in any chunking in, what they told so far out.

    Go cuts what exceeds 2 KiB in two and sends the signed record alone behind the rest, so without a record
    the message may not be whole before the stream ends. Protobuf messages merge by being joined.
    """

    __slots__ = ("_body", "_decoder", "_left", "_peer", "info")

    def __init__(self, peer: PeerId) -> None:
        self.info: IdentifyInfo | None = None
        self._peer = peer
        self._body = b""
        self._left = MESSAGES_MAX
        self._decoder = FrameDecoder(MESSAGE_BYTES_MAX)

    def receive(self, data: bytes | memoryview) -> bool:
        """Take the next chunk; True once the message is whole, and nothing more is to be given.

        Raises `ProtocolViolation`.
        """
        for body in self._decoder.receive(data):
            self._body += body
            self._left -= 1
            if self._left < 0 or len(self._body) > MESSAGE_BYTES_MAX:
                raise ProtocolViolation("identify: too many messages, or too long ones")
            self.info = parse(self._body, self._peer)
            if self.info.signed_record:
                return True
        if self._decoder.violation is not None:
            raise self._decoder.violation
        return False


def parse(body: bytes, peer: PeerId) -> IdentifyInfo:
    """Decode an identify message of `peer`. Raises `ProtocolViolation`."""
    message = protobuf.parse(Message, body, "identify: the message")
    if message.publicKey and PeerId.of_key(message.publicKey) != peer:
        raise ProtocolViolation("identify: the public key is not the one of the handshake")
    record = PeerRecord.open(message.signedPeerRecord) if message.signedPeerRecord else None
    if record is not None and record.peer_id != peer:
        raise ProtocolViolation("identify: the peer record is another peer's")
    observed = _addresses([message.observedAddr]) if message.observedAddr else ()
    return IdentifyInfo(
        agent=_text(message.agentVersion),
        protocol_version=_text(message.protocolVersion),
        protocols=tuple(_text(p) for p in message.protocols[:PROTOCOLS_MAX]),
        listen_addrs=record.addrs[:ADDRESSES_MAX]
        if record
        else _addresses(message.listenAddrs[:ADDRESSES_MAX]),
        observed_addr=observed[0] if observed else None,
        signed_record=message.signedPeerRecord,
        record_seq=record.seq if record else 0,
    )


def _addresses(encoded: Iterable[bytes]) -> tuple[Multiaddr, ...]:
    """What can be read; addresses of transports that we do not know are none of our business."""
    found = []
    for raw in encoded:
        try:
            found.append(Multiaddr.from_bytes(raw))
        except InvalidMultiaddr:
            continue
    return tuple(found)


def _text(text: str) -> str:
    """Bounded; equal texts of thousands of peers are held once."""
    text = text[:TEXT_CHARS_MAX]
    return _shared(text) if len(text) <= _SHARED_MAX else text


@lru_cache(maxsize=1024)
def _shared(text: str) -> str:
    """The first of equal texts. Not interned: some Pythons never let go of what is, and peers choose it."""
    return text
