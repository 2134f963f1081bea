"""The Yamux session frame by frame: what it sends, and every violation that its header names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.chunks import CUTS, bytewise, chop
from tests.network.fakes import YamuxEnd, YamuxPair
from warren.core.errors import Closed, ConnectionClosed, LimitReached, ProtocolViolation, StreamReset
from warren.network.yamux.budget import WindowLimits
from warren.network.yamux.frames import (
    ACK,
    BODY_BYTES_MAX,
    DATA,
    FIN,
    GO_AWAY,
    HEADER,
    HEADER_BYTES,
    INITIAL_WINDOW_BYTES,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
)
from warren.network.yamux.session import YamuxLimits
from warren.network.yamux.stream import QUEUE_BYTES_MAX

if TYPE_CHECKING:
    from tests.network.fakes import Sink

Frame = tuple[int, int, int, int, bytes]


def frame(kind: int, flags: int, stream: int, length: int = 0, version: int = 0) -> bytes:
    return HEADER.pack(version, kind, flags, stream, length)


def data(stream: int, body: bytes, flags: int = 0) -> bytes:
    return frame(DATA, flags, stream, len(body)) + body


def parse(sent: bytes) -> list[Frame]:
    """(kind, flags, stream, length or value, body) of each frame."""
    frames, pos = [], 0
    while pos < len(sent):
        version, kind, flags, stream, length = HEADER.unpack_from(sent, pos)
        assert version == 0
        pos += HEADER_BYTES
        body = sent[pos : pos + length] if kind == DATA else b""
        pos += len(body)
        frames.append((kind, flags, stream, length, body))
    return frames


def server(**options: Any) -> YamuxEnd:
    return YamuxEnd(client=False, **options)


def client(**options: Any) -> YamuxEnd:
    return YamuxEnd(client=True, **options)


def said(end: YamuxEnd) -> list[Frame]:
    return parse(end.wire.take())


# ---------------------------------------------------------------- what is sent


def test_the_header_is_that_of_the_specification() -> None:
    assert frame(DATA, SYN | FIN, 7, 258).hex() == "000000050000000700000102"
    assert HEADER_BYTES == 12


def test_the_first_frame_carries_the_syn_and_the_answer_the_ack() -> None:
    near, far = client(), server()
    sink = near.open()
    sink.stream.send(b"one")
    sink.stream.send(b"two")
    sent = near.wire.take()
    assert parse(sent) == [(DATA, SYN, 1, 3, b"one"), (DATA, 0, 1, 3, b"two")]
    far.receive(sent)
    far.accept.sinks[0].stream.send(b"three")
    far.accept.sinks[0].stream.send(b"four")
    assert said(far) == [(DATA, ACK, 1, 5, b"three"), (DATA, 0, 1, 4, b"four")]


def test_clients_open_odd_streams_and_servers_even_ones() -> None:
    near, far = client(), server()
    assert [near.open().stream.id for _ in range(3)] == [1, 3, 5]
    assert [far.open().stream.id for _ in range(3)] == [2, 4, 6]


def test_bulk_is_cut_so_that_a_frame_fills_one_noise_message() -> None:
    end = client()
    end.open().stream.send(bytes(2 * BODY_BYTES_MAX + 5))
    assert [f[3] for f in said(end)] == [BODY_BYTES_MAX, BODY_BYTES_MAX, 5]


def test_a_stream_that_is_only_closed_still_says_syn_and_fin() -> None:
    end = client()
    end.open().stream.send_fin()
    assert said(end) == [(DATA, SYN | FIN, 1, 0, b"")]


def test_the_peer_never_hears_of_a_stream_that_was_reset_before_anything_was_sent() -> None:
    end = client()
    end.wire.writable = False
    first, second = end.open(), end.open()
    first.stream.send(b"waits")
    second.stream.send(b"waits, too")
    second.stream.reset()
    assert said(end) == []
    end.wire.writable = True
    end.session.pump()
    assert said(end) == [(DATA, SYN, 1, 5, b"waits")]
    assert end.session.stream_count == 1


def test_a_stream_may_be_opened_and_reset_in_one_frame() -> None:
    end = server()
    end.receive(frame(WINDOW_UPDATE, SYN | RST, 1))
    assert [type(e) for e in end.accept.sinks[0].errors] == [StreamReset]
    assert end.session.stream_count == 0


def test_streams_may_be_opened_out_of_order() -> None:
    end = server()
    for stream in (5, 1, 3):
        end.receive(data(stream, b"x", SYN))
    assert end.session.stream_count == 3


def test_nothing_is_sent_past_the_window_until_it_grows() -> None:
    end = client()
    sink = end.open()
    sink.stream.send(bytes(INITIAL_WINDOW_BYTES + 100))
    assert sum(f[3] for f in said(end)) == INITIAL_WINDOW_BYTES
    assert sink.stream.queued == 100
    end.receive(frame(WINDOW_UPDATE, ACK, 1, 30))
    assert sum(f[3] for f in said(end)) == 30
    end.receive(frame(WINDOW_UPDATE, 0, 1, 1000))
    assert said(end) == [(DATA, 0, 1, 70, bytes(70))]
    sink.stream.send_fin()
    assert said(end) == [(DATA, FIN, 1, 0, b"")]


def test_credit_goes_back_when_half_of_the_window_was_read_and_not_before() -> None:
    pair = YamuxPair(greedy=False, windows=WindowLimits(stream_bytes_max=INITIAL_WINDOW_BYTES))
    near = pair.a.open(greedy=False)
    near.stream.send(bytes(INITIAL_WINDOW_BYTES))
    pair.carry()
    far = pair.b.accept.sinks[0]
    far.read(INITIAL_WINDOW_BYTES // 2 - 1)
    assert said(pair.b) == []
    far.read(1)
    assert said(pair.b) == [(WINDOW_UPDATE, ACK, 1, INITIAL_WINDOW_BYTES // 2, b"")]


def test_a_link_that_is_full_gets_nothing_more_until_it_drains() -> None:
    end = client()
    sink = end.open()
    end.wire.writable = False
    sink.stream.send(b"small")
    sink.stream.send(bytes(200_000))
    assert said(end) == []
    assert sink.stream.queued == 200_005
    end.wire.writable = True
    end.session.pump()
    assert sum(f[3] for f in said(end)) == 200_005


def test_small_data_does_not_overtake_what_waits() -> None:
    end = client()
    sink = end.open()
    end.wire.writable = False
    sink.stream.send(b"first ")
    end.wire.writable = True
    sink.stream.send(b"second")
    assert b"".join(f[4] for f in said(end)) == b"first second"


def test_one_burst_leaves_the_loop_to_others() -> None:
    end = client(limits=YamuxLimits(burst_bytes=100_000))
    sink = end.open()
    sink.stream.send(bytes(250_000))
    first = sum(f[3] for f in said(end))
    assert 100_000 <= first < 100_000 + BODY_BYTES_MAX
    assert end.wire.pump_due
    assert end.go_on()
    assert sum(f[3] for f in said(end)) == 250_000 - first


def test_streams_take_turns_frame_by_frame() -> None:
    end = client()
    sinks = [end.open() for _ in range(3)]
    end.wire.writable = False
    for sink in sinks:
        sink.stream.send(bytes(2 * BODY_BYTES_MAX))
    end.wire.writable = True
    end.session.pump()
    assert [f[2] for f in said(end)] == [1, 3, 5, 1, 3, 5]


def test_a_writer_that_asked_hears_once_when_its_queue_fell_so_far() -> None:
    end = client()
    sink = end.open()
    end.wire.writable = False
    sink.stream.send(bytes(QUEUE_BYTES_MAX // 2 + BODY_BYTES_MAX))
    sink.stream.wake_at = QUEUE_BYTES_MAX // 2
    end.wire.writable = True
    end.session.pump()
    assert sink.writables == 1


def test_a_sink_may_send_when_it_hears_that_it_may() -> None:
    end = client()
    sink = end.open()
    end.wire.writable = False
    sink.stream.send(bytes(QUEUE_BYTES_MAX // 2))
    sink.stream.wake_at = 0
    sink.on_writable = lambda: sink.stream.send(b"more")  # type: ignore[method-assign]
    end.wire.writable = True
    end.session.pump()
    assert b"".join(f[4] for f in said(end)).endswith(b"more")


def test_an_empty_send_behind_queued_data_adds_nothing() -> None:
    end = client()
    sink = end.open()
    end.wire.writable = False
    sink.stream.send(b"x")
    sink.stream.send(b"")
    assert sink.stream.queued == 1


def test_pings_are_answered_with_their_value_and_measure_the_round_trip() -> None:
    pair = YamuxPair()
    pair.a.session.ping()
    assert parse(bytes(pair.a.wire.out)) == [(PING, SYN, 0, 1_000_000_007, b"")]
    pair.clock.now += 0.25
    pair.carry()
    assert pair.a.session.rtt_s == 0.25
    assert pair.a.session.rtt_at == pair.clock.now
    pair.b.receive(frame(PING, SYN, 0, 77))
    assert said(pair.b) == [(PING, ACK, 0, 77, b"")]


def test_an_answer_that_nobody_asked_for_measures_nothing() -> None:
    end = client()
    end.receive(frame(PING, ACK, 0, 0))
    assert end.session.rtt_at is None


def test_an_answer_to_a_probe_that_the_peer_has_not_seen_measures_nothing() -> None:
    end = client()
    end.session.ping()
    [(*_, value, _)] = said(end)
    for guess in (0, 1, value - 1):
        end.receive(frame(PING, ACK, 0, guess))
    assert end.session.rtt_at is None
    end.clock.now += 0.5
    end.receive(frame(PING, ACK, 0, value))
    assert end.session.rtt_s == 0.5


def test_so_many_streams_wait_for_the_peer_to_acknowledge_them_and_no_more() -> None:
    pair = YamuxPair(limits=YamuxLimits(ack_backlog_max=3))
    sinks = [pair.a.open() for _ in range(3)]
    for sink in sinks:
        sink.stream.send(b"x")
    with pytest.raises(LimitReached, match="ack_backlog_max"):
        pair.a.open()
    sinks[0].stream.reset()
    pair.a.open().stream.send(b"x")
    with pytest.raises(LimitReached, match="ack_backlog_max"):
        pair.a.open()
    pair.carry()
    pair.b.accept.sinks[1].stream.send(b"served")
    pair.b.accept.sinks[1].stream.send(b"once more")
    pair.b.accept.sinks[2].stream.consumed(INITIAL_WINDOW_BYTES)
    pair.carry()
    assert pair.a.session.unacknowledged == 1
    sinks[1].stream.reset()
    assert pair.a.session.unacknowledged == 1, "what was acknowledged is not counted twice"
    for _ in range(2):
        pair.a.open()
    with pytest.raises(LimitReached, match="ack_backlog_max"):
        pair.a.open()


def test_streams_of_the_peer_count_as_acknowledged() -> None:
    pair = YamuxPair()
    pair.b.open().stream.send(b"x")
    pair.carry()
    pair.a.accept.sinks[0].stream.reset()
    assert pair.a.session.unacknowledged == 0


def test_a_goodbye_is_said_once_and_not_after_the_end() -> None:
    end = client()
    end.session.go_away(0)
    end.session.go_away(1)
    assert said(end) == [(GO_AWAY, 0, 0, 0, b"")]
    late = client()
    late.session.close(ConnectionClosed("gone"))
    late.session.go_away(0)
    late.session.ping()
    assert said(late) == []


def test_after_the_peers_goodbye_streams_that_run_go_on() -> None:
    end = client()
    sink = end.open()
    sink.stream.send(b"x")
    end.receive(frame(GO_AWAY, 0, 0, 0))
    assert not end.session.accepts_streams
    with pytest.raises(ConnectionClosed, match="takes no new streams"):
        end.open()
    end.receive(data(1, b"still", ACK))
    assert sink.data == b"still"


# ---------------------------------------------------------------- limits


def test_inbound_streams_over_the_limit_are_reset_and_the_connection_lives() -> None:
    end = server(limits=YamuxLimits(streams_inbound_max=2))
    for stream in (1, 3, 5):
        end.receive(data(stream, b"hello", SYN))
    assert len(end.accept.sinks) == end.session.stream_count == 2
    assert said(end) == [(WINDOW_UPDATE, RST, 5, 0, b"")]
    end.receive(frame(WINDOW_UPDATE, RST, 1))
    end.receive(data(7, b"hello", SYN))
    assert end.session.stream_count == 2


def test_outbound_streams_are_limited_by_their_own_number() -> None:
    end = client(limits=YamuxLimits(streams_outbound_max=1))
    end.receive(data(2, b"", SYN))
    end.open()
    with pytest.raises(LimitReached, match="streams_outbound_max"):
        end.open()


def test_stream_ids_run_out() -> None:
    end = client()
    end.session._next_id = 2**32 - 1
    end.open()
    with pytest.raises(LimitReached, match="stream ids"):
        end.open()


# ---------------------------------------------------------------- violations


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (frame(DATA, 0, 1, version=1), "version 1 is unknown"),
        (frame(4, 0, 0), "frame type 4 is unknown"),
        (frame(255, 0, 0), "frame type 255 is unknown"),
        (data(2, b"x", SYN), "may not open stream 2"),
        (data(0, b"x", SYN), "may not open stream 0"),
        (data(1, b"x", SYN) * 2, "may not open stream 1"),
        (frame(WINDOW_UPDATE, SYN, 1) * 2, "may not open stream 1"),
        (frame(WINDOW_UPDATE, SYN, 2), "may not open stream 2"),
        (frame(DATA, SYN, 1, INITIAL_WINDOW_BYTES + 1), "overflow its window"),
        (data(1, bytes(1000), SYN) + frame(DATA, 0, 1, INITIAL_WINDOW_BYTES - 999), "overflow its window"),
        (data(1, b"x", SYN | FIN) + data(1, b"y"), "overflow its window"),
        (frame(DATA, 0, 9, INITIAL_WINDOW_BYTES + 1), "streams that are not open"),
        (data(9, bytes(1000)) + frame(DATA, 0, 9, INITIAL_WINDOW_BYTES), "streams that are not open"),
        (frame(WINDOW_UPDATE, SYN, 1, 2**32 - 1), "window of stream 1 overflowed"),
        (frame(WINDOW_UPDATE, SYN, 1, 2**31) + frame(WINDOW_UPDATE, 0, 1, 2**31), "overflowed"),
    ],
)
def test_violations_end_the_connection_in_any_chunking(sent: bytes, reason: str) -> None:
    for chunks in ([sent], bytewise(sent)):
        with pytest.raises(ProtocolViolation, match=reason):
            feed(server(greedy=False), chunks)


def feed(end: YamuxEnd, chunks: list[bytes]) -> None:
    for chunk in chunks:
        end.receive(chunk)


@pytest.mark.parametrize("code", [1, 2, 99])
def test_a_goodbye_with_a_code_ends_the_connection(code: int) -> None:
    with pytest.raises(ConnectionClosed, match=f"code {code}"):
        server().receive(frame(GO_AWAY, 0, 0, code))


FLOODS = {
    "pings": frame(PING, SYN, 0, 1),
    "pongs": frame(PING, ACK, 0, 1),
    "empty data": frame(DATA, 0, 1),
    "window updates of nothing": frame(WINDOW_UPDATE, 0, 1),
    "updates for streams that are not there": frame(WINDOW_UPDATE, 0, 7, 1),
    "resets of streams that are not there": frame(WINDOW_UPDATE, RST, 7),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_floods_of_frames_without_data_are_refused(flood: bytes) -> None:
    end = server(limits=YamuxLimits(idle_frames_burst=100, idle_frames_per_s=10))
    end.receive(data(1, b"x", SYN))
    end.receive(flood * 99)
    with pytest.raises(ProtocolViolation, match="flood"):
        end.receive(flood)


def test_a_flood_of_streams_that_come_and_go_is_refused() -> None:
    end = server(limits=YamuxLimits(idle_frames_burst=100, idle_frames_per_s=10))
    churn = [frame(WINDOW_UPDATE, SYN, n) + frame(WINDOW_UPDATE, RST, n) for n in range(1, 201, 2)]
    with pytest.raises(ProtocolViolation, match="flood"):
        feed(end, churn)


def test_the_allowance_comes_back_with_time() -> None:
    end = server(limits=YamuxLimits(idle_frames_burst=100, idle_frames_per_s=10))
    ping = frame(PING, SYN, 0, 1)
    end.receive(ping * 100)
    for _ in range(50):
        end.clock.now += 1.0
        end.receive(ping * 10)
    end.clock.now += 1000.0
    end.receive(ping * 100)
    with pytest.raises(ProtocolViolation, match="flood"):
        end.receive(ping * 2)


def test_data_does_not_count_as_a_flood() -> None:
    end = server(limits=YamuxLimits(idle_frames_burst=10, idle_frames_per_s=0))
    end.receive(data(1, b"x", SYN))
    for _ in range(1000):
        end.receive(data(1, b"x"))


def test_the_updates_that_our_own_data_calls_for_are_no_flood() -> None:
    end = client(limits=YamuxLimits(idle_frames_burst=10, idle_frames_per_s=0))
    sink = end.open()
    for _ in range(1000):
        sink.stream.send(bytes(100_000))
        for _ in range(2):
            end.receive(frame(WINDOW_UPDATE, 0, 1, 50_000))
    assert sink.stream.queued == 0


# ---------------------------------------------------------------- streams that are over


def test_data_for_a_stream_that_we_reset_is_let_pass_as_far_as_its_window_went() -> None:
    end = server(greedy=False)
    end.receive(data(1, bytes(100_000), SYN))
    end.accept.sinks[0].stream.reset()
    end.receive(data(1, bytes(INITIAL_WINDOW_BYTES - 100_000)))
    end.receive(data(9, bytes(INITIAL_WINDOW_BYTES)))
    with pytest.raises(ProtocolViolation, match="not open"):
        end.receive(data(1, b"x"))


def test_a_reset_in_the_middle_of_a_frame_lets_only_the_rest_of_the_window_pass() -> None:
    end = server(greedy=False)
    body = data(1, bytes(200_000), SYN)
    end.receive(body[: 100_000 + HEADER_BYTES])
    end.accept.sinks[0].stream.reset()
    end.receive(body[100_000 + HEADER_BYTES :])
    assert len(end.accept.sinks[0].data) == 100_000
    end.receive(data(1, bytes(INITIAL_WINDOW_BYTES - 200_000)))
    end.receive(data(9, bytes(INITIAL_WINDOW_BYTES)))
    with pytest.raises(ProtocolViolation, match="not open"):
        end.receive(data(1, b"x"))


@pytest.mark.parametrize("ending", ["fin", "reset"])
def test_a_peer_that_ended_a_stream_may_send_nothing_more_on_it(ending: str) -> None:
    end = server()
    end.receive(data(1, b"x", SYN))
    if ending == "fin":
        end.accept.sinks[0].stream.send_fin()
        end.receive(frame(DATA, FIN, 1))
    else:
        end.receive(frame(WINDOW_UPDATE, RST, 1))
    assert end.session.stream_count == 0
    end.receive(data(9, bytes(INITIAL_WINDOW_BYTES)))
    with pytest.raises(ProtocolViolation, match="not open"):
        end.receive(data(1, b"x"))


def test_data_under_way_to_a_refused_stream_is_let_pass() -> None:
    end = server(limits=YamuxLimits(streams_inbound_max=0))
    end.receive(data(1, bytes(1000), SYN))
    end.receive(data(1, bytes(INITIAL_WINDOW_BYTES - 1000), FIN))
    end.receive(data(1, bytes(INITIAL_WINDOW_BYTES)))
    with pytest.raises(ProtocolViolation, match="not open"):
        end.receive(data(1, b"x"))


def test_data_with_a_reset_is_dropped_with_the_stream() -> None:
    end = server()
    end.receive(data(1, b"x", SYN))
    end.receive(data(1, b"yz", RST) + data(3, b"next", SYN))
    assert [s.data for s in end.accept.sinks] == [b"x", b"next"]
    assert [type(e) for e in end.accept.sinks[0].errors] == [StreamReset]


def test_a_window_update_may_open_half_close_and_reset() -> None:
    end = server()
    end.receive(frame(WINDOW_UPDATE, SYN | FIN, 1, 5))
    sink = end.accept.sinks[0]
    assert sink.fins == 1
    assert sink.stream.send_window == INITIAL_WINDOW_BYTES + 5
    end.receive(frame(WINDOW_UPDATE, FIN, 1))
    assert sink.fins == 1
    end.receive(frame(WINDOW_UPDATE, RST, 1))
    assert len(sink.errors) == 1


def test_the_fin_of_a_frame_comes_after_its_body() -> None:
    end = server()
    for piece in bytewise(data(1, b"abc", SYN | FIN)):
        assert not end.accept.sinks or not end.accept.sinks[0].fins
        end.receive(piece)
    assert end.accept.sinks[0].data == b"abc"
    assert end.accept.sinks[0].fins == 1


def test_no_credit_is_given_for_what_comes_no_more() -> None:
    end = server(greedy=False)
    end.receive(data(1, bytes(200_000), SYN | FIN))
    end.accept.sinks[0].read()
    assert said(end) == []
    assert end.total.granted == 0


def test_reading_what_a_reset_stream_left_behind_credits_nobody() -> None:
    pair = YamuxPair(greedy=False)
    near = pair.a.open()
    near.stream.send(bytes(INITIAL_WINDOW_BYTES))
    pair.carry()
    near.stream.reset()
    pair.carry()
    pair.b.accept.sinks[0].read()
    assert said(pair.b) == []
    assert pair.b.total.granted == 0


def test_a_closed_session_does_not_open_what_is_still_in_the_chunk() -> None:
    end = server()
    end.receive(data(1, b"x", SYN))
    end.session.close(ConnectionClosed("gone"))
    end.session.receive(memoryview(data(3, b"late", SYN) + data(1, b"late")))
    assert len(end.accept.sinks) == 1
    assert said(end) == []
    with pytest.raises(Closed):
        end.accept.sinks[0].stream.send(b"y")


# ---------------------------------------------------------------- windows


def grow(pair: YamuxPair, sink: Sink, far: Sink, seconds: float, rounds: int) -> None:
    """Send and read whole windows, each within `seconds`."""
    for _ in range(rounds):
        sink.stream.send(bytes(far.stream.receive_window))
        pair.carry()
        pair.clock.now += seconds
        while far.unread:
            far.read()
            pair.carry()


def test_the_window_doubles_while_it_is_emptied_within_four_round_trips() -> None:
    pair = YamuxPair(greedy=False)
    pair.b.session.rtt_s = 0.1
    sink = pair.a.open()
    sink.stream.send(b"x")
    pair.carry()
    far = pair.b.accept.sinks[0]
    grow(pair, sink, far, 0.01, 10)
    assert far.stream._window_max == WindowLimits().stream_bytes_max
    assert pair.b.total.granted == far.stream._window_max - INITIAL_WINDOW_BYTES
    assert sink.stream.send_window <= far.stream._window_max


def test_a_slow_reader_keeps_its_first_window() -> None:
    pair = YamuxPair(greedy=False)
    pair.b.session.rtt_s = 0.1
    sink = pair.a.open()
    sink.stream.send(b"x")
    pair.carry()
    far = pair.b.accept.sinks[0]
    pair.clock.now += 1
    grow(pair, sink, far, 0.5, 5)
    assert far.stream._window_max == INITIAL_WINDOW_BYTES


@pytest.mark.parametrize("ending", ["reset", "peer resets", "both fin", "close"])
def test_growth_is_given_back_when_the_stream_ends(ending: str) -> None:
    pair = YamuxPair(greedy=False)
    sink = pair.a.open()
    sink.stream.send(b"x")
    pair.carry()
    far = pair.b.accept.sinks[0]
    grow(pair, sink, far, 0.001, 4)
    assert pair.b.total.granted > 0
    if ending == "reset":
        far.stream.reset()
    elif ending == "peer resets":
        sink.stream.reset()
    elif ending == "both fin":
        sink.stream.send_fin()
        far.stream.send_fin()
    else:
        pair.b.session.close(ConnectionClosed("gone"))
    pair.carry()
    assert pair.b.total.granted == 0
    assert pair.b.session.stream_count == 0


# ---------------------------------------------------------------- any chunking, any bytes

FRAMES = st.one_of(
    st.builds(data, st.integers(0, 9), st.binary(max_size=40), st.integers(0, 15)),
    st.builds(frame, st.integers(1, 3), st.integers(0, 15), st.integers(0, 9), st.integers(0, 3)),
)


def outcome(chunks: list[bytes]) -> tuple[object, ...]:
    """All that can be seen of a session that was fed `chunks`."""
    end = server()
    verdict = ""
    for chunk in chunks:
        try:
            end.receive(chunk)
        except (ProtocolViolation, ConnectionClosed) as error:
            verdict = str(error)
            break
    seen = [(bytes(s.data), s.fins, [str(e) for e in s.errors]) for s in end.accept.sinks]
    return verdict, seen, end.session.stream_count, bytes(end.wire.out)


@given(st.lists(FRAMES, max_size=12), CUTS)
def test_frames_mean_the_same_in_any_chunking(frames: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(frames)
    expected = outcome([sent])
    assert outcome(chop(sent, cuts)) == expected
    assert outcome(bytewise(sent)) == expected


@given(st.lists(FRAMES, max_size=3), st.binary(max_size=100), CUTS)
def test_arbitrary_bytes_raise_only_documented_errors(
    frames: list[bytes], junk: bytes, cuts: list[int]
) -> None:
    sent = b"".join(frames) + junk
    verdict = outcome([sent])[0]
    assert outcome(chop(sent, cuts))[0] == verdict


def test_an_incomplete_header_is_all_that_is_held() -> None:
    end = server()
    for piece in bytewise(data(1, bytes(1000), SYN)):
        end.receive(piece)
        assert len(end.session._head) < HEADER_BYTES
    assert len(end.accept.sinks[0].data) == 1000


# ---------------------------------------------------------------- what is counted for the whole node


def test_a_stream_over_the_nodes_limit_is_refused_and_its_place_comes_back() -> None:
    end = server(windows=WindowLimits(streams_total_max=1, streams_reserved=0))
    end.receive(data(1, b"x", SYN))
    end.receive(data(3, b"x", SYN))
    assert said(end) == [(WINDOW_UPDATE, RST, 3, 0, b"")]
    end.accept.sinks[0].stream.reset()
    end.receive(data(5, b"x", SYN))
    assert len(end.accept.sinks) == 2
    end.session.close(ConnectionClosed("gone"))
    assert end.total.streams == 0


def test_a_reset_of_a_stream_that_the_peer_opened_costs_it_more() -> None:
    limits = YamuxLimits(idle_frames_burst=100, idle_frames_per_s=0, reset_cost=30)
    end = server(limits=limits)
    churn = [data(n, b"x", SYN) + frame(WINDOW_UPDATE, RST, n) for n in (1, 3, 5, 7)]
    feed(end, churn[:3])
    with pytest.raises(ProtocolViolation, match="flood"):
        end.receive(churn[3])


def test_unread_bytes_count_until_they_are_released_or_the_connection_is_gone() -> None:
    end = server(windows=WindowLimits(held_connection_bytes_max=100, held_reserved_bytes=0))
    end.receive(data(1, b"x", SYN))
    stream = end.accept.sinks[0].stream
    assert stream.hold(100)
    assert not stream.hold(1)
    stream.release(40)
    assert end.total.held == 60
    end.session.close(ConnectionClosed("gone"))
    assert end.total.held == 0
    stream.release(60)
    assert end.total.held == 0


def test_a_sink_may_send_more_than_a_frame_while_the_pump_runs() -> None:
    end = client()
    sink = end.open()
    end.wire.writable = False
    sink.stream.send(b"first")
    sink.stream.wake_at = 0
    bulk = bytes(range(256)) * 600
    sink.on_writable = lambda: sink.stream.send(bulk)  # type: ignore[method-assign]
    end.wire.writable = True
    end.session.pump()
    assert b"".join(f[4] for f in said(end)) == b"first" + bulk
