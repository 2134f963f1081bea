"""`Stream` on a muxed stream that notes what it is told: reads, writes, negotiation, ends, receivers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.chunks import CUTS, bytewise, chop
from tests.support import run
from warren.core.errors import (
    Closed,
    ConnectionClosed,
    LimitReached,
    MisuseError,
    ProtocolNotSupported,
    ProtocolViolation,
    StreamReset,
)
from warren.core.framing import frame
from warren.core.keys import PrivateKey
from warren.network.multistream import (
    NOT_AVAILABLE,
    PROPOSALS_MAX,
    REFUSAL_COST,
    VERSION_LINE,
    Proposer,
    Responder,
    encode_line,
)
from warren.network.stream import Stream
from warren.network.yamux.stream import QUEUE_BYTES_MAX

PEER = PrivateKey.from_seed(bytes(32)).peer_id


class FakeMuxed:
    """A `MuxedStream` that keeps what it is given; `full` makes everything wait."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.queued = 0
        self.queue_bytes_max = QUEUE_BYTES_MAX
        self.wake_at = -1
        self.receive_window = 1000
        self.held = 0
        self.room = 1 << 30
        self.credited = 0
        self.fins = 0
        self.resets = 0
        self.charged = 0
        self.full = False

    @property
    def finishing(self) -> bool:
        return bool(self.fins and self.queued)

    def hold(self, count: int) -> bool:
        if count > self.room:
            return False
        self.held += count
        return True

    def release(self, count: int) -> None:
        self.held -= count

    def charge(self, cost: int) -> None:
        self.charged += cost

    def send(self, data: bytes | bytearray | memoryview) -> None:
        if self.full:
            self.queued += len(data)
        else:
            self.sent += data

    def send_fin(self) -> None:
        self.fins += 1

    def reset(self) -> None:
        self.resets += 1

    def consumed(self, count: int) -> None:
        self.credited += count


class FakeSocket:
    def __init__(self) -> None:
        self.peer_id = PEER
        self.in_turn = False
        self.flushes = 0
        self.dispatched: list[Stream] = []
        self.handler: Any = lambda _stream: None

    def flush(self) -> None:
        self.flushes += 1

    def on_stream_negotiated(self, stream: Stream) -> None:
        self.dispatched.append(stream)
        self.handler(stream)


class Bench:
    """A stream between a fake muxer and a test."""

    def __init__(self, negotiator: Any = None, *, inbound: bool = False) -> None:
        socket: Any = FakeSocket()
        self.socket = socket
        self.muxed = FakeMuxed()
        self.stream = Stream(self.socket, inbound=inbound, negotiator=negotiator)
        self.stream.attach(self.muxed)
        self.received = bytearray()
        self.ends: list[Exception | None] = []

    def feed(self, data: bytes) -> None:
        self.stream.on_data(memoryview(bytearray(data)))

    def receive(self) -> None:
        self.stream.set_receiver(self.received.extend, self.ends.append)


# ---------------------------------------------------------------- reading


def test_read_takes_what_is_there_and_no_more_than_asked() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"hello ")
        bench.feed(b"world")
        assert await bench.stream.read(3) == b"hel"
        assert await bench.stream.read(3) == b"lo "
        assert bench.muxed.credited == 6
        assert await bench.stream.read() == b"world"
        bench.stream.on_fin()
        assert await bench.stream.read() == b""
        assert await bench.stream.read() == b""

    run(main())


def test_a_reader_that_waits_is_woken_by_data_the_end_and_the_reset() -> None:
    async def main() -> None:
        bench = Bench()
        reading = asyncio.ensure_future(bench.stream.read())
        await asyncio.sleep(0)
        assert bench.socket.flushes == 1, "what was written goes out before the reader waits"
        bench.feed(b"x")
        assert await reading == b"x"
        reading = asyncio.ensure_future(bench.stream.read())
        await asyncio.sleep(0)
        bench.stream.on_fin()
        assert await reading == b""

        bench = Bench()
        reading = asyncio.ensure_future(bench.stream.read())
        await asyncio.sleep(0)
        bench.stream.on_reset(StreamReset("gone"))
        with pytest.raises(StreamReset, match="gone"):
            await reading
        with pytest.raises(StreamReset, match="gone"):
            await bench.stream.write(b"x")

    run(main())


