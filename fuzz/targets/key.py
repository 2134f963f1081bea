"""Public key messages: only the canonical encoding passes, and no signature makes verifying raise."""

from __future__ import annotations

from warren.core.errors import InvalidKey
from warren.core.keys import PrivateKey, PublicKey

_EC = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
_POINT = (
    "de3d300fa36ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda020e"
    "8b6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e62"
)

DOCUMENTED = (InvalidKey,)
SEEDS = (
    PrivateKey.from_seed(bytes(32)).public_key.to_protobuf(),
    bytes.fromhex("08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99"),
    bytes.fromhex("0803125b" + _EC + _POINT),
    # An RSA key of 2,048 bits with an odd but otherwise arbitrary modulus.
    bytes.fromhex("080012a602" + "30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
    + b"\xc1" * 256
    + bytes.fromhex("0203010001"),
)


def parse(data: bytes) -> PublicKey:
    return PublicKey.from_protobuf(data)


def verify(data: bytes, key: PublicKey) -> None:
    assert key.to_protobuf() == data
    assert PublicKey(key.type, key.data) == key
    # The key's own bytes stand in for arbitrary ones.
    for signature in (data, data[:64], b"\x30\x06\x02\x01\x01\x02\x01\x01"):
        assert not key.verify(signature, b"a message that nobody signed")
