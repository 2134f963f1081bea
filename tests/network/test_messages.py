"""Requests, answers and broadcasts over real sockets; peers that break the rules speak the wire by hand."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.network.nodes import Inbox, closed, connect, nodes
from tests.support import run
from warren.core.errors import (
    Closed,
    ConnectionClosed,
    ConnectionFailed,
    LimitReached,
    ProtocolNotSupported,
    ProtocolViolation,
    Refused,
    RequestTimeout,
    StreamReset,
)
from warren.core.framing import frame
from warren.network.message_frames import ENVELOPE_BYTES_MAX
from warren.network.messages import _Outgoing
from warren.network.proto.messages_pb2 import ERROR, MESSAGE, REQUEST, RESPONSE, Message

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream

ECHO = "/test/echo/1"


async def echo(_: PeerId, payload: bytes) -> bytes:
    return payload


def packed(number: int, kind: int, payload: bytes = b"") -> bytes:
    return frame(Message(id=number, kind=kind, payload=payload).SerializeToString())  # type: ignore[arg-type]


async def read_message(stream: Stream, most: int = 1 << 23) -> Message:
    message = Message()
    message.ParseFromString(await stream.read_frame(most))
    return message


class Gate:
    """A request handler whose answers wait until the test lets them go, by payload."""

    def __init__(self, network: Network, protocol: str = ECHO) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.waiting: dict[bytes, asyncio.Future[None]] = {}
        network.handle_request(protocol, self.handle)

    async def handle(self, _: PeerId, payload: bytes) -> bytes:
        self.waiting[payload] = asyncio.get_running_loop().create_future()
        self.arrived.put_nowait(payload)
        await self.waiting[payload]
        return payload

    def let_go(self, payload: bytes) -> None:
        self.waiting.pop(payload).set_result(None)


# ---------------------------------------------------------------- asking


def test_a_request_gets_its_answer() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            asked: list[PeerId] = []

            async def shout(peer: PeerId, payload: bytes) -> bytes:
                asked.append(peer)
                return payload.upper()

            bob.handle_request(ECHO, shout)
            await connect(alice, bob)
            assert await alice.request(bob.peer_id, ECHO, b"hello") == b"HELLO"
            assert asked == [alice.peer_id]

    run(main())


@pytest.mark.parametrize("size", [0, 1, 100_000, 4 * 1024 * 1024])
def test_payloads_of_any_size_up_to_the_limit_come_and_go(size: int) -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_request(ECHO, echo)
            await connect(alice, bob)
            payload = bytes(size)
            assert await alice.request(bob.peer_id, ECHO, payload) == payload

    run(main())


def test_answers_may_come_in_any_order() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            gate = Gate(bob)
            await connect(alice, bob)
            names = [b"one", b"two", b"three"]
            asking = [asyncio.ensure_future(alice.request(bob.peer_id, ECHO, name)) for name in names]
            for _ in names:
                await gate.arrived.get()
            for name, task in reversed(list(zip(names, asking, strict=True))):
                gate.let_go(name)
                assert await task == name

    run(main())


def test_all_requests_of_a_protocol_share_one_stream() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_request(ECHO, echo)
            near, _ = await connect(alice, bob)
            before = near.streams
            for n in range(20):
                await alice.request(bob.peer_id, ECHO, bytes([n]))
            assert near.streams == before + 1

    run(main())


def test_both_sides_ask_each_other_at_once() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            for network in (alice, bob):
                network.handle_request(ECHO, echo)
            await connect(alice, bob)
            asked = [
                one.request(other.peer_id, ECHO, b"%d" % n)
                for n in range(50)
                for one, other in ((alice, bob), (bob, alice))
            ]
            assert await asyncio.gather(*asked) == [b"%d" % (n // 2) for n in range(100)]

    run(main())


def test_a_request_to_a_peer_that_is_not_connected_dials_it() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_request(ECHO, echo)
            alice.add_addresses(bob.peer_id, bob.listen_addrs)
            assert await alice.request(bob.peer_id, ECHO, b"x") == b"x"

    run(main())


def test_a_protocol_that_the_peer_does_not_speak_is_refused() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            near, _ = await connect(alice, bob)
            with pytest.raises(ProtocolNotSupported):
                await alice.request(bob.peer_id, ECHO, b"x")
            bob.handle_request(ECHO, echo)
            assert await alice.request(bob.peer_id, ECHO, b"x") == b"x"
            assert near.usable

    run(main())


def test_a_late_answer_is_dropped_and_disturbs_nobody() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            gate = Gate(bob)
            await connect(alice, bob)
            with pytest.raises(RequestTimeout, match=r"within 0\.05 s"):
                await alice.request(bob.peer_id, ECHO, b"slow", timeout_s=0.05)
            gate.let_go(await gate.arrived.get())
            asking = asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"next"))
            gate.let_go(await gate.arrived.get())
            assert await asking == b"next"

    run(main())


def test_a_request_that_was_given_up_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            gate = Gate(bob)
            near, _ = await connect(alice, bob)
            asking = asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"x"))
            await gate.arrived.get()
            asking.cancel()
            await asyncio.wait([asking])
            assert alice._messenger._outgoing[near][ECHO]._pending == {}

    run(main())


def test_too_large_a_request_is_not_sent() -> None:
    async def main() -> None:
        async with nodes(message_bytes_max=1000) as (alice, bob):
            bob.handle_request(ECHO, echo)
            await connect(alice, bob)
            with pytest.raises(LimitReached) as caught:
                await alice.request(bob.peer_id, ECHO, bytes(1001))
            assert caught.value.limit == "message_bytes_max"
            assert await alice.request(bob.peer_id, ECHO, bytes(1000)) == bytes(1000)

    run(main())


def test_too_many_requests_at_once_are_not_sent() -> None:
    async def main() -> None:
        async with nodes(pending_requests_max=2) as (alice, bob):
            gate = Gate(bob)
            await connect(alice, bob)
            asking = [asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"%d" % n)) for n in range(2)]
            for _ in asking:
                await gate.arrived.get()
            with pytest.raises(LimitReached) as caught:
                await alice.request(bob.peer_id, ECHO, b"2")
            assert caught.value.limit == "pending_requests_max"
            for n in range(2):
                gate.let_go(b"%d" % n)
            assert await asyncio.gather(*asking) == [b"0", b"1"]

    run(main())


def test_everybody_who_waits_learns_that_the_connection_is_gone() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            gate = Gate(bob)
            _, far = await connect(alice, bob)
            asking = [asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"%d" % n)) for n in range(3)]
            for _ in asking:
                await gate.arrived.get()
            far.abort()
            for outcome in await asyncio.gather(*asking, return_exceptions=True):
                assert isinstance(outcome, ConnectionFailed)

    run(main())


def test_the_next_request_after_a_lost_connection_dials_again() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_request(ECHO, echo)
            alice.add_addresses(bob.peer_id, bob.listen_addrs)
            near, far = await connect(alice, bob)
            assert await alice.request(bob.peer_id, ECHO, b"x") == b"x"
            far.abort()
            await closed(near)
            assert alice._messenger._outgoing == {}
            assert await alice.request(bob.peer_id, ECHO, b"y") == b"y"

    run(main())


def test_a_request_that_cannot_be_written_is_not_waited_for() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_request(ECHO, echo)
            near, _ = await connect(alice, bob)
            await alice.request(bob.peer_id, ECHO, b"x")
            outgoing = alice._messenger._outgoing[near][ECHO]
            outgoing.stream.close_write()
            with pytest.raises(Closed):
                await alice.request(bob.peer_id, ECHO, b"y")
            assert outgoing._pending == {}

    run(main())


# ---------------------------------------------------------------- answering


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Refused("not for you"), "not for you"),
        (Refused("odd name \udcff"), "odd name"),
        (ValueError("secret path"), "internal error"),
        (None, ""),
    ],
)
def test_a_handler_that_fails_answers_with_an_error_and_goes_on(
    fault: Exception | None, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):

            async def fail(_: PeerId, payload: bytes) -> bytes | None:
                if payload == b"fail" and fault is not None:
                    raise fault
                return None

            bob.handle_request(ECHO, fail)
            near, _ = await connect(alice, bob)
            if fault is not None:
                with pytest.raises(Refused, match=told):
                    await alice.request(bob.peer_id, ECHO, b"fail")
            assert await alice.request(bob.peer_id, ECHO, b"fine") == b""
            assert near.usable

    with caplog.at_level(logging.INFO):
        run(main())
    assert ("secret path" in caplog.text) == isinstance(fault, ValueError)


def test_an_answer_over_the_limit_is_an_error_for_who_asked_and_for_nobody_else() -> None:
    async def main() -> None:
        async with nodes(message_bytes_max=1000) as (alice, bob):
            gate = Gate(bob, "/test/gate/1")

            async def boast(_: PeerId, payload: bytes) -> bytes:
                return payload * 1001

            bob.handle_request(ECHO, boast)
            await connect(alice, bob)
            asking = asyncio.ensure_future(alice.request(bob.peer_id, "/test/gate/1", b"x"))
            await gate.arrived.get()
            with pytest.raises(Refused, match="larger than message_bytes_max"):
                await alice.request(bob.peer_id, ECHO, b"x")
            assert await alice.request(bob.peer_id, ECHO, b"") == b""
            gate.let_go(b"x")
            assert await asking == b"x"

    run(main())


def test_a_peer_has_only_so_many_requests_running() -> None:
    async def main() -> None:
        async with nodes(requests_per_stream_max=2) as (alice, bob):
            gate = Gate(bob)
            await connect(alice, bob)
            names = [b"%d" % n for n in range(6)]
            asking = [asyncio.ensure_future(alice.request(bob.peer_id, ECHO, name)) for name in names]
            for _ in names:
                await gate.arrived.get()
                assert len(gate.waiting) <= 2
                if len(gate.waiting) == 2:
                    gate.let_go(min(gate.waiting))
            while gate.waiting:
                gate.let_go(min(gate.waiting))
                await asyncio.sleep(0)
            assert await asyncio.gather(*asking) == names

    run(main())


def test_a_peer_that_asks_and_never_takes_an_answer_is_read_no_further() -> None:
    """Its answers wait in the stream; as many requests run as the limit allows, and no more."""

    async def main() -> None:
        async with nodes(requests_per_stream_max=4) as (alice, bob):
            served = 0

            async def inflate(_: PeerId, __: bytes) -> bytes:
                nonlocal served
                served += 1
                return bytes(1_000_000)

            bob.handle_request(ECHO, inflate)
            near, far = await connect(alice, bob)
            stream = await alice.open_stream(near, ECHO)
            writing = asyncio.ensure_future(flood(stream))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await writing
            assert served <= 6, "each runs until its answer was taken"
            assert far.streams
            first = await read_message(stream)
            assert len(first.payload) == 1_000_000

    async def flood(stream: Stream) -> None:
        number = 0
        while True:
            number += 1
            await stream.write(packed(number, REQUEST, bytes(1000)))

    run(main())


def test_a_peer_that_ends_its_half_still_gets_its_answers_and_then_the_end() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            gate = Gate(bob)
            near, _ = await connect(alice, bob)
            stream = await alice.open_stream(near, ECHO)
            await stream.write(packed(7, REQUEST, b"a") + packed(8, REQUEST, b"b"))
            stream.close_write()
            for _ in range(2):
                await gate.arrived.get()
            gate.let_go(b"b")
            answer = await read_message(stream)
            assert (answer.id, answer.kind, answer.payload) == (8, RESPONSE, b"b")
            gate.let_go(b"a")
            assert (await read_message(stream)).id == 7
            assert await stream.read() == b""

    run(main())


def test_a_peer_that_asks_nothing_gets_the_end() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_request(ECHO, echo)
            near, _ = await connect(alice, bob)
            stream = await alice.open_stream(near, ECHO)
            stream.close_write()
            assert await stream.read() == b""

    run(main())


def test_a_peer_that_leaves_before_its_answer_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            gate = Gate(bob)
            near, far = await connect(alice, bob)
            stream = await alice.open_stream(near, ECHO)
            await stream.write(packed(1, REQUEST, b"a"))
            await gate.arrived.get()
            near.abort()
            await closed(far)
            gate.let_go(b"a")
            await asyncio.sleep(0)

    with caplog.at_level(logging.INFO):
        run(main())
    assert not caplog.records


# ---------------------------------------------------------------- peers that break the rules

BAD_REQUESTS = {
    "not protobuf": frame(b"\xff\xff\xff"),
    "an answer that nobody asked for": packed(1, RESPONSE),
    "an error that nobody asked for": packed(1, ERROR),
    "oversized": b"\xff\xff\xff\x7f",
    "a length that is no varint": b"\xff" * 10,
    "a good one and then a bad length": packed(1, REQUEST, b"x") + b"\xff" * 10,
}


@pytest.mark.parametrize("bad", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_message_costs_its_stream_and_the_next_good_one_arrives(bad: bytes) -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            bob.handle_request(ECHO, echo)
            near, far = await connect(alice, bob)
            stream = await alice.open_stream(near, ECHO)
            await stream.write(bad)
            with pytest.raises(StreamReset):
                await stream.read_exactly(1 << 30)
            assert await alice.request(bob.peer_id, ECHO, b"good") == b"good"
            assert near.usable
            assert far.usable

    run(main())


BAD_ANSWERS = {
    "not protobuf": frame(b"\xff\xff\xff"),
    "a request": packed(1, REQUEST),
    "a message": packed(1, MESSAGE),
    "a request with another number": packed(99, REQUEST),
    "oversized": b"\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_ends_the_wait_at_once_and_the_next_request_works(bad: bytes) -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            inbox = Inbox(bob, ECHO)
            near, _ = await connect(alice, bob)
            asking = [asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"x")) for _ in range(2)]
            stream = await inbox.next()
            await read_message(stream)
            await stream.write(bad)
            for outcome in await asyncio.gather(*asking, return_exceptions=True):
                assert isinstance(outcome, ProtocolViolation)
            again = asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"y"))
            stream = await inbox.next()
            asked = await read_message(stream)
            await stream.write(packed(asked.id, RESPONSE, b"z"))
            assert await again == b"z"
            assert near.usable

    run(main())


def test_answers_to_unknown_numbers_are_dropped() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            inbox = Inbox(bob, ECHO)
            await connect(alice, bob)
            asking = asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"x"))
            stream = await inbox.next()
            asked = await read_message(stream)
            await stream.write(packed(99, RESPONSE, b"no") + packed(99, ERROR, b"no"))
            await stream.write(packed(asked.id, ERROR, b"\xff\xfe" + b"x" * 10_000))
            with pytest.raises(Refused) as caught:
                await asking
            assert len(str(caught.value)) < 700, "a foreign text is bounded"

    run(main())


def test_a_stream_that_the_peer_ended_is_not_used_again() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            inbox = Inbox(bob, ECHO)
            await connect(alice, bob)
            asking = asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"x"))
            (await inbox.next()).close_write()
            with pytest.raises(ConnectionClosed, match="without an answer"):
                await asking
            again = asyncio.ensure_future(alice.request(bob.peer_id, ECHO, b"y"))
            stream = await inbox.next()
            asked = await read_message(stream)
            await stream.write(packed(asked.id, RESPONSE, b"z"))
            assert await again == b"z"

    run(main())


def test_the_envelope_of_the_largest_message_fits_its_allowance() -> None:
    largest = Message(id=2**64 - 1, kind=ERROR, payload=bytes(4 * 1024 * 1024)).SerializeToString()
    assert len(largest) <= 4 * 1024 * 1024 + ENVELOPE_BYTES_MAX


# ---------------------------------------------------------------- broadcast


def test_a_broadcast_reaches_everybody_and_says_whom_it_did_not_reach() -> None:
    async def main() -> None:
        async with nodes(5, pending_requests_max=2) as (alice, *others):
            heard: list[tuple[int, bytes]] = []
            good, failing, silent, foreign = others

            async def take(_: PeerId, payload: bytes) -> None:
                heard.append((1, payload))

            async def fail(_: PeerId, __: bytes) -> None:
                raise Refused("not today")

            good.handle_request(ECHO, take)
            failing.handle_request(ECHO, fail)
            Gate(silent)
            for other in others:
                await connect(alice, other)
            report = await alice.broadcast(ECHO, b"news", timeout_s=0.3)
            assert report.reached == (good.peer_id,)
            assert heard == [(1, b"news")]
            assert set(report.failed) == {failing.peer_id, silent.peer_id, foreign.peer_id}
            assert "not today" in report.failed[failing.peer_id]
            assert "no answer within 0.3 s" in report.failed[silent.peer_id]
            assert "does not speak" in report.failed[foreign.peer_id]

    run(main())


def test_a_peer_that_cannot_be_asked_is_reported_and_does_not_stop_the_others() -> None:
    async def main() -> None:
        async with nodes(3, pending_requests_max=1) as (alice, busy, idle):
            gate = Gate(busy)
            idle.handle_request(ECHO, echo)
            for other in (busy, idle):
                await connect(alice, other)
            asking = asyncio.ensure_future(alice.request(busy.peer_id, ECHO, b"x"))
            await gate.arrived.get()
            report = await alice.broadcast(ECHO, b"news")
            assert report.reached == (idle.peer_id,)
            assert "pending_requests_max" in report.failed[busy.peer_id]
            gate.let_go(b"x")
            await asking

    run(main())


def test_a_broadcast_to_nobody_reaches_nobody() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            report = await alice.broadcast(ECHO, b"news")
            assert (report.reached, report.failed) == ((), {})

    run(main())


def test_a_broadcast_that_was_given_up_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with nodes() as (alice, bob):
            gate = Gate(bob)
            near, _ = await connect(alice, bob)
            telling = asyncio.ensure_future(alice.broadcast(ECHO, b"x"))
            await gate.arrived.get()
            telling.cancel()
            await asyncio.wait([telling])
            outgoing: Any = alice._messenger._outgoing[near][ECHO]
            assert isinstance(outgoing, _Outgoing)
            assert outgoing._pending == {}

    run(main())


def test_many_broadcasts_and_requests_at_once_do_not_mix() -> None:
    async def main() -> None:
        async with nodes(4) as everybody:
            for network in everybody:
                network.handle_request(ECHO, echo)
            for n, network in enumerate(everybody):
                for other in everybody[n + 1 :]:
                    await connect(network, other)
            work: list[Any] = [network.broadcast(ECHO, b"news") for network in everybody for _ in range(5)]
            work += [
                one.request(other.peer_id, ECHO, b"%d" % n)
                for n, one in enumerate(everybody)
                for other in everybody
                if one is not other
            ]
            outcome = await asyncio.gather(*work)
            for report in outcome[:20]:
                assert len(report.reached) == 3
                assert report.failed == {}
            assert outcome[20:] == [b"%d" % n for n in range(4) for _ in range(3)]

    run(main())
