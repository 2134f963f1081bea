"""The payload of a Noise handshake: sealed honestly, so that the parser behind the seal is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.targets import upgrade
from warren.core.errors import HandshakeFailed
from warren.core.keys import PrivateKey
from warren.network import noise
from warren.network.noise_security import Noise
from warren.network.upgrade import Upgrade

if TYPE_CHECKING:
    from warren.network.upgrade import Secured

DOCUMENTED = (HandshakeFailed,)
_IDENTITY = PrivateKey.from_seed(b"\x03" * 32)
_HONEST = noise.StaticKey(_IDENTITY, b"\x04" * 32, upgrade.MUXERS)
SEEDS = (
    _HONEST.payload,
    noise.StaticKey(_IDENTITY, b"\x04" * 32, ("/mplex/6.7.0", "/yamux/1.0.0")).payload,
    noise.StaticKey(_IDENTITY, b"\x04" * 32, ()).payload,
    noise.StaticKey(_IDENTITY, b"\x04" * 32, (), prefers_aes=True).payload,
)


def parse(data: bytes) -> list[Secured | None]:
    return [shake(data, initiator=initiator) for initiator in (True, False)]


def shake(payload: bytes, *, initiator: bool) -> Secured | None:
    """Run a whole handshake in which our side is `initiator` and the other shows `payload`."""
    other = Noise(_IDENTITY, b"\x04" * 32, ())
    other.static.payload = payload
    mine, muxers = upgrade.NOISE, upgrade.MUXERS
    ours = Upgrade((mine,), muxers, b"\x05" * 32, initiator=initiator, expected=_IDENTITY.peer_id)
    theirs = Upgrade((other,), muxers, b"\x06" * 32, initiator=not initiator, expected=None)
    for _ in range(4):
        out = ours.take_output()
        assert theirs.receive(memoryview(out)) == len(out)
        out = theirs.take_output()
        assert ours.receive(memoryview(out)) == len(out)
    return ours.secured


def verify(_data: bytes, outcomes: list[Secured | None]) -> None:
    for secured in outcomes:
        assert secured is not None
        assert secured.remote_key == _IDENTITY.public_key
