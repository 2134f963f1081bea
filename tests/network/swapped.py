"""Second implementations of each part of a `Stack`, just different enough to show that parts swap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation
from warren.core.multiaddr import Multiaddr
from warren.network.ciphers import Sealer
from warren.network.noise_security import Noise
from warren.network.transports.tcp import TcpTransport
from warren.network.yamux.session import open_session

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection

    from warren.core.peer_id import PeerId
    from warren.network.ciphers import Opener
    from warren.network.mux import FrameSender, MuxedStream, MuxHost, StreamAcceptor, StreamSink
    from warren.network.noise_security import NoiseHandshake
    from warren.network.transports.base import LinkListener
    from warren.runtime.seam import Transport

MAGIC: Final = b"toy!"
TOY_SECURITY: Final = "/toy-security/1"
TOY_MUXER: Final = "/toy-mux/1"


class ToySealer:
    """Small messages with a framing of their own."""

    overhead_bytes = len(MAGIC) + Sealer.overhead_bytes
    plaintext_bytes_max = 1000

    def __init__(self, inner: Sealer) -> None:
        self._inner = inner

    def seal_into(self, plaintext: memoryview | bytearray, out: memoryview) -> None:
        out[: len(MAGIC)] = MAGIC
        self._inner.seal_into(plaintext, out[len(MAGIC) :])


class ToyOpener:
    plaintext_bytes_max = ToySealer.plaintext_bytes_max

    def __init__(self, inner: Opener) -> None:
        self._inner = inner

    def open_next(self, data: memoryview, pos: int, out: memoryview) -> tuple[int, memoryview]:
        body = pos + len(MAGIC)
        if len(data) < body:
            return pos, out
        if bytes(data[pos:body]) != MAGIC:
            raise ProtocolViolation("toy: no message")
        end, plaintext = self._inner.open_next(data, body, out)
        return (pos if end == body else end), plaintext


class ToyHandshake:
    """Tells no muxers early, so that one is agreed inside."""

    remote_muxers = ()

    def __init__(self, inner: NoiseHandshake) -> None:
        self._inner = inner
        self.take_output = inner.take_output
        self.receive = inner.receive

    @property
    def done(self) -> bool:
        return self._inner.done

    @property
    def remote_key(self):  # type: ignore[no-untyped-def]
        return self._inner.remote_key

    def split(self) -> tuple[ToySealer, ToyOpener]:
        sealer, opener = self._inner.split()
        return ToySealer(sealer), ToyOpener(opener)


class ToySecurity(Noise):
    protocol_id = TOY_SECURITY  # type: ignore[misc]

    def handshake(  # type: ignore[override]
        self, seed: bytes, *, initiator: bool, expected: PeerId | None
    ) -> ToyHandshake:
        return ToyHandshake(super().handshake(seed, initiator=initiator, expected=expected))


class ToyMuxer:
    """Has what `MuxedConnection` declares, and nothing else."""

    __slots__ = ("_inner",)

    def __init__(
        self, sender: FrameSender, accept: StreamAcceptor, host: MuxHost, /, *, client: bool
    ) -> None:
        self._inner = open_session(sender, accept, host, client=client)

    @property
    def activity(self) -> int:
        return self._inner.activity

    @activity.setter
    def activity(self, value: int) -> None:
        self._inner.activity = value

    @property
    def rtt_s(self) -> float:
        return self._inner.rtt_s

    @rtt_s.setter
    def rtt_s(self, value: float) -> None:
        self._inner.rtt_s = value

    @property
    def rtt_at(self) -> float | None:
        return self._inner.rtt_at

    @property
    def ring(self) -> Collection[MuxedStream]:
        return self._inner.ring

    @property
    def accepts_streams(self) -> bool:
        return self._inner.accepts_streams

    @property
    def stream_count(self) -> int:
        return self._inner.stream_count

    def body_target(self) -> memoryview | None:
        return self._inner.body_target()

    def on_filled(self, count: int) -> None:
        self._inner.on_filled(count)

    def sinks(self) -> list[StreamSink]:
        return self._inner.sinks()

    def open_stream(self, sink: StreamSink) -> MuxedStream:
        return self._inner.open_stream(sink)

    def receive(self, data: memoryview) -> None:
        self._inner.receive(data)

    def pump(self) -> None:
        self._inner.pump()

    def ping(self) -> None:
        self._inner.ping()

    def go_away(self, code: int) -> None:
        self._inner.go_away(code)

    def close(self, error: Exception) -> None:
        self._inner.close(error)


class ToyListener:
    def __init__(self, inner: LinkListener) -> None:
        self._inner = inner

    @property
    def address(self) -> Multiaddr:
        return Multiaddr.parse(f"{self._inner.address}/ws")

    def close(self) -> None:
        self._inner.close()


class ToyTransport:
    """Takes `/tcp/PORT/ws`, which is plain TCP here."""

    def __init__(self, seam: Transport) -> None:
        self._tcp = TcpTransport(seam)

    def can_dial(self, address: Multiaddr) -> bool:
        return address.components[-1][0] == "ws" and self._tcp.can_dial(_plain(address))

    async def resolve(self, address: Multiaddr) -> list[Multiaddr]:
        return [Multiaddr.parse(f"{found}/ws") for found in await self._tcp.resolve(_plain(address))]

    async def dial(
        self, address: Multiaddr, factory: Callable[[], asyncio.BufferedProtocol], timeout_s: float
    ) -> asyncio.BufferedProtocol:
        return await self._tcp.dial(_plain(address), factory, timeout_s)

    async def listen(
        self,
        address: Multiaddr,
        factory: Callable[[], asyncio.BufferedProtocol],
        admit: Callable[[str], bool] | None = None,
    ) -> ToyListener:
        return ToyListener(await self._tcp.listen(_plain(address), factory, admit))


def _plain(address: Multiaddr) -> Multiaddr:
    return Multiaddr.parse(str(address.without_peer()).removesuffix("/ws"))
