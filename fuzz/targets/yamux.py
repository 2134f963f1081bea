"""Yamux frames: the same events for any chunking, and never more streams or bytes than were allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import ConnectionClosed, ProtocolViolation
from warren.network.yamux.budget import TotalBudget, WindowBudget, WindowLimits
from warren.network.yamux.frames import (
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
from warren.network.yamux.session import YamuxLimits, YamuxSession

if TYPE_CHECKING:
    from warren.network.mux import MuxedStream

DOCUMENTED: tuple[type[Exception], ...] = ()
STREAMS_MAX = 4
_PACK = HEADER.pack
SEEDS = (
    b"\x05" + _PACK(0, DATA, SYN, 1, 5) + b"hello" + _PACK(0, DATA, FIN, 1, 0),
    b"\x00" + _PACK(0, WINDOW_UPDATE, SYN, 1, 0) + _PACK(0, WINDOW_UPDATE, 0, 1, 0xFFFFFFFF),
    b"\xff" + b"".join(_PACK(0, WINDOW_UPDATE, SYN, 2 * n + 1, 0) for n in range(STREAMS_MAX + 1)),
    b"\x03" + _PACK(0, PING, SYN, 0, 7) + _PACK(0, PING, 2, 0, 7) + _PACK(0, GO_AWAY, 0, 0, 1),
    b"\x02" + _PACK(0, DATA, SYN, 1, 0) + _PACK(0, DATA, 0, 1, INITIAL_WINDOW_BYTES + 1),
    b"\x02" + _PACK(0, DATA, SYN | FIN, 1, 3) + b"abc" + _PACK(0, WINDOW_UPDATE, RST, 1, 0),
    b"\x02" + _PACK(0, DATA, 0, 2, 3) + b"abc" + _PACK(0, WINDOW_UPDATE, RST, 2, 0) + _PACK(0, DATA, 0, 2, 1),
)


class Sender:
    """Where the session puts its frames."""

    def __init__(self) -> None:
        self.writable = True
        self.frame_bytes_max = BODY_BYTES_MAX + HEADER_BYTES
        self.sent = 0

    def put(self, header: bytes, payload: bytes | bytearray | memoryview) -> None:
        self.sent += len(header) + len(payload)

    def flush_bulk(self) -> None:
        pass

    def schedule_pump(self) -> None:
        pass


class Sink:
    """One stream: writes down what happens and answers with what came."""

    def __init__(self, stream: MuxedStream | None, name: int, events: list[tuple[int, str, bytes]]) -> None:
        self.stream = stream
        self.name = name
        self.events = events

    def note(self, what: str, data: bytes = b"") -> None:
        if what == "data" and self.events and self.events[-1][:2] == (self.name, "data"):
            data = self.events.pop()[2] + data
        self.events.append((self.name, what, data))

    def on_data(self, data: memoryview) -> None:
        self.note("data", bytes(data))
        if self.stream is not None:
            self.stream.consumed(len(data))

    def body_target(self) -> None:
        """Nowhere: all comes to `on_data`."""

    def on_filled(self, count: int) -> None:
        raise AssertionError(f"{count} bytes at a place that was not given")

    def on_fin(self) -> None:
        self.note("fin")
        if self.stream is not None and self.name % 3:
            self.stream.send_fin()

    def on_reset(self, error: Exception) -> None:
        self.note("reset", type(error).__name__.encode())

    def on_writable(self) -> None:
        pass


def run(data: bytes, step: int) -> list[tuple[int, str, bytes]]:
    """What happens on a connection where we have one stream open, fed in chunks of `step`."""
    events: list[tuple[int, str, bytes]] = []

    def accept(stream: MuxedStream) -> Sink:
        number = sum(what == "open" for _, what, _ in events) + 1
        events.append((number, "open", b""))
        return Sink(stream, number, events)

    session = YamuxSession(
        Sender(),
        accept,
        WindowBudget(TotalBudget(WindowLimits())),
        lambda: 0.0,
        bytes,
        client=False,
        limits=YamuxLimits(streams_inbound_max=STREAMS_MAX, idle_frames_burst=64),
    )
    ours = Sink(None, 0, events)
    ours.stream = session.open_stream(ours)
    ours.stream.send(bytes(INITIAL_WINDOW_BYTES + 100))
    for pos in range(0, len(data), step):
        try:
            session.receive(memoryview(data)[pos : pos + step])
        except (ProtocolViolation, ConnectionClosed) as error:
            session.close(error)
            events.append((0, "broken", type(error).__name__.encode()))
            break
        session.pump()
        assert session.stream_count <= STREAMS_MAX + 1
    return events


def parse(data: bytes) -> list[tuple[int, str, bytes]]:
    return run(data[1:], len(data) + 1)


def verify(data: bytes, events: list[tuple[int, str, bytes]]) -> None:
    assert run(data[1:], ord(data[:1] or b"a") + 1) == events
    assert sum(len(body) for _, what, body in events if what == "data") <= len(data)
