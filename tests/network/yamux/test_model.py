"""Two sessions joined by queues of bytes, under any interleaving of what applications and links do.

The model remembers what was sent on each direction of each stream. It holds that all of it arrives in order,
that no window overflows, that a reader is never made to hold more than its window, and that every counter is
back where it began once the streams are over.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.network.fakes import Clock, Sink, YamuxEnd
from warren.core.errors import LimitReached
from warren.network.yamux.budget import WindowLimits
from warren.network.yamux.frames import INITIAL_WINDOW_BYTES
from warren.network.yamux.session import YamuxLimits

STREAMS_MAX = 4
LIMITS = YamuxLimits(
    streams_inbound_max=STREAMS_MAX,
    streams_outbound_max=STREAMS_MAX + 1,
    burst_bytes=150_000,
    idle_frames_burst=100_000,
)
WINDOWS = WindowLimits(
    stream_bytes_max=8 * INITIAL_WINDOW_BYTES,
    connection_bytes_max=10 * INITIAL_WINDOW_BYTES,
    total_bytes_max=12 * INITIAL_WINDOW_BYTES,
)
BLOCK = bytes((i * 131 + (i >> 8) * 17 + (i >> 16)) & 0xFF for i in range(1 << 20))
SIZES = st.one_of(st.integers(1, 100), st.integers(4000, 70_000), st.integers(200_000, 600_000))


class Half:
    """One side's end of a stream, and what was sent from it."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.sent = bytearray()
        self.fin = False
        self.reset = False

    @property
    def may_send(self) -> bool:
        return not (self.fin or self.reset or self.sink.errors)


class Side:
    """One session and its half of every stream, by stream id."""

    def __init__(self, *, client: bool, clock: Clock) -> None:
        self.end = YamuxEnd(client=client, clock=clock, limits=LIMITS, windows=WINDOWS, greedy=False)
        self.halves: dict[int, Half] = {}

    def meet(self) -> None:
        """Take note of the streams that were accepted since the last look."""
        for sink in self.end.accept.sinks:
            if sink.stream.id not in self.halves:
                self.halves[sink.stream.id] = Half(sink)


