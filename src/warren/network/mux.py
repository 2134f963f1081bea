"""What a secured connection becomes: many independent streams over one link.

`MuxedConnection` and `MuxedStream` are what `Socket` and `Stream` drive; Yamux implements them, QUIC can
implement them directly.  `StreamSink` and `FrameSender` are what an implementation calls.  All calls are
synchronous; nothing here waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from warren.network.config import NetworkConfig
    from warren.network.yamux.budget import TotalBudget


class StreamSink(Protocol):
    """The receiving end of one stream, called by the muxer as bytes arrive."""

    def on_data(self, data: memoryview) -> None:
        """Bytes arrived; the view is valid only during the call. `MuxedStream.consumed` gives credit."""

    def body_target(self) -> memoryview | None:
        """Where the next bytes are wanted, if they can be written there at once; tell `on_filled` of them."""

    def on_filled(self, count: int) -> None:
        """So many bytes arrived and lie at the beginning of `body_target`; else as `on_data`."""

    def on_fin(self) -> None:
        """The other side sends no more."""

    def on_reset(self, error: Exception) -> None:
        """The stream ended abruptly, with the reason."""

    def on_writable(self) -> None:
        """The queue of unsent bytes fell below the low mark."""


class MuxedStream(Protocol):
    """The sending end of one stream."""

    queued: int
    """Bytes taken from the caller and not yet on their way."""
    wake_at: int
    """`StreamSink.on_writable` is called once when `queued` fell to this; -1 for never."""
    receive_window: int
    """Bytes that the peer may still send; `consumed` gives it more."""

    @property
    def queue_bytes_max(self) -> int:
        """How much may be queued before the writer should wait."""

    @property
    def finishing(self) -> bool:
        """True while the half-close waits behind queued bytes."""

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send or queue `data`; mutable buffers are copied when they have to wait."""

    def send_fin(self) -> None:
        """Half-close: nothing follows what was sent."""

    def reset(self) -> None:
        """End the stream abruptly in both directions."""

    def consumed(self, count: int) -> None:
        """The application read `count` bytes: the peer may send as many again."""

    def hold(self, count: int) -> bool:
        """Count bytes that are kept until the application reads them; False when there are too many."""

    def release(self, count: int) -> None:
        """Held bytes were read or dropped."""

    def charge(self, cost: int) -> None:
        """The peer made work that moves no data. Raises `ProtocolViolation` when that becomes a flood."""


class StreamAcceptor(Protocol):
    """Decides about a stream that the peer opened."""

    def __call__(self, stream: MuxedStream, /) -> StreamSink | None:
        """The sink that serves the stream, or None to reset it."""


class FrameSender(Protocol):
    """Where a muxer puts its frames."""

    writable: bool
    """False while the link asks for a pause."""
    frame_bytes_max: int
    """The most for one frame now, header included: whole messages, as many as the link takes at once."""

    def put(self, header: bytes, payload: bytes | bytearray | memoryview) -> None:
        """Take one frame; small frames of one turn of the loop travel together."""

    def flush_bulk(self) -> None:
        """Hand over the full frames that `put` collected; called at the end of each burst."""

    def schedule_pump(self) -> None:
        """Call `MuxedConnection.pump` in the next turn of the loop."""


class MuxedConnection(Protocol):
    """Many streams over one authenticated link."""

    activity: int
    """Changes whenever data came or went: probes and window updates are no use of a connection."""
    rtt_s: float
    """Round trip in seconds; set to that of the handshake at first."""

    @property
    def rtt_at(self) -> float | None:
        """When the newest probe was answered, by the network's clock; None before the first answer."""

    @property
    def ring(self) -> Collection[MuxedStream]:
        """The streams that wait for their turn to send; while it is empty `pump` has nothing to do."""

    def open_stream(self, sink: StreamSink) -> MuxedStream:
        """Open a stream towards the peer. Raises `LimitReached`, `ConnectionClosed`."""

    def receive(self, data: memoryview) -> None:
        """Take plaintext of the link. Raises `ProtocolViolation`: the connection must then be closed."""

    def body_target(self) -> memoryview | None:
        """Where the plaintext that comes next is wanted, all of it data of one stream: as much as this view
        is long may be written there. Call `on_filled`, and not `receive`, for that.
        """

    def on_filled(self, count: int) -> None:
        """So much plaintext was written to `body_target`."""

    def pump(self) -> None:
        """Send what is queued, streams taking turns, while the sender is writable."""

    def ping(self) -> None:
        """Send a probe; `rtt_s` changes when the answer comes."""

    def go_away(self, code: int) -> None:
        """Open no more streams, and tell the peer to open none, and why.

        Streams that the peer opened before it heard of it are served until `close`.
        """

    @property
    def accepts_streams(self) -> bool:
        """Whether `open_stream` may be called: neither side said goodbye."""

    def close(self, error: Exception) -> None:
        """The link is gone: end every stream with `error`."""

    @property
    def stream_count(self) -> int:
        """Streams open in either direction."""

    def sinks(self) -> list[StreamSink]:
        """The receiving ends of the open streams."""


class MuxHost(Protocol):
    """What a muxer may use of the network that owns the connection."""

    config: NetworkConfig
    window_total: TotalBudget
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]


class MuxerFactory(Protocol):
    """Makes one side of a muxed connection."""

    def __call__(
        self, sender: FrameSender, accept: StreamAcceptor, host: MuxHost, /, *, client: bool
    ) -> MuxedConnection:
        """`client` is the side that began the handshake."""