def test_a_reset_drops_what_was_not_read() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"abc")
        bench.stream.on_reset(StreamReset("gone"))
        assert bench.muxed.held == 0
        with pytest.raises(StreamReset):
            await bench.stream.read()

    run(main())


def test_what_came_to_its_end_can_be_read_after_the_connection_went() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"abc")
        bench.stream.on_fin()
        bench.stream.on_reset(ConnectionClosed("gone"))
        assert await bench.stream.read() == b"abc"
        assert bench.muxed.held == 0

    run(main())


def test_a_reader_gets_the_end_although_the_connection_went_after_it() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"abc")
        bench.stream.on_fin()
        bench.stream.on_reset(ConnectionClosed("gone"))
        assert await bench.stream.read_exactly(3) == b"abc"
        assert await bench.stream.read() == b""
        with pytest.raises(ConnectionClosed):
            bench.stream.write_nowait(b"x")

    run(main())


def test_a_stream_that_was_reset_here_does_not_end_as_if_all_were_read() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"abc")
        bench.stream.on_fin()
        bench.stream.reset()
        with pytest.raises(Closed):
            await bench.stream.read()

    run(main())


def test_two_readers_at_once_are_a_mistake_of_the_caller() -> None:
    async def main() -> None:
        bench = Bench()
        reading = asyncio.ensure_future(bench.stream.read())
        await asyncio.sleep(0)
        with pytest.raises(MisuseError, match="two readers"):
            await bench.stream.read()
        bench.feed(b"x")
        assert await reading == b"x"

    run(main())


def test_a_read_that_was_given_up_loses_nothing() -> None:
    async def main() -> None:
        bench = Bench()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await bench.stream.read()
        bench.feed(b"x")
        assert await bench.stream.read() == b"x"

    run(main())


@given(st.binary(min_size=1, max_size=300), CUTS, st.lists(st.integers(1, 50), min_size=1))
def test_whatever_the_chunks_the_bytes_are_the_same(data: bytes, cuts: list[int], sizes: list[int]) -> None:
    async def main() -> None:
        bench, got, turn = Bench(), b"", 0
        for chunk in chop(data, cuts):
            if chunk:
                bench.feed(chunk)
        bench.stream.on_fin()
        while part := await bench.stream.read(sizes[turn % len(sizes)]):
            assert len(part) <= sizes[turn % len(sizes)]
            got += part
            turn += 1
        assert got == data
        assert bench.muxed.credited == len(data)

    run(main())


def test_read_exactly_waits_for_all_and_refuses_a_short_stream() -> None:
    async def main() -> None:
        bench = Bench()
        assert await bench.stream.read_exactly(0) == b""
        bench.feed(b"ab")
        reading = asyncio.ensure_future(bench.stream.read_exactly(5))
        await asyncio.sleep(0)
        bench.feed(b"cdefg")
        assert await reading == b"abcde"
        assert await bench.stream.read_exactly(2) == b"fg"
        bench.feed(b"h")
        bench.stream.on_fin()
        with pytest.raises(ProtocolViolation, match="ended after 1 of 2 bytes"):
            await bench.stream.read_exactly(2)
        with pytest.raises(ProtocolViolation, match="ended after 0 of 2 bytes"):
            await bench.stream.read_exactly(2)

    run(main())


def test_read_frame_reads_one_message_and_checks_its_length_first() -> None:
    async def main() -> None:
        bench = Bench()
        for byte in bytewise(frame(b"x" * 200)):
            bench.feed(byte)
        bench.feed(frame(b"") + frame(b"last") + b"\xc9\x01")
        assert await bench.stream.read_frame(200) == b"x" * 200
        assert await bench.stream.read_frame(200) == b""
        assert await bench.stream.read_frame(200) == b"last"
        with pytest.raises(ProtocolViolation, match="201 bytes"):
            await bench.stream.read_frame(200)
        bench.stream.on_fin()
        with pytest.raises(ProtocolViolation, match="where a message should begin"):
            await bench.stream.read_frame(200)

    run(main())


def test_tiny_pieces_that_wait_for_a_reader_do_not_cost_an_object_each() -> None:
    async def main() -> None:
        bench = Bench()
        for _ in range(10_000):
            bench.feed(b"ab")
        assert bench.stream._chunks is not None
        assert len(bench.stream._chunks) < 10
        assert await bench.stream.read_exactly(20_000) == b"ab" * 10_000

    run(main())