class Joined(RuleBasedStateMachine):
    """Applications above, links below, and hypothesis in between."""

    @initialize(greedy_rtt=st.sampled_from([1e-6, 10.0]))
    def begin(self, greedy_rtt: float) -> None:
        self.clock = Clock()
        self.sides = [Side(client=True, clock=self.clock), Side(client=False, clock=self.clock)]
        for side in self.sides:
            side.end.session.rtt_s = greedy_rtt
        self.refused: set[int] = set()

    def pick(self, data: st.DataObject, which: int, *, sending: bool = False) -> Half | None:
        side = self.sides[which]
        side.meet()
        halves = [h for h in side.halves.values() if h.may_send or not sending]
        return data.draw(st.sampled_from(halves)) if halves else None

    # ------------------------------------------------------------ what applications do

    @rule(which=st.integers(0, 1))
    def open(self, which: int) -> None:
        side = self.sides[which]
        sink = Sink(greedy=False)
        try:
            sink.attach(side.end.session.open_stream(sink))
        except LimitReached:
            return
        side.halves[sink.stream.id] = Half(sink)

    @rule(data=st.data(), which=st.integers(0, 1), size=SIZES)
    def send(self, data: st.DataObject, which: int, size: int) -> None:
        half = self.pick(data, which, sending=True)
        if half is None:
            return
        start = (len(half.sent) * 7) % 100_000
        body = BLOCK[start : start + size]
        half.sink.stream.send(body)
        half.sent += body

    @rule(data=st.data(), which=st.integers(0, 1))
    def fin(self, data: st.DataObject, which: int) -> None:
        half = self.pick(data, which, sending=True)
        if half is not None:
            half.sink.stream.send_fin()
            half.fin = True

    @rule(data=st.data(), which=st.integers(0, 1))
    def reset(self, data: st.DataObject, which: int) -> None:
        half = self.pick(data, which)
        if half is not None:
            half.sink.stream.reset()
            half.reset = True

    @rule(data=st.data(), which=st.integers(0, 1), size=SIZES)
    def read(self, data: st.DataObject, which: int, size: int) -> None:
        half = self.pick(data, which)
        if half is not None and half.sink.unread:
            half.sink.read(size)

    @rule(which=st.integers(0, 1))
    def ping(self, which: int) -> None:
        self.sides[which].end.session.ping()

    # ------------------------------------------------------------ what links do

    @rule(which=st.integers(0, 1), size=st.one_of(st.integers(1, 30), SIZES))
    def deliver(self, which: int, size: int) -> None:
        piece = self.sides[which].end.wire.take(size)
        self.sides[1 - which].end.receive(piece)

    @rule(which=st.integers(0, 1))
    def block(self, which: int) -> None:
        self.sides[which].end.wire.writable = False

    @rule(which=st.integers(0, 1))
    def unblock(self, which: int) -> None:
        self.sides[which].end.wire.writable = True
        self.sides[which].end.session.pump()

    @rule(which=st.integers(0, 1))
    def turn(self, which: int) -> None:
        self.sides[which].end.go_on()

    @rule(seconds=st.floats(0, 2))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    # ------------------------------------------------------------ what must hold

    @invariant()
    @precondition(lambda self: hasattr(self, "sides"))
    def what_arrived_is_what_was_sent(self) -> None:
        for which in (0, 1):
            self.sides[which].meet()
        for which in (0, 1):
            far = self.sides[1 - which].halves
            for number, half in self.sides[which].halves.items():
                got = half.sink.data
                source = far.get(number)
                assert source is not None or not got
                if source is not None and got:
                    assert source.sent.startswith(got)
                if half.sink.fins and source is not None:
                    assert source.fin
                    assert len(got) == len(source.sent)

    @invariant()
    @precondition(lambda self: hasattr(self, "sides"))
    def windows_and_budgets_hold(self) -> None:
        for side in self.sides:
            session: Any = side.end.session
            grown = 0
            for stream in session.streams.values():
                half = side.halves[stream.id]
                assert 0 <= stream.receive_window <= stream._window_max <= WINDOWS.stream_bytes_max
                assert half.sink.unread + stream.receive_window <= stream._window_max
                assert stream.send_window >= 0
                grown += stream._window_max - INITIAL_WINDOW_BYTES
            assert side.end.total.granted == grown <= WINDOWS.connection_bytes_max
            inbound = sum(stream.inbound for stream in session.streams.values())
            assert session.budget.streams == inbound <= STREAMS_MAX

    def teardown(self) -> None:
        if not hasattr(self, "sides"):
            return
        self.end_everything()
        for side in self.sides:
            session: Any = side.end.session
            assert session.stream_count == 0
            assert session.budget.streams == 0
            assert side.end.total.granted == 0
            assert session._stray_left >= INITIAL_WINDOW_BYTES
            if not (self.was_refused(side) or any(half.reset for half in side.halves.values())):
                assert session._stray_left == INITIAL_WINDOW_BYTES
            assert not session.ring
        for which in (0, 1):
            far = self.sides[1 - which].halves
            for number, half in self.sides[which].halves.items():
                source = far.get(number)
                if source is None or half.reset or half.sink.errors or source.sink.errors or source.reset:
                    continue
                assert half.sink.data == source.sent
                assert half.sink.fins == 1

    def was_refused(self, side: Side) -> bool:
        """Whether the peer opened more than `side` took; what it sent there was let pass."""
        other = self.sides[1 - self.sides.index(side)]
        return any(number not in side.halves for number in other.halves)

    def end_everything(self) -> None:
        """Everybody ends their direction, links flow, and everything is read, until nothing moves."""
        for side in self.sides:
            side.end.wire.writable = True
            side.meet()
            for half in side.halves.values():
                if half.may_send:
                    half.sink.stream.send_fin()
                    half.fin = True
        busy, turns = True, 0
        while busy:
            busy, turns = False, turns + 1
            assert turns < 1000, "they never come to rest"
            for which in (0, 1):
                side, other = self.sides[which], self.sides[1 - which]
                side.end.session.pump()
                busy |= side.end.go_on()
                if piece := side.end.wire.take():
                    busy = True
                    other.end.receive(piece)
                other.meet()
                for half in other.halves.values():
                    if half.may_send:
                        half.sink.stream.send_fin()
                        half.fin = busy = True
                    if half.sink.unread:
                        half.sink.read()
                        busy = True


Joined.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestJoined = Joined.TestCase
