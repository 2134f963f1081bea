"""identify and identify/push between real nodes, and what a boaster or a liar gets for it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.nodes import LOOPBACK, connect, event, key, make, nodes, without_streams
from tests.support import run
from warren.core.errors import ProtocolViolation
from warren.core.framing import frame
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.network.events import PeerIdentified
from warren.network.states import SocketState
from warren.network.yamux.session import YamuxLimits
from warren.protocols import identify
from warren.protocols.identify import (
    ADDRESSES_MAX,
    PROTOCOL_ID,
    PROTOCOLS_MAX,
    PUSH_ID,
    TEXT_CHARS_MAX,
    TIMEOUT_S,
    Identify,
    IdentifyInfo,
    parse,
)
from warren.protocols.proto.identify_pb2 import Identify as Message
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from warren.network.network import Network
    from warren.network.stream import Stream

BOB = key(2)
HERE = Multiaddr.parse("/ip4/192.0.2.7/tcp/4101")
THERE = Multiaddr.parse("/ip6/2001:db8::7/tcp/4101")


def info_of(network: Network, peer: Any) -> IdentifyInfo:
    [socket] = network.sockets(peer)
    assert isinstance(socket.identity, IdentifyInfo)
    return socket.identity


# ---------------------------------------------------------------- between two nodes


def test_both_sides_learn_what_the_other_is() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):

            async def serve(_: object) -> None: ...

            bob.handle_stream("/app/1", serve)
            events = alice.events.subscribe()
            near, far = await connect(alice, bob)
            told = await event(events, PeerIdentified)
            assert (told.peer, told.socket) == (bob.peer_id, near)
            info = info_of(alice, bob.peer_id)
            assert told.info is info
            assert info.agent == "warren/test"
            assert info.is_warren
            assert info.protocol_version == "ipfs/0.1.0"
            assert info.protocols == ("/app/1", PROTOCOL_ID, PUSH_ID)
            assert info.listen_addrs == tuple(bob.listen_addrs)
            assert info.observed_addr == near.local_addr == far.remote_addr
            record = PeerRecord.open(info.signed_record)
            assert record.peer_id == bob.peer_id
            assert record.addrs == tuple(bob.listen_addrs)
            assert info_of(bob, alice.peer_id).observed_addr == near.remote_addr
            assert alice.addresses(bob.peer_id) == bob.listen_addrs
            assert near.state is far.state is SocketState.OPEN
            assert near.streams == 0

    run(main())


def test_the_common_part_is_made_once_and_anew_when_something_changed() -> None:
    async def main() -> None:
        advertised = [HERE]
        network = make(1, identify=False)
        sealed = [b""]
        one = Identify(network, "warren/test", lambda: advertised, lambda: sealed[0])
        first = one._common_part()
        assert one._common_part() is first
        advertised.append(THERE)
        sealed[0] = PeerRecord(network.peer_id, 1, (HERE, THERE)).seal(network.key)
        second = one._common_part()
        assert one._common_part() is second
        network.handle_stream_inline("/app/1", lambda _: None)
        third = one._common_part()
        infos = [parse(part, network.peer_id) for part in (first, second, third)]
        assert [info.signed_record for info in infos] == [b"", sealed[0], sealed[0]]
        assert [len(info.listen_addrs) for info in infos] == [1, 2, 2]
        assert "/app/1" in infos[2].protocols
        await network.stop()

    run(main())


TOLD = [Multiaddr.tcp(host, 9) for host in ("127.0.0.1", "169.254.0.9", "10.9.9.9", "61.9.9.9")]


@pytest.mark.parametrize("outbound", [True, False])
@pytest.mark.parametrize(
    ("ours", "theirs", "believed"),
    [
        ("60.0.0.1", "60.0.0.2", TOLD[3:]),
        ("10.0.0.1", "10.0.0.2", TOLD[2:]),
        ("10.0.0.1", "169.254.0.2", TOLD[1:]),
        ("127.0.0.1", "127.0.0.1", TOLD),
    ],
)
def test_nobody_is_believed_about_a_network_nearer_than_its_own(
    ours: str, theirs: str, believed: list[Multiaddr], *, outbound: bool
) -> None:
    async def main(world: World) -> None:
        here = world.runtime("alice", () if ours == theirs else ours)
        alice = make(1, here)
        bob = make(2, here if ours == theirs else world.runtime("bob", theirs), identify=False)
        Identify(bob, "test", lambda: TOLD)
        one, other, host = (alice, bob, theirs) if outbound else (bob, alice, ours)
        where = Multiaddr.tcp(host, 4101)
        await other.listen([where])
        await one.connect(other.peer_id, [where])
        await event(alice.events.subscribe(), PeerIdentified)
        assert alice.addresses(bob.peer_id) == ([where, *believed] if outbound else believed)
        await alice.stop()
        await bob.stop()

    with World() as world:
        world.run(main(world))


def test_a_push_tells_what_changed() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            bob = make(2, identify=False)
            advertised: list[Multiaddr] = []
            bobs = Identify(bob, "warren/bob", lambda: advertised)
            await bob.listen([LOOPBACK])
            near, far = await connect(alice, bob)
            assert info_of(alice, bob.peer_id).listen_addrs == ()
            events = alice.events.subscribe()
            advertised.append(HERE)
            bob.handle_stream_inline("/new/1", lambda _: None)
            bobs.push()
            info = (await event(events, PeerIdentified)).info
            assert info.listen_addrs == (HERE,)
            assert "/new/1" in info.protocols
            assert near.identity is info
            assert HERE in alice.addresses(bob.peer_id)
            assert far.usable
            await bob.stop()

    run(main())


def test_a_push_goes_only_to_peers_that_take_it() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            deaf = make(2, identify=False)
            Identify(deaf, "warren/deaf", list)
            deaf.remove_handler(PUSH_ID)
            await deaf.listen([LOOPBACK])
            near, _ = await connect(alice, deaf)
            before = near.bytes_out
            identify_of(alice).push()
            assert near.bytes_out == before
            assert near.streams == 0
            await deaf.stop()

    run(main())


def identify_of(network: Network) -> Identify:
    assert network.on_connected is not None
    owner: Identify = network.on_connected.__self__  # type: ignore[attr-defined]
    return owner


def test_a_push_that_has_no_stream_left_harms_nobody() -> None:
    async def main() -> None:
        async with nodes(2, yamux=YamuxLimits(streams_outbound_max=1)) as (alice, bob):
            near, _ = await connect(alice, bob)
            held = near.open_stream((PUSH_ID,))
            identify_of(alice).push()
            assert near.usable
            assert near.streams == 1
            held.reset()

    run(main())


@pytest.mark.parametrize(
    "message",
    [b"\xff" * 30, frame(b"\xff\xff"), frame(Message(signedPeerRecord=b"junk").SerializeToString()), b""],
)
def test_a_bad_push_costs_its_stream_and_changes_nothing(message: bytes) -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            near, far = await connect(alice, bob)
            before = far.identity
            stream = near.open_stream((PUSH_ID,))
            stream.write_nowait(message)
            stream.close_write()
            with contextlib.suppress(Exception):
                await stream.read()
            assert far.identity is before
            assert near.usable
            assert far.usable

    run(main())


def test_pushes_come_one_at_a_time() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            near, far = await connect(alice, bob)
            half = await alice.open_stream(near, PUSH_ID)
            half.write_nowait(b"\x05")
            another = near.open_stream((PUSH_ID,))
            with pytest.raises(Exception, match="reset"):
                await another.read()
            half.reset()
            await without_streams(near, far)
            events = bob.events.subscribe()
            identify_of(alice).push()
            assert (await event(events, PeerIdentified)).peer == alice.peer_id

    run(main())


# ---------------------------------------------------------------- peers that do not answer


@pytest.mark.parametrize("answer", [b"", b"\x05", b"\xff" * 20, frame(b"\xff\xff\xff")])
def test_a_peer_that_answers_nonsense_is_open_all_the_same(answer: bytes) -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            bob = make(2, identify=False)

            def lie(stream: Stream) -> None:
                stream.write_nowait(answer)
                stream.close_nowait()

            bob.handle_stream_inline(PROTOCOL_ID, lie)
            await bob.listen([LOOPBACK])
            socket = await alice.connect(bob.peer_id, bob.listen_addrs)
            await socket.wait_open()
            assert socket.identity is None
            assert socket.usable
            await bob.stop()

    run(main())


def test_a_peer_that_never_answers_is_open_after_the_timeout() -> None:
    async def main(world: World) -> None:
        alice = make(1, world.runtime("alice"))
        bob = make(2, world.runtime("bob"), identify=False)
        bob.handle_stream_inline(PROTOCOL_ID, lambda _: None)
        await bob.listen([Multiaddr.parse("/ip4/100.0.0.2/tcp/4101")])
        socket = await alice.connect(bob.peer_id, bob.listen_addrs)
        began = alice.clock()
        assert socket.state is SocketState.CONNECTED
        assert socket.usable
        await socket.wait_open()
        assert alice.clock() - began == pytest.approx(TIMEOUT_S, abs=0.1)
        await alice.stop()
        await bob.stop()

    with World() as world:
        world.run(main(world))


def test_a_socket_that_takes_no_streams_is_open_at_once() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            near, _ = await connect(alice, bob)
            near.drain()
            near.state = SocketState.CONNECTED
            identify_of(alice)._ask(near)
            assert near.state is SocketState.OPEN

    run(main())


def test_what_arrives_after_the_end_teaches_nothing() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            near, _ = await connect(alice, bob)
            info = near.identity
            assert isinstance(info, IdentifyInfo)
            await near.close()
            near.identity = None
            identify_of(alice)._learn(near, info)
            assert near.identity is None

    run(main())


def test_a_node_that_does_not_know_how_it_is_seen_says_the_rest() -> None:
    async def main() -> None:
        network = make(1, identify=False)
        one = Identify(network, "warren/test", list)

        class Odd:
            remote_addr = None

        odd: Any = Odd()
        message = one._message(odd)
        assert message == frame(one._common_part())
        await network.stop()

    run(main())


# ---------------------------------------------------------------- parsing


def test_addresses_of_the_signed_record_come_before_the_others() -> None:
    record = PeerRecord(BOB.peer_id, 1, (HERE,))
    message = Message(listenAddrs=[THERE.to_bytes()], signedPeerRecord=record.seal(BOB))
    assert parse(message.SerializeToString(), BOB.peer_id).listen_addrs == (HERE,)
    without = Message(listenAddrs=[THERE.to_bytes()])
    assert parse(without.SerializeToString(), BOB.peer_id).listen_addrs == (THERE,)


def test_addresses_that_we_do_not_know_are_left_out() -> None:
    message = Message(listenAddrs=[b"\xff\xff", HERE.to_bytes(), b""], observedAddr=b"\xff")
    info = parse(message.SerializeToString(), BOB.peer_id)
    assert HERE in info.listen_addrs
    assert len(info.listen_addrs) <= 2
    assert info.observed_addr is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\xff\xff", "the message is malformed"),
        (Message(publicKey=key(3).public_key.to_protobuf()), "not the one of the handshake"),
        (Message(publicKey=b"junk"), "not the one of the handshake"),
        (Message(signedPeerRecord=PeerRecord(key(3).peer_id, 1, ()).seal(key(3))), "another peer's"),
        (Message(signedPeerRecord=b"junk"), "envelope"),
    ],
)
def test_what_is_not_the_peers_own_is_refused(message: Any, reason: str) -> None:
    body = message if isinstance(message, bytes) else message.SerializeToString()
    with pytest.raises(ProtocolViolation, match=reason):
        parse(body, BOB.peer_id)


def test_a_boaster_costs_bounded_memory() -> None:
    message = Message(
        agentVersion="a" * 10_000,
        protocolVersion="v" * 10_000,
        protocols=[f"/{n}" * 100 for n in range(2 * PROTOCOLS_MAX)],
        listenAddrs=[Multiaddr.tcp("10.0.0.1", n + 1).to_bytes() for n in range(2 * ADDRESSES_MAX)],
    )
    info = parse(message.SerializeToString(), BOB.peer_id)
    assert len(info.agent) == len(info.protocol_version) == TEXT_CHARS_MAX
    assert len(info.protocols) == PROTOCOLS_MAX
    assert max(map(len, info.protocols)) <= TEXT_CHARS_MAX
    assert len(info.listen_addrs) == ADDRESSES_MAX


def test_equal_texts_of_many_peers_are_held_once() -> None:
    message = Message(agentVersion="js-libp2p/3.3.0 UserAgent=v22").SerializeToString()
    one, other = (parse(bytes(bytearray(message)), BOB.peer_id).agent for _ in range(2))
    assert one is other


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_documented_errors(body: bytes) -> None:
    with contextlib.suppress(ProtocolViolation):
        parse(body, BOB.peer_id)


@given(
    st.builds(
        Message,
        publicKey=st.binary(max_size=50),
        listenAddrs=st.lists(st.binary(max_size=30), max_size=4),
        protocols=st.lists(st.text(max_size=20), max_size=4),
        observedAddr=st.binary(max_size=30),
        signedPeerRecord=st.binary(max_size=80),
    )
)
def test_messages_with_arbitrary_fields_raise_only_documented_errors(message: Message) -> None:
    with contextlib.suppress(ProtocolViolation):
        parse(message.SerializeToString(), BOB.peer_id)


def test_the_messages_are_those_of_the_specification() -> None:
    """Field numbers: https://github.com/libp2p/specs/blob/master/identify/README.md#the-identify-message"""
    numbers = {field.name: field.number for field in Message.DESCRIPTOR.fields}
    assert numbers == {
        "publicKey": 1,
        "listenAddrs": 2,
        "protocols": 3,
        "observedAddr": 4,
        "protocolVersion": 5,
        "agentVersion": 6,
        "signedPeerRecord": 8,
    }
    assert (identify.PROTOCOL_ID, identify.PUSH_ID) == ("/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0")
