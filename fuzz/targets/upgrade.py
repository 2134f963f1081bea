"""The handshake of a raw connection, either side, against bytes that know no secret: it never succeeds."""

from __future__ import annotations

from warren.core.errors import HandshakeFailed
from warren.core.keys import PrivateKey
from warren.network import noise
from warren.network.multistream import VERSION_LINE, encode_line
from warren.network.noise_security import Noise
from warren.network.upgrade import Upgrade
from warren.network.yamux.frames import PROTOCOL_ID

DOCUMENTED: tuple[type[Exception], ...] = ()
MUXERS = (PROTOCOL_ID,)
NOISE = Noise(PrivateKey.from_seed(bytes(32)), b"\x01" * 32, MUXERS, fast_aes=True)
_HELLO = VERSION_LINE + encode_line(noise.PROTOCOL_ID)
SEEDS = (
    b"\x10" + _HELLO + noise.frame(b"\x09" + bytes(31)),
    b"\xff" + _HELLO + noise.frame(b"\x09" + bytes(31)) + noise.frame(bytes(120)),
    b"\x00" + _HELLO + noise.frame(bytes(32)),
    b"\x01" + VERSION_LINE + b"\x03na\n",
    b"\x01" + VERSION_LINE + encode_line("/tls/1.0.0"),
)


def shake(data: bytes, step: int, *, initiator: bool) -> type[Exception] | None:
    """The error that ended it, if one did."""
    upgrade = Upgrade((NOISE,), MUXERS, b"\x02" * 32, initiator=initiator, expected=None)
    held = b""
    for pos in range(0, len(data), step):
        held += data[pos : pos + step]
        try:
            held = held[upgrade.receive(memoryview(held)) :]
        except HandshakeFailed as error:
            return type(error)
        upgrade.take_output()
        assert upgrade.secured is None
    return None


def parse(data: bytes) -> list[type[Exception] | None]:
    return [shake(data[1:], len(data) + 1, initiator=initiator) for initiator in (True, False)]


def verify(data: bytes, outcomes: list[type[Exception] | None]) -> None:
    step = ord(data[:1] or b"a") + 1
    assert outcomes == [shake(data[1:], step, initiator=initiator) for initiator in (True, False)]
