"""Identify answers in parts, as go sends them, and answers that claim another key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.network.nodes import key, make, nodes
from tests.support import run
from warren.core.errors import ProtocolViolation
from warren.core.framing import frame
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.network.states import SocketState
from warren.protocols.identify import MESSAGES_MAX, PROTOCOL_ID, Identify, IdentifyInfo, parse
from warren.protocols.proto.identify_pb2 import Identify as Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.network.network import Network
    from warren.network.stream import Stream

ADDRESS = Multiaddr.parse("/ip4/192.0.2.1/tcp/4001")
RECORD = PeerRecord(key(2).peer_id, 7, (ADDRESS,)).seal(key(2))
FACTS = Message(agentVersion="go-libp2p/test", protocols=["/a", "/b"], listenAddrs=[ADDRESS.to_bytes()])
SIGNED = Message(signedPeerRecord=RECORD)


def answering(network: Network, parts: Sequence[Any], *, end: str) -> None:
    """Answer identify with `parts`, then end the stream or leave it open."""

    def answer(stream: Stream) -> None:
        for part in parts:
            stream.write_nowait(frame(part if isinstance(part, bytes) else part.SerializeToString()))
        if end == "close":
            stream.close_nowait()
        elif end == "reset":
            stream.reset()

    network.handle_stream_inline(PROTOCOL_ID, answer)


def asked(parts: Sequence[Any], *, end: str = "close") -> IdentifyInfo | None:
    async def main() -> object:
        async with nodes(1, identify=False) as (a,):
            Identify(a, "warren/test", list)
            b = make(2, a.runtime, identify=False)
            answering(b, parts, end=end)
            await b.listen([Multiaddr.parse("/ip4/127.0.0.1/tcp/0")])
            socket = await a.connect(b.peer_id, b.listen_addrs)
            await socket.wait_open()
            assert socket.state is SocketState.OPEN
            await b.stop()
            return socket.identity

    identity = run(main())
    assert identity is None or isinstance(identity, IdentifyInfo)
    return identity


@pytest.mark.parametrize("end", ["close", "open"])
def test_a_record_that_comes_in_a_second_message_is_taken(end: str) -> None:
    info = asked([FACTS, SIGNED], end=end)
    assert info is not None
    assert (info.agent, info.protocols) == ("go-libp2p/test", ("/a", "/b"))
    assert (info.signed_record, info.listen_addrs) == (RECORD, (ADDRESS,))


def test_without_a_record_the_end_of_the_stream_ends_the_answer() -> None:
    info = asked([FACTS])
    assert info is not None
    assert (info.signed_record, info.listen_addrs) == (b"", (ADDRESS,))


@pytest.mark.parametrize("parts", [[], [b""] * (MESSAGES_MAX + 1), [FACTS, b"\xff"], [bytes(20_000)]])
def test_a_bad_answer_costs_the_answer_alone(parts: list[Any]) -> None:
    assert asked(parts) is None


def test_a_key_that_is_not_the_one_of_the_handshake_is_refused() -> None:
    body = Message(publicKey=key(3).public_key.to_protobuf()).SerializeToString()
    with pytest.raises(ProtocolViolation, match="not the one of the handshake"):
        parse(body, key(2).peer_id)
    assert parse(body, key(3).peer_id).agent == ""
