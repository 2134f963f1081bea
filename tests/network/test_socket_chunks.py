"""A socket over a link that the test feeds: whatever the chunks, the same conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tests.network.chunks import CUTS, bytewise, chop
from tests.network.fakes import MUXERS
from tests.network.nodes import key, make
from tests.support import run
from warren.network.multistream import VERSION_LINE, encode_line
from warren.network.noise_security import Noise
from warren.network.security import MESSAGE_BYTES_MAX
from warren.network.socket import Socket
from warren.network.upgrade import Upgrade
from warren.network.yamux.frames import DATA, FIN, HEADER, PING, SYN

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.network.stream import Stream

PROTOCOL = "/test/chunks/1"


class FakeLink:
    """An `asyncio.Transport` that takes everything at once."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, **_: int) -> None:
        pass

    def get_extra_info(self, _name: str) -> Any:
        return ("127.0.0.1", 4101)

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken = bytes(self.sent)
        self.sent.clear()
        return taken


@dataclass
class Conversation:
    """What each side made of it."""

    streams: list[bytearray] = field(default_factory=list)
    ends: list[Exception | None] = field(default_factory=list)
    answers: bytes = b""
    kept: int = 0


def frames(bodies: list[bytes]) -> list[bytes]:
    """The plaintext messages of a peer: streams with a body each, and a ping at the end."""
    hello = VERSION_LINE + encode_line(PROTOCOL)
    messages = []
    for number, body in enumerate(bodies):
        stream = 2 * number + 1
        messages += [
            HEADER.pack(0, DATA, SYN, stream, len(hello)) + hello,
            HEADER.pack(0, DATA, 0, stream, len(body)) + body + HEADER.pack(0, DATA, FIN, stream, 0),
        ]
    return [*messages, HEADER.pack(0, PING, SYN, 0, 7)]


async def converse(
    bodies: list[bytes], early: tuple[str, ...], cut: Callable[[bytes], list[bytes]]
) -> Conversation:
    """Shake hands with a socket and send frames; every flight reaches it cut by `cut`."""
    network = make(1, identify=False)
    said, link = Conversation(), FakeLink()

    def serve(stream: Stream) -> None:
        said.streams.append(bytearray())
        stream.set_receiver(said.streams[-1].extend, said.ends.append)

    network.handle_stream_inline(PROTOCOL, serve)
    socket = Socket(network, outbound=False, remote_addr=None)
    socket.connection_made(link)  # type: ignore[arg-type]

    def feed(flight: bytes) -> None:
        for chunk in cut(flight):
            rest = chunk
            while rest:
                buffer = socket.get_buffer(-1)
                size = min(len(buffer), len(rest))
                buffer[:size] = rest[:size]
                socket.buffer_updated(size)
                rest = rest[size:]

    own = key(7)
    peer = Upgrade((Noise(own, own.seed, early),), MUXERS, own.seed, initiator=True, expected=None)
    while peer.secured is None:
        feed(peer.take_output())
        received = link.take()
        assert peer.receive(memoryview(received)) == len(received)
    sealer, opener = peer.secured.sealer, peer.secured.opener
    flight = peer.take_output()
    negotiation = [] if early else [VERSION_LINE + encode_line(MUXERS[0])]
    for plaintext in [*negotiation, *frames(bodies)]:
        sealed = bytearray(len(plaintext) + sealer.overhead_bytes)
        sealer.seal_into(bytearray(plaintext), memoryview(sealed))
        flight += sealed
    feed(flight)
    answers, pos = memoryview(link.take()), 0
    out = memoryview(bytearray(MESSAGE_BYTES_MAX))
    while pos < len(answers):
        pos, opened = opener.open_next(answers, pos, out)
        said.answers += bytes(opened)
    said.kept = socket.partial_bytes
    assert socket.error is None
    socket.shut(ConnectionError(), None)
    socket.connection_lost(None)
    assert network.window_total.partial == 0
    await network.stop()
    return said


@given(st.lists(st.binary(max_size=3000), max_size=4), st.booleans(), st.none() | CUTS)
def test_a_handshake_and_frames_mean_the_same_in_any_chunking(
    bodies: list[bytes], early: bool, cuts: list[int] | None
) -> None:
    async def main() -> None:
        muxers = MUXERS if early else ()
        whole = await converse(bodies, muxers, lambda flight: [flight])
        cut = bytewise if cuts is None else partial(chop, cuts=cuts)
        parts = await converse(bodies, muxers, cut)
        for said in (whole, parts):
            assert [bytes(stream) for stream in said.streams] == bodies
            assert said.ends == [None] * len(bodies)
            assert said.kept == 0
        assert sorted(whole.answers) == sorted(parts.answers)

    run(main())


def test_a_message_that_fills_all_that_is_kept_comes_in_single_bytes() -> None:
    async def main() -> None:
        said = await converse([bytes(65_000)], MUXERS, lambda flight: [flight[:-1], flight[-1:]])
        assert said.streams == [bytes(65_000)]

    run(main())
