"""perf: how many bytes a second travel on one stream, in each direction.

In: a peer and byte counts.  Out: `PerfResult`.  The server takes everything in the callback and sends from
one constant block, so the figure is the network's and not this module's.
Whom to serve, when, and how much is for the `Gate` to say (a stranger could make us send for ever). Refuses
what is beyond that.
Spec: https://github.com/libp2p/specs/blob/master/perf/perf.md
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import ProtocolViolation, RequestTimeout
from warren.network.yamux.frames import BODY_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.network.stream import Stream

PROTOCOL_ID: Final = "/perf/1.0.0"
BLOCK_BYTES: Final = 16 * BODY_BYTES_MAX
"""A whole number of full frames."""
_BLOCK: Final = bytes(BLOCK_BYTES)
STALL_S: Final = 30.0
"""A served measurement in which no byte moved for so long is reset; its header is due by then, too.
Stops peers that open streams and say, send or take nothing. A link of 5 kB/s still moves a window by then."""
SERVED_TIMEOUT_S: Final = 600.0
"""A served run lasts no longer where the gate says nothing else, to within `STALL_S`. Stops peers that move a
byte now and then."""
_COUNT: Final = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class PerfResult:
    """One measurement: from the first byte sent to the last one acknowledged or read."""

    uploaded_bytes: int
    downloaded_bytes: int
    seconds: float

    @property
    def bytes_per_s(self) -> float:
        """Both directions together."""
        return (self.uploaded_bytes + self.downloaded_bytes) / self.seconds if self.seconds else 0.0


class Gate(Protocol):
    """Decides which runs are served, and when: two at once would measure each other."""

    def ask(self, run: ServedRun) -> None:
        """A peer wants a run: `begin` it now or later, or `refuse` it. May raise `Refused` instead."""


class _BlockSender:
    """Sends `count` bytes of a constant block as fast as the stream takes them, without a task."""

    __slots__ = ("_left", "_on_moved", "_stream")

    def __init__(self, stream: Stream, count: int, on_moved: Callable[[int], None] | None = None) -> None:
        self._stream = stream
        self._left = count
        self._on_moved = on_moved

    @property
    def unsent_bytes(self) -> int:
        """What is not on its way yet."""
        return self._left + self._stream.unsent_bytes

    def start(self) -> None:
        self._stream.set_writable_callback(self._send)
        self._send()

    def _send(self) -> None:
        stream = self._stream
        while self._left:
            size = min(self._left, BLOCK_BYTES)
            self._left -= size
            if self._on_moved is not None:
                self._on_moved(size)
            if not stream.write_nowait(_BLOCK if size == BLOCK_BYTES else _BLOCK[:size]):
                if self._left:
                    return
                break
        stream.set_writable_callback(None)
        stream.close_write()


class Perf:
    """Measures, and answers the measurements that the gate lets through; without a gate, everybody's."""

    def __init__(self, network: Network, gate: Gate | None = None, *, bytes_max: int = 1 << 40) -> None:
        """bytes_max: of one run that is served, where there is no gate."""
        self._network = network
        self._gate = gate
        self._bytes_max = bytes_max
        network.handle_stream_inline(PROTOCOL_ID, self._serve)

    async def measure(
        self,
        peer: PeerId | Socket,
        *,
        upload_bytes: int = 0,
        download_bytes: int = 0,
        timeout_s: float = 600.0,
        on_moved: Callable[[int], None] | None = None,
    ) -> PerfResult:
        """Send `upload_bytes`, then have `download_bytes` sent back (at least one, as the acknowledgement).

        on_moved: called with each so many bytes that were given to the stream, or came.

        Raises `RequestTimeout`, `Refused`, `ProtocolNotSupported`, and what `Network.connect` raises.
        """
        stream = await self._network.open_stream(peer, PROTOCOL_ID)
        want = max(download_bytes, 1)
        finished = asyncio.get_running_loop().create_future()
        received = 0

        def on_data(data: memoryview) -> None:
            nonlocal received
            received += len(data)
            if on_moved is not None:
                on_moved(len(data))
            if received > want:
                on_end(None)

        def on_end(error: Exception | None) -> None:
            if not finished.done():
                finished.set_result(error)

        stream.set_receiver(on_data, on_end)
        clock = self._network.clock
        began = clock()
        try:
            async with asyncio.timeout(timeout_s):
                stream.write_nowait(_COUNT.pack(want))
                _BlockSender(stream, upload_bytes, on_moved).start()
                outcome = await finished
            if outcome is not None:
                raise outcome
            if received != want:
                raise ProtocolViolation(f"perf: {received} bytes came back instead of {want}")
        except TimeoutError as error:
            stream.reset()
            raise RequestTimeout(f"perf with {stream.peer_id} took longer than {timeout_s:g} s") from error
        except BaseException:
            stream.reset()  # a mere close would let the peer send all that was asked for
            raise
        stream.close_nowait()
        return PerfResult(upload_bytes, download_bytes, clock() - began)

    def _serve(self, stream: Stream) -> None:
        run = ServedRun(stream, self._network.clock)
        if self._gate is not None:
            self._gate.ask(run)
        else:
            run.begin(self._bytes_max)


