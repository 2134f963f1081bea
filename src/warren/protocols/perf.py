"""perf: how many bytes a second travel on one stream, in each direction.

In: a peer and byte counts.  Out: `PerfResult`.  The server takes everything in the callback and sends from
one constant block, so the figure is the network's and not this module's.
Refuses: to send to peers that `allowed` does not grant (a stranger could make us send for ever), and more
than `bytes_max`.
Spec: https://github.com/libp2p/specs/blob/master/perf/perf.md
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation, Refused, RequestTimeout
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
STALL_S: Final = 30.0
"""A served measurement in which no byte moved for so long is reset; its header is due by then, too.
Stops peers that open streams and say, send or take nothing. A link of 5 kB/s still moves a window by then."""
SERVED_TIMEOUT_S: Final = 600.0
"""A served measurement lasts no longer, to within `STALL_S`. Stops peers that move a byte now and then."""
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


class _BlockSender:
    """Sends `count` bytes of a constant block as fast as the stream takes them, without a task."""

    __slots__ = ("_block", "_left", "_stream")

    def __init__(self, stream: Stream, block: bytes, count: int) -> None:
        self._stream = stream
        self._block = block
        self._left = count

    @property
    def unsent_bytes(self) -> int:
        """What is not on its way yet."""
        return self._left + self._stream.unsent_bytes

    def start(self) -> None:
        self._stream.set_writable_callback(self._send)
        self._send()

    def _send(self) -> None:
        block, stream = self._block, self._stream
        while self._left:
            size = min(self._left, len(block))
            self._left -= size
            if not stream.write_nowait(block if size == len(block) else block[:size]):
                if self._left:
                    return
                break
        stream.set_writable_callback(None)
        stream.close_write()


class Perf:
    """Measures, and answers the measurements of peers that `allowed` grants."""

    def __init__(
        self,
        network: Network,
        allowed: Callable[[PeerId], bool] = lambda _peer: True,
        *,
        bytes_max: int = 1 << 40,
    ) -> None:
        self._network = network
        self._allowed = allowed
        self._bytes_max = bytes_max
        self._block = bytes(BLOCK_BYTES)
        network.handle_stream_inline(PROTOCOL_ID, self._serve)

    async def measure(
        self,
        peer: PeerId | Socket,
        *,
        upload_bytes: int = 0,
        download_bytes: int = 0,
        timeout_s: float = 600.0,
    ) -> PerfResult:
        """Send `upload_bytes`, then have `download_bytes` sent back (at least one, as the acknowledgement).

        Raises `RequestTimeout`, `Refused`, `ProtocolNotSupported`, and what `Network.connect` raises.
        """
        stream = await self._network.open_stream(peer, PROTOCOL_ID)
        want = max(download_bytes, 1)
        finished = asyncio.get_running_loop().create_future()
        received = 0

        def on_data(data: memoryview) -> None:
            nonlocal received
            received += len(data)
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
                _BlockSender(stream, self._block, upload_bytes).start()
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
        if not self._allowed(stream.peer_id):
            raise Refused("no speed tests for this peer")
        _Serving(stream, self._block, self._bytes_max, self._network.clock)


class _Serving:
    """One measurement of a peer: takes what it sends, then sends what it asked for, and never waits for ever.

    One timer looks every `STALL_S` whether bytes moved: nothing is armed or cancelled as they do.
    """

    __slots__ = (
        "_began",
        "_block",
        "_bytes_max",
        "_clock",
        "_head",
        "_left",
        "_seen",
        "_sender",
        "_stream",
        "_timer",
    )

    def __init__(self, stream: Stream, block: bytes, bytes_max: int, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._block = block
        self._bytes_max = bytes_max
        self._clock = clock
        self._began = clock()
        self._head = b""
        self._left = bytes_max
        self._sender: _BlockSender | None = None
        self._seen = self._progress()
        self._timer = asyncio.get_running_loop().call_later(STALL_S, self._look)
        stream.set_receiver(self._on_data, self._on_end)

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
        self._sender = _BlockSender(self._stream, self._block, _COUNT.unpack(self._head)[0])
        self._sender.start()

    def _progress(self) -> tuple[int, int]:
        """Changes with each byte that comes or goes."""
        return self._left, self._sender.unsent_bytes if self._sender is not None else -1

    def _look(self) -> None:
        progress = self._progress()
        if self._stream.ended or not progress[1]:
            return
        late = self._clock() - self._began >= SERVED_TIMEOUT_S
        if late or progress == self._seen or len(self._head) < _COUNT.size:
            self._stream.reset()
            return
        self._seen = progress
        self._timer = asyncio.get_running_loop().call_later(STALL_S, self._look)
