"""Answers the requests of others.

In:  streams of peers. Out: their answers; records and announcements kept, as far as they prove themselves and
there is room. A peer may only announce itself as a provider. Nobody is told an address that lies in a network
nearer to us than the one he speaks from.

Refuses, by a reset: messages that are malformed or too long, records that do not prove themselves or are
older than what is kept, peers that ask too much or too slowly.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#rpc-messages
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

from warren.core.errors import InvalidPeerId, InvalidRecord, LimitReached, ProtocolViolation
from warren.core.framing import FrameDecoder
from warren.core.peer_id import PeerId
from warren.protocols.kad.addresses import believable, subnet
from warren.protocols.kad.keyspace import position
from warren.protocols.kad.messages import CLOSER_MAX, REQUEST_BYTES_MAX, Kind, Message, PeerInfo
from warren.protocols.kad.quota import Quota

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.network.network import Network
    from warren.network.stream import Stream
    from warren.protocols.kad.config import KadConfig
    from warren.protocols.kad.keeping import Keeping
    from warren.protocols.kad.records import Record
    from warren.protocols.kad.routing_table import RoutingTable

T = TypeVar("T")

IDLE_S: Final = 60.0
"""For the next request on a stream, and for an answer to be taken. Attack: streams that are opened and left.
Go keeps one open between its requests, and as long."""
PROVIDER_KEY_BYTES_MAX: Final = 80
"""A multihash of 512 bits, with room. Attack: keys whose keeping is what costs. As in Go."""
_KEEP_COST: Final = 10.0
_COSTS: Final = {Kind.PUT_VALUE: _KEEP_COST, Kind.ADD_PROVIDER: _KEEP_COST}


class Server:
    """Serves while it is switched on."""

    __slots__ = ("_config", "_keeping", "_network", "_own", "_quota", "_streams", "_table", "answered", "on")

    def __init__(
        self,
        network: Network,
        config: KadConfig,
        table: RoutingTable,
        keeping: Keeping,
        own: Callable[[], Sequence[Multiaddr]],
    ) -> None:
        """own: where this node may be reached."""
        self._network = network
        self._config = config
        self._table = table
        self._keeping = keeping
        self._own = own
        self._quota = Quota(config.request_cost_per_s, config.request_burst)
        self._streams: Counter[PeerId] = Counter()
        self.answered: Counter[Kind] = Counter()
        self.on = False

    def switch(self, *, on: bool) -> None:
        """Begin or cease to serve; others hear of it by identify."""
        if on and not self.on:
            self._network.handle_stream(self._config.protocol, self._serve)
        elif self.on and not on:
            self._network.remove_handler(self._config.protocol)
        self.on = on

    async def _serve(self, stream: Stream) -> None:
        peer = stream.peer_id
        if self._streams[peer] >= self._config.streams_per_peer_max:
            raise LimitReached("dht.streams_per_peer_max")
        self._streams[peer] += 1
        try:
            await self._converse(stream)
        finally:
            self._streams[peer] -= 1
            if not self._streams[peer]:
                del self._streams[peer]

    async def _converse(self, stream: Stream) -> None:
        decoder = FrameDecoder(REQUEST_BYTES_MAX)
        while data := await self._read(stream):
            for body in decoder.receive(data):
                answer = self.answer(stream.peer_id, stream.socket.remote_addr, Message.from_bytes(body))
                if answer is not None:
                    await _within_deadline(stream.write(answer.to_frame()))
            if decoder.violation is not None:
                raise decoder.violation

    async def _read(self, stream: Stream) -> bytes:
        return await _within_deadline(stream.read())

    # --- one request ----------------------------------------------------------------------------------------

    def answer(self, peer: PeerId, place: Multiaddr | None, request: Message) -> Message | None:
        """The answer to a request of `peer`, who speaks from `place`; None where there is none on the wire.

        Raises `ProtocolViolation`, `InvalidRecord`, `LimitReached`.
        """
        kind = request.kind
        if not self._quota.spend(peer, _COSTS.get(kind, 1.0), self._network.clock()):
            raise LimitReached("dht.request_cost_per_s", f"{peer} asks too much")
        self.answered[kind] += 1
        match kind:
            case Kind.PING:
                return Message(Kind.PING)
            case Kind.PUT_VALUE:
                return Message(kind, request.key, self._put(peer, place, request))
            case Kind.ADD_PROVIDER:
                self._add_provider(peer, place, request)
                return None
        if not request.key:
            raise ProtocolViolation(f"{kind.name} without a key")
        closer = self._closer(request.key, peer, place)
        if kind is Kind.FIND_NODE:
            return Message(kind, closer=self._with_target(request.key, peer, place, closer))
        if kind is Kind.GET_VALUE:
            return Message(kind, request.key, self._keeping.record(request.key), closer)
        providers = _told(self._keeping.providers(_multihash(request.key)), place)
        return Message(kind, request.key, closer=closer, providers=providers)

    def _put(self, peer: PeerId, place: Multiaddr | None, request: Message) -> Record:
        record = request.record
        if record is None or record.key != request.key:
            raise InvalidRecord("a record that is missing, or under another key than it says")
        return self._keeping.keep_record(record.key, record.value, peer, subnet(place))

    def _add_provider(self, peer: PeerId, place: Multiaddr | None, request: Message) -> None:
        key = _multihash(request.key)
        for info in request.providers:
            if info.peer == peer:
                self._keeping.keep_provider(key, peer, believable(info.addresses, place), subnet(place))
                return
        raise ProtocolViolation("a provider that does not announce itself")

    def _closer(self, key: bytes, peer: PeerId, place: Multiaddr | None) -> list[PeerInfo]:
        nearest = self._table.closest(position(key), CLOSER_MAX, without=peer, sound=True)
        return [info for info in _told([entry.info for entry in nearest], place) if info.addresses]

    def _with_target(
        self, key: bytes, peer: PeerId, place: Multiaddr | None, closer: list[PeerInfo]
    ) -> list[PeerInfo]:
        """The peer that is looked for stands first if its place is known, also if it serves no DHT."""
        try:
            target = PeerId(key)
        except InvalidPeerId:
            return closer
        if target == peer or any(info.peer == target for info in closer):
            return closer
        if target == self._network.peer_id:
            addresses: Sequence[Multiaddr] = self._own()
        elif self._network.is_connected(target):
            addresses = self._network.addresses(target)
        else:
            return closer
        found = [info for info in _told([PeerInfo(target, tuple(addresses))], place) if info.addresses]
        return [*found, *closer][:CLOSER_MAX]


def _told(infos: Sequence[PeerInfo], place: Multiaddr | None) -> list[PeerInfo]:
    """What a peer at `place` can do something with."""
    return [PeerInfo(peer, believable(addresses, place)) for peer, addresses in infos]


def _multihash(key: bytes) -> bytes:
    if not 0 < len(key) <= PROVIDER_KEY_BYTES_MAX:
        raise ProtocolViolation(f"a multihash of {len(key)} bytes")
    return key


async def _within_deadline(waiting: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(IDLE_S):
            return await waiting
    except TimeoutError as error:
        raise ProtocolViolation(f"nothing came or went for {IDLE_S:g} s") from error
