"""What every `MuxedConnection` must do. Subclass `MuxConformance`, give it a pair, and the tests run.

A pair is two connections, client and server, joined back to back; `carry` moves what they send until they are
quiet. The streams are driven as `Socket` and `Stream` drive them: synchronously, credit given back with
`consumed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.network.fakes import Sink
from warren.core.errors import Closed, ConnectionClosed, LimitReached, StreamReset

if TYPE_CHECKING:
    from tests.network.fakes import Acceptor
    from warren.network.mux import MuxedConnection

STREAMS_MAX = 16
"""What `MuxConformance.pair` must allow in each direction."""
UNREAD_BYTES_MAX = 256 * 1024
"""What a reader that never reads may be made to hold of one stream."""


class MuxPair(Protocol):
    """Two connections back to back."""

    client: MuxedConnection
    server: MuxedConnection
    client_accept: Acceptor
    server_accept: Acceptor

    def carry(self) -> None:
        """Move bytes both ways until both sides are quiet."""


def pattern(size: int, salt: int = 0) -> bytes:
    """`size` bytes in which every place can be told from its neighbours."""
    return bytes((i * 31 + (i >> 8) * 7 + salt) & 0xFF for i in range(size))


MEGABYTE = pattern(1 << 20)


class MuxConformance:
    """The suite. Each test makes its own pair."""

    def pair(self) -> MuxPair:
        """Two connections that allow `STREAMS_MAX` streams in each direction."""
        raise NotImplementedError

    def connect(self, pair: MuxPair, *, greedy: bool = True, from_server: bool = False) -> tuple[Sink, Sink]:
        """Open a stream with a first byte on it; the ends of the opener and of the other side."""
        opener = pair.server if from_server else pair.client
        accept = pair.client_accept if from_server else pair.server_accept
        accept.greedy = greedy
        sink = Sink(greedy=greedy)
        sink.attach(opener.open_stream(sink))
        sink.stream.send(b"!")
        pair.carry()
        other = accept.sinks[-1]
        other.read()
        assert other.data == b"!"
        other.data.clear()
        return sink, other

    # ------------------------------------------------------------ data

    @pytest.mark.parametrize("from_server", [False, True])
    def test_either_side_opens_and_both_directions_carry_data(self, from_server: bool) -> None:
        pair = self.pair()
        near, far = self.connect(pair, from_server=from_server)
        near.stream.send(b"there")
        far.stream.send(b"and back")
        pair.carry()
        assert far.data == b"there"
        assert near.data == b"and back"

    def test_the_accepting_side_may_speak_first(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair)
        far.stream.send(b"welcome")
        pair.carry()
        assert near.data == b"welcome"

    def test_bulk_arrives_whole_and_in_order_in_both_directions(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair)
        for _ in range(3):
            near.stream.send(MEGABYTE)
            far.stream.send(MEGABYTE[::-1])
        pair.carry()
        assert far.data == MEGABYTE * 3
        assert near.data == MEGABYTE[::-1] * 3

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_a_buffer_may_be_reused_as_soon_as_send_returns(self, kind: type) -> None:
        pair = self.pair()
        near, far = self.connect(pair)
        sent = b""
        for size in (10, 5000, 100_000, 700_000):
            buffer = bytearray(pattern(size, size))
            sent += buffer
            near.stream.send(kind(buffer))
            if kind is not bytes:
                buffer[:] = bytes(size)
        pair.carry()
        assert far.data == sent

    def test_streams_do_not_mix(self) -> None:
        pair = self.pair()
        ends = [self.connect(pair, from_server=bool(n % 2)) for n in range(STREAMS_MAX)]
        for number, (near, far) in enumerate(ends):
            near.stream.send(pattern(50_000, number))
            far.stream.send(pattern(40_000, number + 1))
        pair.carry()
        for number, (near, far) in enumerate(ends):
            assert far.data == pattern(50_000, number)
            assert near.data == pattern(40_000, number + 1)

    def test_streams_take_turns(self) -> None:
        """A small message beside a bulk transfer does not wait for its end."""
        pair = self.pair()
        bulk, far_bulk = self.connect(pair, greedy=False)
        small, far_small = self.connect(pair)
        bulk.stream.send(MEGABYTE * 4)
        small.stream.send(b"quick")
        pair.carry()
        assert far_small.data == b"quick"
        assert len(far_bulk.data) < 4 << 20

    # ------------------------------------------------------------ backpressure

    def test_a_reader_that_does_not_read_holds_at_most_its_window(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair, greedy=False)
        near.stream.send(MEGABYTE)
        pair.carry()
        assert 0 < len(far.data) <= UNREAD_BYTES_MAX
        assert near.stream.queued == len(MEGABYTE) - len(far.data)

    def test_reading_makes_room_for_the_rest(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair, greedy=False)
        near.stream.send(MEGABYTE)
        pair.carry()
        while far.unread:
            far.read(100_000)
            pair.carry()
        assert far.data == MEGABYTE
        assert near.stream.queued == 0

    def test_the_sender_hears_when_its_queue_has_drained(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair, greedy=False)
        near.stream.send(MEGABYTE)
        near.stream.wake_at = 0
        pair.carry()
        assert near.writables == 0
        while far.unread:
            far.read()
            pair.carry()
        assert near.writables == 1

    def test_a_stalled_stream_does_not_hold_up_others(self) -> None:
        pair = self.pair()
        stalled, _ = self.connect(pair, greedy=False)
        lively, far = self.connect(pair)
        stalled.stream.send(MEGABYTE)
        lively.stream.send(MEGABYTE)
        pair.carry()
        assert far.data == MEGABYTE

    # ------------------------------------------------------------ ends

    @pytest.mark.parametrize("far_first", [False, True])
    def test_half_close_leaves_the_other_direction_open(self, far_first: bool) -> None:
        pair = self.pair()
        near, far = self.connect(pair)
        first, second = (far, near) if far_first else (near, far)
        first.stream.send(b"last words")
        first.stream.send_fin()
        pair.carry()
        assert second.data == b"last words"
        assert second.fins == 1
        assert not first.over
        second.stream.send(MEGABYTE)
        second.stream.send_fin()
        pair.carry()
        assert first.data == MEGABYTE
        assert first.fins == 1
        assert pair.client.stream_count == pair.server.stream_count == 0

    def test_the_end_comes_after_everything_that_was_queued(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair, greedy=False)
        near.stream.send(MEGABYTE)
        near.stream.send_fin()
        near.stream.send_fin()
        pair.carry()
        assert far.fins == 0
        while far.unread:
            far.read()
            pair.carry()
        assert far.data == MEGABYTE
        assert far.fins == 1

    def test_nothing_can_be_sent_after_the_end(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair)
        near.stream.send_fin()
        with pytest.raises(Closed):
            near.stream.send(b"late")
        pair.carry()
        assert far.data == b""

    @pytest.mark.parametrize("far_resets", [False, True])
    def test_a_reset_ends_both_directions_at_once(self, far_resets: bool) -> None:
        pair = self.pair()
        near, far = self.connect(pair, greedy=False)
        near.stream.send(MEGABYTE)
        far.stream.send(MEGABYTE)
        pair.carry()
        resetting, other = (far, near) if far_resets else (near, far)
        before = len(resetting.data)
        resetting.stream.reset()
        assert resetting.stream.queued == 0
        pair.carry()
        assert [type(error) for error in other.errors] == [StreamReset]
        assert not resetting.errors, "who resets is not told"
        assert len(resetting.data) == before
        assert pair.client.stream_count == pair.server.stream_count == 0
        for sink in (resetting, other):
            with pytest.raises(Closed):
                sink.stream.send(b"late")
            sink.stream.reset()
            sink.stream.send_fin()
            sink.read()
        pair.carry()

    def test_data_under_way_to_a_stream_that_was_reset_does_no_harm(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair)
        bystander, far_bystander = self.connect(pair)
        far.stream.reset()
        near.stream.send(pattern(200_000))
        near.stream.send_fin()
        pair.carry()
        bystander.stream.send(b"still here")
        pair.carry()
        assert far_bystander.data == b"still here"
        assert far.data == b""

    def test_a_sink_may_reset_its_stream_while_it_is_given_data(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair, greedy=False)
        taken: list[int] = []

        def on_data(data: memoryview) -> None:
            taken.append(len(data))
            far.stream.reset()

        far.on_data = on_data  # type: ignore[method-assign]
        near.stream.send(pattern(200_000))
        pair.carry()
        assert len(taken) == 1
        assert [type(error) for error in near.errors] == [StreamReset]

    def test_a_refused_stream_is_reset(self) -> None:
        pair = self.pair()
        pair.server_accept.refusing = True
        sink = Sink()
        sink.attach(pair.client.open_stream(sink))
        sink.stream.send(b"anybody?")
        pair.carry()
        assert [type(error) for error in sink.errors] == [StreamReset]
        assert pair.client.stream_count == pair.server.stream_count == 0

    # ------------------------------------------------------------ the connection

    def test_streams_come_and_go_without_end(self) -> None:
        pair = self.pair()
        for number in range(5 * STREAMS_MAX):
            near, far = self.connect(pair, from_server=bool(number % 2))
            near.stream.send_fin()
            far.stream.send_fin()
            pair.carry()
        assert pair.client.stream_count == pair.server.stream_count == 0

    def test_too_many_streams_are_not_opened(self) -> None:
        pair = self.pair()
        ends = [self.connect(pair) for _ in range(STREAMS_MAX)]
        with pytest.raises(LimitReached):
            pair.client.open_stream(Sink())
        ends[0][0].stream.reset()
        pair.carry()
        self.connect(pair)

    def test_a_goodbye_stops_new_streams_and_spares_the_others(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair)
        pair.server.go_away(0)
        assert not pair.server.accepts_streams
        with pytest.raises(ConnectionClosed):
            pair.server.open_stream(Sink())
        pair.carry()
        assert not pair.client.accepts_streams
        with pytest.raises(ConnectionClosed):
            pair.client.open_stream(Sink())
        near.stream.send(MEGABYTE)
        pair.carry()
        assert far.data == MEGABYTE

    def test_a_stream_that_crosses_the_goodbye_is_served(self) -> None:
        """The peer opened it before it could know."""
        pair = self.pair()
        pair.server.go_away(0)
        near, far = self.connect(pair)
        assert near.errors == []
        near.stream.send(b"asked in time")
        far.stream.send(b"and answered")
        pair.carry()
        assert far.data == b"asked in time"
        assert near.data == b"and answered"

    def test_a_goodbye_with_a_code_is_an_error(self) -> None:
        pair = self.pair()
        pair.server.go_away(2)
        with pytest.raises(ConnectionClosed, match="2"):
            pair.carry()

    def test_close_ends_every_stream_with_the_reason(self) -> None:
        pair = self.pair()
        ends = [self.connect(pair, greedy=False)[0] for _ in range(3)]
        for sink in ends:
            sink.stream.send(MEGABYTE)
        reason = ConnectionClosed("the cable was cut")
        pair.client.close(reason)
        assert [sink.errors for sink in ends] == [[reason]] * 3
        assert pair.client.stream_count == 0
        with pytest.raises(ConnectionClosed):
            pair.client.open_stream(Sink())
        for sink in ends:
            assert sink.stream.queued == 0
            with pytest.raises(Closed):
                sink.stream.send(b"late")
            sink.stream.send_fin()
            sink.stream.reset()
            sink.stream.consumed(1)

    def test_close_while_data_is_handed_up_ends_it_there(self) -> None:
        pair = self.pair()
        near, far = self.connect(pair)
        other, far_other = self.connect(pair)
        near.stream.send(b"stop")
        other.stream.send(b"never seen")
        fresh = Sink()
        fresh.attach(pair.client.open_stream(fresh))
        fresh.stream.send(b"never accepted")
        accepted = len(pair.server_accept.sinks)

        def on_data(data: memoryview) -> None:
            pair.server.close(ConnectionClosed("enough"))

        far.on_data = on_data  # type: ignore[method-assign]
        pair.carry()
        assert far_other.data == b""
        assert len(pair.server_accept.sinks) == accepted
        assert pair.server.stream_count == 0

    def test_a_probe_is_answered(self) -> None:
        pair = self.pair()
        pair.client.ping()
        pair.server.ping()
        pair.carry()