# ---------------------------------------------------------------- the receiver


def test_a_receiver_gets_what_was_buffered_and_then_what_arrives() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"before ")
        bench.receive()
        bench.feed(b"after")
        assert bench.received == b"before after"
        assert bench.muxed.credited == 12
        bench.stream.on_fin()
        assert bench.ends == [None]
        bench.stream.on_reset(StreamReset("late"))
        assert bench.ends == [None]

    run(main())


@pytest.mark.parametrize("ending", ["fin", "reset"])
def test_a_receiver_that_comes_after_the_end_hears_of_it_at_once(ending: str) -> None:
    async def main() -> None:
        bench, error = Bench(), StreamReset("gone")
        bench.feed(b"all")
        bench.stream.on_fin() if ending == "fin" else bench.stream.on_reset(error)
        bench.receive()
        assert bytes(bench.received) == (b"all" if ending == "fin" else b"")
        assert bench.ends == [None if ending == "fin" else error]

    run(main())


def test_a_paused_receiver_gets_everything_in_order_when_it_resumes() -> None:
    async def main() -> None:
        bench = Bench()
        bench.receive()
        bench.stream.pause_reading()
        bench.feed(b"one")
        bench.feed(b"two")
        bench.stream.on_fin()
        assert bench.received == b""
        assert bench.muxed.credited == 0
        assert bench.ends == []
        bench.stream.resume_reading()
        bench.stream.resume_reading()
        assert bench.received == b"onetwo"
        assert bench.ends == [None]

    run(main())


@pytest.mark.parametrize("paused_first", [False, True])
def test_a_paused_receiver_gets_everything_although_the_connection_went(paused_first: bool) -> None:
    async def main() -> None:
        bench = Bench()
        if paused_first:
            bench.stream.pause_reading()
            bench.receive()
        else:
            bench.receive()
            bench.stream.pause_reading()
        bench.feed(b"one")
        bench.feed(b"two")
        bench.stream.on_fin()
        bench.stream.on_reset(ConnectionClosed("gone"))
        assert bench.ends == []
        bench.stream.resume_reading()
        assert bench.received == b"onetwo"
        assert bench.ends == [None]

    run(main())


def test_a_receiver_that_comes_after_a_good_end_and_pauses_waits_for_what_is_left() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"x")
        bench.stream.on_fin()
        bench.stream.on_reset(ConnectionClosed("gone"))
        bench.stream.pause_reading()
        bench.receive()
        assert bench.ends == []
        bench.stream.resume_reading()
        assert bench.ends == [None]

    run(main())


def test_a_receiver_may_pause_in_the_middle_of_what_was_buffered() -> None:
    async def main() -> None:
        bench = Bench()
        taken: list[bytes] = []

        def on_data(data: memoryview) -> None:
            taken.append(bytes(data))
            bench.stream.pause_reading()

        bench.feed(b"x" * 5000)
        bench.feed(b"y" * 5000)
        bench.stream.set_receiver(on_data, bench.ends.append)
        assert len(taken) == 1
        bench.feed(b"z" * 5000)
        for _ in range(2):
            bench.stream.resume_reading()
        assert b"".join(taken) == b"x" * 5000 + b"y" * 5000 + b"z" * 5000

    run(main())


def test_what_comes_may_be_written_where_the_receiver_wants_it() -> None:
    async def main() -> None:
        bench = Bench()
        place, filled = memoryview(bytearray(8)), list[int]()
        assert bench.stream.body_target() is None
        bench.receive()
        bench.stream.set_target(lambda: place, filled.append)
        assert bench.stream.body_target() is place
        bench.stream.on_filled(5)
        assert (filled, bench.muxed.credited) == ([5], 5)
        bench.stream.pause_reading()
        assert bench.stream.body_target() is None
        bench.feed(b"kept")
        bench.stream.resume_reading()
        assert bytes(bench.received) == b"kept"
        assert bench.stream.body_target() is place
        bench.stream.on_fin()
        assert bench.stream.body_target() is None

    run(main())