class ServedRun:
    """One run of a peer: takes what it sends, then sends what it asked for, and never waits for ever.

    Until it begins the peer can send no more than the window of its stream. One timer looks every `STALL_S`
    whether bytes moved: nothing is armed or cancelled as they do.
    """

    __slots__ = (
        "_began",
        "_bytes_max",
        "_clock",
        "_head",
        "_left",
        "_seconds_max",
        "_seen",
        "_sender",
        "_stream",
        "_timer",
        "_wanted",
        "peer_id",
    )

    def __init__(self, stream: Stream, clock: Callable[[], float]) -> None:
        self.peer_id = stream.peer_id
        self._stream = stream
        self._clock = clock
        self._head = b""
        self._bytes_max = self._left = self._wanted = 0
        self._sender: _BlockSender | None = None

    def begin(self, bytes_max: int, seconds_max: float = SERVED_TIMEOUT_S) -> None:
        """Serve it, with up to `bytes_max` in each direction; called once."""
        self._bytes_max = self._left = bytes_max
        self._seconds_max = seconds_max
        self._began = self._clock()
        self._seen = self._progress()
        self._timer = asyncio.get_running_loop().call_later(min(STALL_S, seconds_max), self._look)
        self._stream.set_receiver(self._on_data, self._on_end)

    def refuse(self) -> None:
        """Do not serve it."""
        self._stream.reset()

    @property
    def over(self) -> bool:
        """Whether all was sent, or the stream ended before."""
        return self._stream.ended or (self._sender is not None and not self._sender.unsent_bytes)

    @property
    def moved_bytes(self) -> int:
        """What it cost so far, both directions together."""
        unsent = self._sender.unsent_bytes if self._sender is not None else 0
        return self._bytes_max - max(self._left, 0) + self._wanted - unsent

    def _on_data(self, data: memoryview) -> None:
        if len(self._head) < _COUNT.size:
            self._head += bytes(data[: _COUNT.size - len(self._head)])
        self._left -= len(data)
        if self._left < 0:
            self._stream.reset()

    def _on_end(self, error: Exception | None) -> None:
        if error is not None:
            self._timer.cancel()
            return
        if len(self._head) < _COUNT.size or _COUNT.unpack(self._head)[0] > self._bytes_max:
            self._timer.cancel()
            self._stream.reset()
            return
        self._wanted = _COUNT.unpack(self._head)[0]
        self._sender = _BlockSender(self._stream, self._wanted)
        self._sender.start()

    def _progress(self) -> tuple[int, int]:
        """Changes with each byte that comes or goes."""
        return self._left, self._sender.unsent_bytes if self._sender is not None else -1

    def _look(self) -> None:
        progress = self._progress()
        if self._stream.ended or not progress[1]:
            return
        late = self._clock() - self._began >= self._seconds_max
        if late or progress == self._seen or len(self._head) < _COUNT.size:
            self._stream.reset()
            return
        self._seen = progress
        self._timer = asyncio.get_running_loop().call_later(STALL_S, self._look)
