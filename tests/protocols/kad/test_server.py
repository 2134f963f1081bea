"""What a server answers, and what it refuses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.protocols.kad.net import run_net
from tests.protocols.kad.peers import info, peer
from warren.core.errors import (
    ConnectionFailed,
    InvalidRecord,
    LimitReached,
    ProtocolNotSupported,
    ProtocolViolation,
)
from warren.core.framing import FrameDecoder
from warren.core.multiaddr import Multiaddr
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.messages import ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, Kind, Message, PeerInfo
from warren.protocols.kad.records import Record
from warren.protocols.kad.server import IDLE_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.protocols.kad.net import KadNode
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream

KEY = b"\x12\x20" + bytes(32)
ASKER = peer(7)
AFAR = Multiaddr.tcp("60.9.9.9", 9)
NEARBY = Multiaddr.tcp("192.168.1.9", 9)
PRIVATE = Multiaddr.tcp("192.168.1.5", 4101)


def serving(test: Callable[[KadNode], None]) -> None:
    """A server whose table holds the peers 1 to 30."""

    async def main(nodes: Sequence[KadNode]) -> None:
        (node,) = nodes
        for number in range(1, 31):
            node.kad.table.useful(peer(number), (*info(number).addresses, PRIVATE), str(number), 0.0)
        test(node)

    run_net(1, main, settle_s=0.1)


def answer(node: KadNode, request: Message, asker: PeerId = ASKER, place: Multiaddr | None = AFAR) -> Message:
    answered = node.kad._server.answer(asker, place, request)
    assert answered is not None
    return answered


def test_find_node_names_the_nearest_but_not_who_asks() -> None:
    def test(node: KadNode) -> None:
        answered = answer(node, Message(Kind.FIND_NODE, KEY))
        assert (answered.kind, len(answered.closer)) == (Kind.FIND_NODE, 20)
        assert ASKER not in {one.peer for one in answered.closer}
        assert answer(node, Message(Kind.FIND_NODE, ASKER.to_bytes()), peer(8)).closer[0] == info(7)

    serving(test)


def test_nobody_is_told_of_a_network_nearer_than_his_own() -> None:
    def test(node: KadNode) -> None:
        for place, private in ((AFAR, False), (NEARBY, True), (None, False)):
            answered = answer(node, Message(Kind.FIND_NODE, KEY), place=place)
            assert all((PRIVATE in one.addresses) is private for one in answered.closer)

    serving(test)


def test_who_failed_last_is_not_named() -> None:
    def test(node: KadNode) -> None:
        (nearest, *_) = answer(node, Message(Kind.FIND_NODE, KEY)).closer
        node.kad.table.failed(nearest.peer)
        assert nearest not in answer(node, Message(Kind.FIND_NODE, KEY)).closer

    serving(test)


def test_we_are_found_ourselves() -> None:
    def test(node: KadNode) -> None:
        answered = answer(node, Message(Kind.FIND_NODE, node.peer.to_bytes()))
        assert answered.closer[0] == node.info

    serving(test)


def test_records_are_put_and_got() -> None:
    def test(node: KadNode) -> None:
        key, value = node.signed(b"name", 1, b"value")
        stored = answer(node, Message(Kind.PUT_VALUE, key, Record(key, value))).record
        assert stored is not None
        assert (stored.key, stored.value) == (key, value)
        got = answer(node, Message(Kind.GET_VALUE, key))
        assert (got.record, len(got.closer)) == (stored, 20)
        assert answer(node, Message(Kind.GET_VALUE, b"/warren/none")).record is None

    serving(test)


def test_providers_are_told_with_where_they_are() -> None:
    def test(node: KadNode) -> None:
        announced = PeerInfo(ASKER, (*info(7).addresses, PRIVATE))
        own = Message(Kind.ADD_PROVIDER, KEY, providers=(info(1), announced))
        assert node.kad._server.answer(ASKER, AFAR, own) is None
        answered = answer(node, Message(Kind.GET_PROVIDERS, KEY), peer(8))
        assert list(answered.providers) == [info(7)]
        assert len(answered.closer) == 20

    serving(test)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (Message(Kind.ADD_PROVIDER, KEY, providers=(info(1),)), ProtocolViolation),
        (Message(Kind.ADD_PROVIDER, KEY), ProtocolViolation),
        (Message(Kind.ADD_PROVIDER, bytes(81), providers=(info(7),)), ProtocolViolation),
        (Message(Kind.GET_PROVIDERS, bytes(81)), ProtocolViolation),
        (Message(Kind.FIND_NODE), ProtocolViolation),
        (Message(Kind.GET_VALUE), ProtocolViolation),
        (Message(Kind.GET_PROVIDERS), ProtocolViolation),
        (Message(Kind.PUT_VALUE, KEY), InvalidRecord),
        (Message(Kind.PUT_VALUE, KEY, Record(b"other", b"")), InvalidRecord),
        (Message(Kind.PUT_VALUE, KEY, Record(KEY, b"unsigned")), InvalidRecord),
    ],
)
def test_what_is_refused(request_: Message, error: type[Exception]) -> None:
    def test(node: KadNode) -> None:
        with pytest.raises(error):
            node.kad._server.answer(ASKER, AFAR, request_)

    serving(test)


def test_who_asks_too_much_is_refused_and_others_are_not() -> None:
    def test(node: KadNode) -> None:
        for _ in range(int(KadConfig().request_burst)):
            answer(node, Message(Kind.PING))
        with pytest.raises(LimitReached):
            answer(node, Message(Kind.PING))
        assert answer(node, Message(Kind.PING), peer(8)).kind is Kind.PING

    serving(test)


# --- on the wire --------------------------------------------------------------------------------------------


async def read(stream: Stream, count: int) -> list[Message]:
    decoder, messages = FrameDecoder(ANSWER_BYTES_MAX), list[Message]()
    while len(messages) < count and (data := await stream.read()):
        messages += [Message.from_bytes(body) for body in decoder.receive(data)]
    return messages


def on_a_stream(main: Callable[[KadNode, KadNode], Awaitable[None]]) -> None:
    async def run(nodes: Sequence[KadNode]) -> None:
        await main(*nodes)

    run_net(2, run, settle_s=0.1)


async def opened(server: KadNode, asker: KadNode) -> Stream:
    return await asker.network.open_stream(server.peer, server.kad.config.protocol)


def test_one_stream_may_carry_several_requests() -> None:
    async def main(server: KadNode, asker: KadNode) -> None:
        stream = await opened(server, asker)
        add = Message(Kind.ADD_PROVIDER, KEY, providers=(asker.info,))
        requests = [Message(Kind.PING), add, *(Message(k, KEY) for k in (Kind.GET_PROVIDERS, Kind.FIND_NODE))]
        for request in requests[:2]:
            await stream.write(request.to_frame())
        await stream.write(b"".join(request.to_frame() for request in requests[2:]))
        answers = await read(stream, 3)
        assert [one.kind for one in answers] == [Kind.PING, Kind.GET_PROVIDERS, Kind.FIND_NODE]
        assert answers[1].providers == (asker.info,)
        stream.close_write()
        assert await stream.read() == b"", "the server ends its half, too"

    on_a_stream(main)


@pytest.mark.parametrize(
    "data", [b"\x03\xff\xff\xff", b"\xff\xff\xff\x7f", Message(Kind.FIND_NODE).to_frame()]
)
def test_a_bad_request_costs_its_stream(data: bytes) -> None:
    async def main(server: KadNode, asker: KadNode) -> None:
        stream = await opened(server, asker)
        await stream.write(data)
        with pytest.raises(ConnectionFailed):
            await stream.read()
        assert asker.network.is_connected(server.peer)

    on_a_stream(main)


def test_a_stream_on_which_nothing_comes_is_reset() -> None:
    async def main(server: KadNode, asker: KadNode) -> None:
        stream = await opened(server, asker)
        begun = asker.network.clock()
        with pytest.raises(ConnectionFailed):
            await stream.read()
        assert asker.network.clock() - begun <= IDLE_S + 1

    on_a_stream(main)


def test_streams_without_end_are_refused() -> None:
    async def main(server: KadNode, asker: KadNode) -> None:
        most = server.kad.config.streams_per_peer_max
        streams = [await opened(server, asker) for _ in range(most + 1)]
        with pytest.raises(ConnectionFailed):
            await streams[-1].read()
        await streams[0].close()
        await asyncio.sleep(1)
        again = await opened(server, asker)
        await again.write(Message(Kind.PING).to_frame())
        assert await read(again, 1) == [Message(Kind.PING)]

    on_a_stream(main)


def test_a_request_that_is_too_long_is_refused_before_it_has_come() -> None:
    async def main(server: KadNode, asker: KadNode) -> None:
        stream = await opened(server, asker)
        await stream.write(Message(Kind.PING).to_frame() + (REQUEST_BYTES_MAX + 1).to_bytes(3, "little"))
        with pytest.raises(ConnectionFailed):
            await read(stream, 2)

    on_a_stream(main)


def test_a_server_that_is_switched_off_is_not_asked_any_more() -> None:
    async def main(server: KadNode, asker: KadNode) -> None:
        assert server.peer in asker.kad.table
        server.kad._server.switch(on=False)
        with pytest.raises(ProtocolNotSupported):
            await opened(server, asker)
        await asyncio.sleep(1)
        assert server.peer not in asker.kad.table

    on_a_stream(main)