def test_nothing_is_written_in_place_before_the_protocol_is_agreed() -> None:
    async def main() -> None:
        bench = Bench(Proposer(["/a/1"]))
        bench.receive()
        bench.stream.set_target(lambda: memoryview(bytearray(8)), lambda _: None)
        assert bench.stream.body_target() is None
        bench.feed(VERSION_LINE + encode_line("/a/1"))
        assert bench.stream.body_target() is not None

    run(main())


def test_a_fault_over_what_was_written_in_place_costs_the_stream() -> None:
    def fail(_count: int) -> None:
        raise ProtocolViolation("nonsense")

    async def main() -> None:
        bench = Bench()
        bench.receive()
        bench.stream.set_target(lambda: memoryview(bytearray(8)), fail)
        bench.stream.on_filled(3)
        assert bench.stream.ended
        assert bench.muxed.resets == 1

    run(main())


@pytest.mark.parametrize("fault", [ValueError("a bug"), ProtocolViolation("nonsense")])
@pytest.mark.parametrize("when", ["on data", "on buffered data", "on end", "on reset", "on writable"])
def test_a_faulty_receiver_costs_its_stream_and_nothing_else(when: str, fault: Exception) -> None:
    def fail(*_: object) -> None:
        raise fault

    def ignore(*_: object) -> None:
        pass

    async def main() -> None:
        bench = Bench()
        ends: list[Exception | None] = []
        if when == "on buffered data":
            bench.feed(b"x")
        bench.stream.set_writable_callback(fail if when == "on writable" else None)
        bench.stream.set_receiver(
            fail if "data" in when else ignore, fail if when in ("on end", "on reset") else ends.append
        )
        bench.feed(b"x")
        if when == "on writable":
            bench.stream.on_writable()
        elif when == "on reset":
            bench.stream.on_reset(StreamReset("gone"))
        else:
            bench.stream.on_fin()
        assert bench.stream.ended
        assert bench.muxed.resets == (when != "on reset")
        assert ends == ([] if when in ("on end", "on reset") else [fault])

    run(main())


# ---------------------------------------------------------------- writing


def test_write_returns_at_once_below_the_bound_and_waits_above_it() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.stream.write(b"quick")
        assert bench.muxed.sent == b"quick"
        bench.muxed.full = True
        assert bench.stream.write_nowait(bytes(QUEUE_BYTES_MAX))
        writing = [asyncio.ensure_future(bench.stream.write(b"one more")) for _ in range(2)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in writing)
        bench.stream.on_writable()
        await asyncio.sleep(0)
        assert not any(task.done() for task in writing), "still above the bound"
        bench.muxed.queued = 0
        bench.stream.on_writable()
        await asyncio.gather(*writing)
        await bench.stream.drain()

    run(main())


def test_a_writer_that_waits_is_told_when_the_stream_ends() -> None:
    async def main() -> None:
        bench = Bench()
        bench.muxed.full = True
        writing = asyncio.ensure_future(bench.stream.write(bytes(QUEUE_BYTES_MAX + 1)))
        await asyncio.sleep(0)
        bench.stream.on_reset(StreamReset("gone"))
        with pytest.raises(StreamReset):
            await writing

    run(main())


def test_a_writer_that_gives_up_does_not_wake_others_with_an_error() -> None:
    async def main() -> None:
        bench = Bench()
        bench.muxed.full = True
        bench.stream.write_nowait(bytes(QUEUE_BYTES_MAX + 1))
        hasty, patient = (asyncio.ensure_future(bench.stream.drain()) for _ in range(2))
        await asyncio.sleep(0)
        hasty.cancel()
        await asyncio.sleep(0)
        bench.muxed.queued = 0
        bench.stream.on_writable()
        await patient

    run(main())


def test_a_question_that_is_waited_for_is_flushed_at_once() -> None:
    async def main() -> None:
        bench = Bench()
        assert bench.stream.write_through(b"now")
        assert bench.socket.flushes == 1
        assert not bench.socket.in_turn
        bench.socket.in_turn = True
        bench.stream.write_through(b"with the turn")
        assert bench.socket.flushes == 1

    run(main())


def test_the_writable_callback_is_called_each_time_until_it_is_taken_away() -> None:
    async def main() -> None:
        bench = Bench()
        calls: list[int] = []
        bench.stream.set_writable_callback(lambda: calls.append(1))
        bench.stream.on_writable()
        bench.stream.on_writable()
        bench.stream.set_writable_callback(None)
        bench.stream.on_writable()
        assert calls == [1, 1]

    run(main())


