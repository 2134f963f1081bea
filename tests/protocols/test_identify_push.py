"""Pushes that tell a part, come late or never end; and how what they told is joined to what was known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.nodes import Inbox, connect, event, key, make, nodes, socket_at, without_streams
from tests.support import run
from warren.core.errors import ProtocolViolation, StreamReset
from warren.core.framing import frame
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.network.events import PeerIdentified
from warren.network.states import SocketState
from warren.protocols.identify import (
    MESSAGE_BYTES_MAX,
    MESSAGES_MAX,
    PROTOCOL_ID,
    PUSH_ID,
    TIMEOUT_S,
    Identify,
    IdentifyInfo,
    PartialMessage,
    parse,
)
from warren.protocols.proto.identify_pb2 import Identify as Message
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.core.keys import PrivateKey
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.network.stream import Stream

ALICE = key(1)
OLD, NEW, OTHER = (Multiaddr.parse(f"/ip4/192.0.2.{n}/tcp/4101") for n in (1, 2, 3))
NOTHING = parse(b"", ALICE.peer_id)


def record(seq: int, address: Multiaddr, signer: PrivateKey = ALICE) -> bytes:
    return PeerRecord(signer.peer_id, seq, (address,)).seal(signer)


def info(**fields: Any) -> IdentifyInfo:
    return parse(Message(**fields).SerializeToString(), ALICE.peer_id)


WHOLE = info(
    agentVersion="warren/test",
    protocolVersion="ipfs/0.1.0",
    protocols=["/a", "/b"],
    signedPeerRecord=record(5, OLD),
    observedAddr=OTHER.to_bytes(),
)


# ---------------------------------------------------------------- joining


def test_what_a_push_leaves_out_stays_as_it_was() -> None:
    assert WHOLE.updated(NOTHING) == WHOLE
    assert WHOLE.updated(info(agentVersion="warren/2")) == replace(WHOLE, agent="warren/2")
    assert WHOLE.updated(info(protocolVersion="x/2")) == replace(WHOLE, protocol_version="x/2")
    assert WHOLE.updated(info(protocols=["/c"])) == replace(WHOLE, protocols=("/c",))
    assert WHOLE.updated(info(observedAddr=NEW.to_bytes())) == replace(WHOLE, observed_addr=NEW)


@pytest.mark.parametrize("seq", [5, 6, 2**64 - 1])
def test_a_record_that_is_not_older_takes_the_place_of_the_one_before(seq: int) -> None:
    news = info(signedPeerRecord=record(seq, NEW), listenAddrs=[OTHER.to_bytes()])
    known = WHOLE.updated(news)
    assert (known.signed_record, known.record_seq, known.listen_addrs) == (record(seq, NEW), seq, (NEW,))
    assert known.protocols == WHOLE.protocols


def test_an_older_record_and_its_addresses_are_ignored_and_the_rest_is_taken() -> None:
    news = info(signedPeerRecord=record(4, NEW), listenAddrs=[NEW.to_bytes()], protocols=["/c"])
    assert WHOLE.updated(news) == replace(WHOLE, protocols=("/c",))


def test_unsigned_addresses_count_only_where_there_is_no_record() -> None:
    unsigned = info(listenAddrs=[NEW.to_bytes()])
    assert WHOLE.updated(unsigned) == WHOLE
    plain = info(listenAddrs=[OLD.to_bytes()])
    assert plain.updated(unsigned).listen_addrs == (NEW,)
    assert plain.updated(NOTHING).listen_addrs == (OLD,)
    assert plain.updated(WHOLE).listen_addrs == (OLD,)
    assert plain.updated(WHOLE).signed_record == record(5, OLD)
    assert NOTHING.updated(info(signedPeerRecord=record(0, NEW))).listen_addrs == (NEW,)


# ---------------------------------------------------------------- over a socket


def tell(socket: Socket, **fields: Any) -> None:
    """Push `fields` and nothing else."""
    stream = socket.open_stream((PUSH_ID,))
    stream.write_nowait(frame(Message(**fields).SerializeToString()))
    stream.close_nowait()


def test_a_push_of_addresses_alone_wipes_nothing() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            near, far = await connect(alice, bob)
            before = far.identity
            assert isinstance(before, IdentifyInfo)
            assert before.agent
            assert before.protocols
            events = bob.events.subscribe()
            tell(near, listenAddrs=[NEW.to_bytes()])
            told = await event(events, PeerIdentified)
            assert told.info == far.identity == before
            tell(near, signedPeerRecord=record(2**63, NEW))
            told = await event(events, PeerIdentified)
            assert told.info is far.identity
            assert told.info.listen_addrs == (NEW,)
            assert (told.info.agent, told.info.protocols) == (before.agent, before.protocols)
            assert NEW in bob.addresses(alice.peer_id)

    run(main())


def test_an_answer_that_was_overtaken_by_a_push_does_not_undo_it() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            bob = make(2, alice.runtime, identify=False)

            def answer(stream: Stream) -> None:
                tell(stream.socket, signedPeerRecord=record(7, NEW, bob.key), agentVersion="pushed")
                older = Message(signedPeerRecord=record(6, OLD, bob.key))
                stream.write_nowait(frame(older.SerializeToString()))
                stream.close_nowait()

            bob.handle_stream_inline(PROTOCOL_ID, answer)
            await bob.listen([Multiaddr.parse("/ip4/127.0.0.1/tcp/0")])
            socket = await alice.connect(bob.peer_id, bob.listen_addrs)
            await socket.wait_open()
            known = socket.identity
            assert isinstance(known, IdentifyInfo)
            assert (known.agent, known.record_seq, known.listen_addrs) == ("pushed", 7, (NEW,))
            await bob.stop()

    run(main())


# ---------------------------------------------------------------- streams without an end, in virtual time


def in_virtual_time(body: Callable[[Network, Network, Socket, Socket], Awaitable[None]]) -> None:
    """Run `body` with two nodes that are connected, and let nothing of it be left on their sockets."""

    async def main() -> None:
        alice, bob = make(1, world.runtime("alice")), make(2, world.runtime("bob"))
        await bob.listen([Multiaddr.parse("/ip4/100.0.0.2/tcp/4101")])
        near, far = await connect(alice, bob)
        await without_streams(near, far)
        began = bob.clock()
        await body(alice, bob, near, far)
        await without_streams(near, far)
        assert bob.clock() - began <= TIMEOUT_S + 1
        assert near.usable
        await alice.stop()
        await bob.stop()

    with World() as world:
        world.run(main())


@pytest.mark.parametrize("said", [b"", b"\x80\x01x", frame(bytes(100))[:50]])
def test_half_a_push_is_reset_after_the_timeout_and_changes_nothing(said: bytes) -> None:
    async def body(alice: Network, _: Network, near: Socket, far: Socket) -> None:
        before = far.identity
        stream = await alice.open_stream(near, PUSH_ID)
        await stream.write(said)
        with pytest.raises(StreamReset):
            await stream.read()
        assert far.identity is before

    in_virtual_time(body)


@pytest.mark.parametrize(
    "fields", [{"agentVersion": "told"}, {"agentVersion": "told", "signedPeerRecord": record(2**63, NEW)}]
)
def test_a_whole_push_that_is_never_ended_is_taken_and_its_stream_reset(fields: dict[str, Any]) -> None:
    async def body(alice: Network, bob: Network, near: Socket, far: Socket) -> None:
        events = bob.events.subscribe()
        stream = await alice.open_stream(near, PUSH_ID)
        await stream.write(frame(Message(**fields).SerializeToString()))
        told = await event(events, PeerIdentified)
        assert told.info.agent == "told"
        assert far.identity is told.info
        await stream.write(b"and nobody listens to what follows")

    in_virtual_time(body)


def test_pushes_to_a_peer_that_never_ends_its_half_do_not_pile_up() -> None:
    async def body(alice: Network, bob: Network, near: Socket, _: Socket) -> None:
        bob.remove_handler(PUSH_ID)
        inbox = Inbox(bob, PUSH_ID)
        owner = alice.on_connected.__self__  # type: ignore[union-attr]
        assert isinstance(owner, Identify)
        for _count in range(3):
            owner.push()
            await inbox.next()
        assert near.streams == 3

    in_virtual_time(body)


def test_whoever_asks_and_never_ends_its_half_loses_the_stream() -> None:
    async def body(alice: Network, _: Network, near: Socket, far: Socket) -> None:
        stream = await alice.open_stream(near, PROTOCOL_ID)
        assert await stream.read_frame(MESSAGE_BYTES_MAX)
        assert await stream.read() == b""
        assert far.streams == 1

    in_virtual_time(body)


@pytest.mark.parametrize("end", [True, False])
def test_an_answer_without_a_record_is_taken_when_its_time_is_up(end: bool) -> None:
    async def main() -> None:
        alice, bob = make(1, world.runtime("alice"), identify=False), make(2, world.runtime("bob"))

        def answer(stream: Stream) -> None:
            stream.write_nowait(frame(Message(agentVersion="no record").SerializeToString()))
            if end:
                stream.close_nowait()

        alice.handle_stream_inline(PROTOCOL_ID, answer)
        await bob.listen([Multiaddr.parse("/ip4/100.0.0.2/tcp/4101")])
        socket = await alice.connect(bob.peer_id, bob.listen_addrs)
        await socket.wait_open()
        far = await socket_at(bob, socket)
        began = bob.clock()
        await far.wait_open()
        assert far.state is SocketState.OPEN
        assert isinstance(far.identity, IdentifyInfo)
        assert far.identity.agent == "no record"
        assert (bob.clock() - began > TIMEOUT_S - 1) is not end
        await without_streams(socket, far)
        await alice.stop()
        await bob.stop()

    with World() as world:
        world.run(main())


# ---------------------------------------------------------------- any chunking

PART = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda **fields: Message(**fields).SerializeToString(),
        agentVersion=st.text(max_size=8),
        protocols=st.lists(st.text(max_size=8), max_size=3),
        listenAddrs=st.lists(st.sampled_from([OLD.to_bytes(), b"\xff"]), max_size=2),
    ),
    st.sampled_from([Message(signedPeerRecord=record(5, OLD)).SerializeToString(), b""]),
)


def outcome(chunks: list[bytes]) -> object:
    """What a message in these pieces comes to: the facts, whether it is whole, or why it was refused."""
    message = PartialMessage(ALICE.peer_id)
    for chunk in chunks:
        try:
            if message.receive(chunk):
                return message.info, True
        except ProtocolViolation as error:
            return str(error)
    return message.info, False


@given(
    st.lists(st.one_of(PART.map(frame), st.binary(max_size=6)), max_size=MESSAGES_MAX + 3),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_a_message_comes_to_the_same_in_any_chunking(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert outcome(pieces) == outcome([data])
    assert outcome([data[n : n + 1] for n in range(len(data))]) == outcome([data])
