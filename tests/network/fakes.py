"""Stand-ins for what a muxer calls: a wire that keeps its bytes, and sinks that note what they are told."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from warren.network.yamux.budget import TotalBudget, WindowBudget, WindowLimits
from warren.network.yamux.frames import BODY_BYTES_MAX, HEADER_BYTES, PROTOCOL_ID
from warren.network.yamux.session import YamuxLimits, YamuxSession

if TYPE_CHECKING:
    from warren.network.mux import MuxedStream

MUXERS = (PROTOCOL_ID,)


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """A `FrameSender` that keeps what is put."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.writable = True
        self.frame_bytes_max = BODY_BYTES_MAX + HEADER_BYTES
        self.pump_due = False
        self.frames = 0

    def put(self, header: bytes, payload: bytes | bytearray | memoryview) -> None:
        self.frames += 1
        self.out += header
        self.out += payload

    def flush_bulk(self) -> None:
        pass

    def schedule_pump(self) -> None:
        self.pump_due = True

    def take(self, most: int | None = None) -> bytes:
        """Remove up to `most` bytes from the front."""
        size = len(self.out) if most is None else most
        taken = bytes(self.out[:size])
        del self.out[:size]
        return taken


class Sink:
    """A `StreamSink` that keeps data and events; with `greedy` it gives the credit back at once."""

    def __init__(self, *, greedy: bool = True) -> None:
        self.greedy = greedy
        self.stream: Any = None
        self.data = bytearray()
        self.unread = 0
        self.fins = 0
        self.errors: list[Exception] = []
        self.writables = 0

    def attach(self, stream: MuxedStream) -> Sink:
        self.stream = stream
        return self

    def on_data(self, data: memoryview) -> None:
        assert not self.over, "data after the end"
        self.data += data
        self.unread += len(data)
        if self.greedy:
            self.read()

    def body_target(self) -> None:
        """Nowhere: all is told to `on_data`."""

    def on_filled(self, count: int) -> None:
        raise AssertionError(f"{count} bytes at a place that was not given")

    def read(self, most: int | None = None) -> None:
        """Tell the muxer that up to `most` bytes were read."""
        count = self.unread if most is None else min(most, self.unread)
        self.unread -= count
        self.stream.consumed(count)

    def on_fin(self) -> None:
        assert not self.over, "an end after the end"
        self.fins += 1

    def on_reset(self, error: Exception) -> None:
        assert not self.errors, "two resets"
        self.errors.append(error)

    def on_writable(self) -> None:
        self.writables += 1

    @property
    def over(self) -> bool:
        return bool(self.fins or self.errors)


class Acceptor:
    """Accepts streams into sinks, in order; `refusing` refuses them."""

    def __init__(self, *, greedy: bool = True) -> None:
        self.greedy = greedy
        self.refusing = False
        self.sinks: list[Sink] = []

    def __call__(self, stream: MuxedStream, /) -> Sink | None:
        if self.refusing:
            return None
        self.sinks.append(Sink(greedy=self.greedy).attach(stream))
        return self.sinks[-1]


class YamuxEnd:
    """One session with its wire, its acceptor and a budget of its own."""

    def __init__(
        self,
        *,
        client: bool,
        clock: Clock | None = None,
        limits: YamuxLimits | None = None,
        windows: WindowLimits | None = None,
        greedy: bool = True,
    ) -> None:
        self.wire = Wire()
        self.accept = Acceptor(greedy=greedy)
        self.clock = clock or Clock()
        self.values = itertools.count(1_000_000_007)
        self.total = TotalBudget(windows or WindowLimits())
        self.session = YamuxSession(
            self.wire,
            self.accept,
            WindowBudget(self.total),
            self.clock,
            lambda count: next(self.values).to_bytes(count, "big"),
            client=client,
            limits=limits or YamuxLimits(),
        )

    def open(self, *, greedy: bool = True) -> Sink:
        sink = Sink(greedy=greedy)
        return sink.attach(self.session.open_stream(sink))

    def receive(self, data: bytes) -> None:
        """What a socket does with plaintext: feed it, then send what that led to."""
        self.session.receive(memoryview(data))
        self.session.pump()

    def go_on(self) -> bool:
        """Run the pump if the session asked for another turn."""
        due, self.wire.pump_due = self.wire.pump_due, False
        if due:
            self.session.pump()
        return due


class YamuxPair:
    """Two ends and the bytes between them."""

    def __init__(self, **options: Any) -> None:
        self.clock = options.setdefault("clock", Clock())
        self.a = YamuxEnd(client=True, **options)
        self.b = YamuxEnd(client=False, **options)

    def carry(self) -> None:
        """Move bytes both ways until both sides have nothing more to say."""
        busy = True
        while busy:
            busy = self.a.go_on() | self.b.go_on()
            for source, target in ((self.a, self.b), (self.b, self.a)):
                if data := source.wire.take():
                    busy = True
                    target.receive(data)
