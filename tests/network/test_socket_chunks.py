"""A socket over a link that the test feeds: whatever the chunks, the same conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.network.chunks import CUTS, bytewise, chop
from tests.network.fakes import MUXERS
from tests.network.nodes import key, make
from tests.support import run
from warren.network.ciphers import PLAINTEXT_BYTES_MAX
from warren.network.multistream import VERSION_LINE, encode_line
from warren.network.noise_security import Noise
from warren.network.security import MESSAGE_BYTES_MAX
from warren.network.socket import Socket
from warren.network.upgrade import Upgrade
from warren.network.yamux.frames import DATA, FIN, HEADER, PING, SYN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def pause_reading(self) -> None:
        """A turn of the socket took long; the test goes on feeding it."""

    def resume_reading(self) -> None:
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


def messages_of(plaintexts: list[bytes]) -> Iterator[bytes]:
    """The same, each cut to what a message holds."""
    for plaintext in plaintexts:
        for at in range(0, len(plaintext), PLAINTEXT_BYTES_MAX):
            yield plaintext[at : at + PLAINTEXT_BYTES_MAX]


async def converse(
    bodies: list[bytes],
    early: tuple[str, ...],
    cut: Callable[[bytes], list[bytes]],
    place: memoryview | None = None,
) -> Conversation:
    """Shake hands with a socket and send frames; every flight reaches it cut by `cut`.

    place: where what comes is written if there is room for it.
    """
    network = make(1, identify=False)
    said, link = Conversation(), FakeLink()

    def serve(stream: Stream) -> None:
        received = bytearray()
        said.streams.append(received)
        stream.set_receiver(received.extend, said.ends.append)
        if place is not None:
            stream.set_target(lambda: place, lambda count: received.extend(place[:count]))

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
    for plaintext in [*negotiation, *messages_of(frames(bodies))]:
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


@given(
    st.lists(st.integers(1, 260_000), min_size=1, max_size=3),
    st.sampled_from([0, 1000, PLAINTEXT_BYTES_MAX, 200_000]),
    CUTS,
)
@settings(max_examples=40, deadline=None)
def test_frames_of_many_messages_arrive_in_place_or_not(sizes: list[int], room: int, cuts: list[int]) -> None:
    async def main() -> None:
        bodies = [bytes([number + 1]) * (size - 1) + b"." for number, size in enumerate(sizes)]
        place = memoryview(bytearray(room))
        said = await converse(bodies, MUXERS, partial(chop, cuts=cuts), place)
        assert [bytes(stream) for stream in said.streams] == bodies
        assert said.ends == [None] * len(bodies)

    run(main())


def test_whole_messages_of_a_body_are_opened_where_they_are_wanted() -> None:
    async def main() -> None:
        place = memoryview(bytearray(200_000))
        said = await converse([b"x" * 250_000], MUXERS, lambda flight: [flight], place)
        assert said.streams == [b"x" * 250_000]
        assert bytes(place[: 2 * PLAINTEXT_BYTES_MAX]) == b"x" * 2 * PLAINTEXT_BYTES_MAX

    run(main())
