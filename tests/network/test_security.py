from __future__ import annotations

from typing import TYPE_CHECKING

from tests.network.conformance_security import SecurityConformance
from tests.network.swapped import ToySecurity
from warren.network.noise_security import Noise

if TYPE_CHECKING:
    from warren.core.keys import PrivateKey


class TestNoise(SecurityConformance):
    def security(self, identity: PrivateKey, seed: bytes, muxers: tuple[str, ...]) -> Noise:
        return Noise(identity, seed, muxers, fast_aes=False)


class TestNoiseWithAes(SecurityConformance):
    def security(self, identity: PrivateKey, seed: bytes, muxers: tuple[str, ...]) -> Noise:
        return Noise(identity, seed, muxers, fast_aes=True)


class TestToy(SecurityConformance):
    """The suite asks for nothing that only Noise has."""

    def security(self, identity: PrivateKey, seed: bytes, muxers: tuple[str, ...]) -> ToySecurity:
        return ToySecurity(identity, seed, muxers)