def test_a_stream_that_is_not_open_yet_cannot_be_written() -> None:
    async def main() -> None:
        stream = Stream(Bench().socket, inbound=False, negotiator=None)
        with pytest.raises(MisuseError, match="not open yet"):
            stream.write_nowait(b"x")
        stream.close_write()
        stream.reset()
        assert not stream.ended

    run(main())


# ---------------------------------------------------------------- ends


def test_reset_is_told_to_the_peer_once_and_to_the_receiver() -> None:
    async def main() -> None:
        bench = Bench()
        bench.receive()
        bench.stream.reset()
        bench.stream.reset()
        assert bench.muxed.resets == 1
        assert [type(error) for error in bench.ends] == [Closed]
        with pytest.raises(Closed):
            await bench.stream.read()
        bench.stream.close_write()
        assert bench.muxed.fins == 0

    run(main())


@pytest.mark.parametrize("paused", [False, True])
def test_close_sends_the_end_and_lets_what_still_comes_pass(paused: bool) -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"unread")
        if paused:
            bench.stream.pause_reading()
        await bench.stream.close()
        assert bench.muxed.fins == 1
        assert bench.muxed.credited == 6
        assert bench.stream.waits_for_peer
        bench.feed(b"more")
        assert bench.muxed.credited == 6, "what nobody reads earns no credit"
        assert bench.muxed.held == 0
        bench.stream.on_fin()
        assert bench.ends == []
        assert bench.muxed.resets == 0
        assert not bench.stream.waits_for_peer

    run(main())


def test_who_sends_a_whole_window_to_a_closed_stream_is_stopped() -> None:
    async def main() -> None:
        bench = Bench()
        bench.stream.close_nowait()
        bench.feed(bytes(999))
        bench.stream.close_nowait()
        assert bench.muxed.resets == 0
        bench.feed(bytes(1))
        assert bench.muxed.resets == 1

    run(main())


def test_an_answer_under_way_is_not_lost_to_a_reset() -> None:
    async def main() -> None:
        bench = Bench()
        bench.muxed.full = True
        bench.stream.write_nowait(b"answer")
        bench.stream.close_nowait()
        bench.feed(bytes(1000))
        assert bench.muxed.resets == 0
        assert bench.stream.waits_for_peer

    run(main())


def test_close_after_the_peers_end_drops_what_is_unread() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"unread")
        bench.stream.on_fin()
        bench.stream.close_nowait()
        assert bench.muxed.fins == 1

    run(main())


def test_a_stream_says_what_it_is() -> None:
    async def main() -> None:
        bench = Bench(inbound=True)
        assert bench.stream.direction == "inbound"
        assert repr(bench.stream) == f"<Stream negotiating from {PEER}>"
        bench = Bench()
        bench.stream.protocol = "/x/1"
        assert bench.stream.direction == "outbound"
        assert repr(bench.stream) == f"<Stream /x/1 to {PEER}>"
        assert bench.stream.peer_id == PEER

    run(main())


# ---------------------------------------------------------------- negotiation


def test_an_outbound_stream_proposes_and_is_told_what_was_agreed() -> None:
    async def main() -> None:
        bench = Bench(Proposer(["/a", "/b"]))
        bench.stream.begin()
        assert bench.muxed.sent == VERSION_LINE + encode_line("/a")
        waiting = asyncio.ensure_future(bench.stream.wait_negotiated())
        await asyncio.sleep(0)
        bench.feed(VERSION_LINE + NOT_AVAILABLE)
        await asyncio.sleep(0)
        bench.feed(encode_line("/b") + b"and data")
        assert await waiting == "/b"
        assert bench.stream.protocol == "/b"
        assert await bench.stream.wait_negotiated() == "/b"
        assert await bench.stream.read() == b"and data"
        bench.stream.begin()
        assert bench.muxed.sent == VERSION_LINE + encode_line("/a") + encode_line("/b")
        assert bench.muxed.credited == len(VERSION_LINE + NOT_AVAILABLE + encode_line("/b")) + 8

    run(main())


@pytest.mark.parametrize(("proposals", "resets"), [(3, 0), (PROPOSALS_MAX + 100, 1)])
def test_every_proposal_that_is_refused_is_charged_for(proposals: int, resets: int) -> None:
    """In one piece, too, and when the last of them ends the stream."""
    bench = Bench(Responder(lambda _protocol: False), inbound=True)
    bench.feed(VERSION_LINE + b"".join(encode_line(f"/nobody/{at}") for at in range(proposals)))
    assert bench.muxed.charged == REFUSAL_COST * min(proposals, PROPOSALS_MAX + 1)
    assert bench.muxed.resets == resets


def test_a_refused_stream_is_reset_and_says_why() -> None:
    async def main() -> None:
        bench = Bench(Proposer(["/a"]))
        waiting = asyncio.ensure_future(bench.stream.wait_negotiated())
        await asyncio.sleep(0)
        bench.feed(VERSION_LINE + NOT_AVAILABLE + b"junk")
        with pytest.raises(ProtocolNotSupported, match="does not speak"):
            await waiting
        assert bench.muxed.resets == 1
        with pytest.raises(ProtocolNotSupported):
            await bench.stream.read()

    run(main())


@pytest.mark.parametrize("negotiator", [Proposer(["/a"]), Responder(lambda _: True)])
def test_nonsense_in_the_negotiation_costs_the_stream(negotiator: Any) -> None:
    async def main() -> None:
        bench = Bench(negotiator)
        bench.feed(b"GET / HTTP/1.1")
        assert bench.muxed.resets == 1
        with pytest.raises(ProtocolViolation):
            await bench.stream.wait_negotiated()

    run(main())


def test_the_end_before_an_agreement_is_an_error() -> None:
    async def main() -> None:
        bench = Bench(Responder(lambda _: True))
        bench.stream.on_fin()
        with pytest.raises(ConnectionClosed, match="before a protocol was agreed"):
            await bench.stream.wait_negotiated()
        assert bench.muxed.resets == 1

    run(main())


def test_an_agreement_holds_although_the_peer_has_ended_and_gone() -> None:
    async def main() -> None:
        bench = Bench(Proposer(["/x"]))
        bench.feed(VERSION_LINE + encode_line("/x") + b"all of it")
        bench.stream.on_fin()
        bench.stream.on_reset(ConnectionClosed("gone"))
        assert await bench.stream.wait_negotiated() == "/x"
        assert await bench.stream.read() == b"all of it"

    run(main())


@given(CUTS, st.binary(max_size=100))
def test_an_inbound_stream_gets_its_handler_once_and_then_its_data(cuts: list[int], body: bytes) -> None:
    async def main() -> None:
        bench = Bench(Responder({"/b"}.__contains__), inbound=True)
        bench.socket.handler = lambda _stream: bench.receive()
        for chunk in chop(VERSION_LINE + encode_line("/a") + encode_line("/b") + body, cuts):
            if chunk:
                bench.feed(chunk)
        assert bench.socket.dispatched == [bench.stream]
        assert bench.received == body
        assert bench.muxed.sent == VERSION_LINE + NOT_AVAILABLE + encode_line("/b")

    run(main())


def test_a_handler_that_resets_at_once_gets_nothing_more() -> None:
    async def main() -> None:
        bench = Bench(Responder(lambda _: True), inbound=True)
        bench.socket.handler = lambda stream: stream.reset()
        bench.feed(VERSION_LINE + encode_line("/a") + b"data")
        with pytest.raises(Closed):
            await bench.stream.read()

    run(main())


def test_what_a_handler_keeps_for_the_peer_is_counted_by_the_muxer() -> None:
    async def main() -> None:
        bench = Bench()
        bench.stream.hold(100)
        bench.stream.release(40)
        assert bench.muxed.held == 60
        bench.muxed.room = 0
        with pytest.raises(LimitReached, match="too much data"):
            bench.stream.hold(1)

    run(main())


def test_unread_data_beyond_what_may_be_held_costs_the_stream() -> None:
    async def main() -> None:
        bench = Bench()
        bench.feed(b"fits")
        bench.muxed.room = 0
        bench.feed(b"too much")
        assert bench.muxed.resets == 1
        assert bench.muxed.held == 0
        with pytest.raises(LimitReached):
            await bench.stream.read()

    run(main())
