from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from hypothesis import given
from hypothesis import strategies as st

from tests.core import vectors
from warren.core import keys, varint
from warren.core.errors import InvalidKey
from warren.core.keys import KeyType, PrivateKey, PublicKey

DER = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_message(type_: int, data: bytes) -> bytes:
    return b"\x08" + varint.encode(type_) + b"\x12" + varint.encode(len(data)) + data


@pytest.fixture(scope="module")
def rsa_data() -> bytes:
    return rsa.generate_private_key(65537, 2048).public_key().public_bytes(*DER)


@pytest.mark.parametrize(
    ("raw", "type_"),
    [
        (vectors.RSA_PUBLIC, KeyType.RSA),
        (vectors.ED25519_PUBLIC, KeyType.ED25519),
        (vectors.SECP256K1_PUBLIC, KeyType.SECP256K1),
        (vectors.ECDSA_PUBLIC, KeyType.ECDSA),
    ],
)
def test_keys_of_the_specification_round_trip(raw: bytes, type_: KeyType) -> None:
    key = PublicKey.from_protobuf(raw)
    assert key.type is type_
    assert key.to_protobuf() == raw
    assert key == PublicKey(key.type, key.data)
    assert hash(key) == hash(PublicKey.from_protobuf(raw))
    assert key != raw
    assert type_.name in repr(key)


@pytest.mark.parametrize(
    ("raw", "signature"),
    [
        (vectors.RSA_PUBLIC, vectors.RSA_SIGNATURE_JS),
        (vectors.ED25519_PUBLIC, vectors.ED25519_SIGNATURE_JS),
        (vectors.SECP256K1_PUBLIC, vectors.SECP256K1_SIGNATURE_JS),
    ],
)
def test_signatures_of_js_libp2p_verify(raw: bytes, signature: bytes) -> None:
    key = PublicKey.from_protobuf(raw)
    assert key.verify(signature, vectors.MESSAGE)
    assert not key.verify(signature, vectors.MESSAGE + b"!")
    assert not key.verify(signature[:-1] + bytes([signature[-1] ^ 1]), vectors.MESSAGE)
    for junk in (b"", b"junk", bytes(64), signature[:-1], signature + b"\0", bytes(5000)):
        assert not key.verify(junk, vectors.MESSAGE)


def test_the_ecdsa_vector_verifies_what_its_private_half_signs() -> None:
    private = load_der_private_key(vectors.ECDSA_PRIVATE[4:], None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    key = PublicKey.from_protobuf(vectors.ECDSA_PUBLIC)
    assert private.public_key().public_bytes(*DER) == key.data
    signature = private.sign(vectors.MESSAGE, ec.ECDSA(SHA256()))
    assert key.verify(signature, vectors.MESSAGE)
    assert not key.verify(signature, b"other")
    assert not key.verify(b"junk", vectors.MESSAGE)


def test_the_rsa_vector_verifies_what_its_private_half_signs() -> None:
    private = load_der_private_key(vectors.RSA_PRIVATE[5:], None)
    assert isinstance(private, rsa.RSAPrivateKey)
    key = PublicKey.from_protobuf(vectors.RSA_PUBLIC)
    assert private.public_key().public_bytes(*DER) == key.data
    assert private.sign(vectors.MESSAGE, padding.PKCS1v15(), SHA256()) == vectors.RSA_SIGNATURE_JS


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_the_three_ecdsa_curves(curve: ec.EllipticCurve) -> None:
    private = ec.generate_private_key(curve)
    key = PublicKey(KeyType.ECDSA, private.public_key().public_bytes(*DER))
    assert key.verify(private.sign(b"m", ec.ECDSA(SHA256())), b"m")


def test_our_own_key_is_the_vector_of_the_specification() -> None:
    key = PrivateKey.from_protobuf(vectors.ED25519_PRIVATE)
    assert key.public_key.to_protobuf() == vectors.ED25519_PUBLIC
    assert key.to_protobuf() == vectors.ED25519_PRIVATE
    assert key.sign(vectors.MESSAGE) == vectors.ED25519_SIGNATURE_JS
    assert PrivateKey.from_seed(key.seed).peer_id == key.peer_id == key.public_key.peer_id
    assert key.seed.hex() not in repr(key)
    assert str(key.peer_id) in repr(key)


def test_the_older_key_file_repeats_the_public_half() -> None:
    key = PrivateKey.from_protobuf(vectors.ED25519_PRIVATE)
    public = key.public_key.data
    older = key_message(KeyType.ED25519, key.seed + public + public)
    assert PrivateKey.from_protobuf(older).seed == key.seed
    for tail in (b"", public[:-1], public + bytes(32), bytes(32), public * 3):
        with pytest.raises(InvalidKey):
            PrivateKey.from_protobuf(key_message(KeyType.ED25519, key.seed + tail))


@pytest.mark.parametrize("raw", [vectors.RSA_PRIVATE, vectors.ECDSA_PRIVATE, vectors.SECP256K1_PRIVATE, b""])
def test_other_private_keys_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidKey):
        PrivateKey.from_protobuf(raw)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(InvalidKey):
        PrivateKey.from_seed(bytes(size))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_sign_and_verify(seed: bytes, message: bytes) -> None:
    key = PrivateKey.from_seed(seed)
    signature = key.sign(message)
    assert key.public_key.verify(signature, message)
    assert not key.public_key.verify(signature, message + b"\0")
    assert PrivateKey.from_protobuf(key.to_protobuf()).public_key == key.public_key


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "0801",
        "08011220" + "00" * 31,
        "08011220" + "00" * 33,
        "0801121f" + "00" * 31,
        "080112a000" + "00" * 32,  # length not minimal
        "0801128080808080808080808001" + "00" * 32,  # length over 63 bits
        "08011280",
        "0881001220" + "00" * 32,  # type not minimal
        "1220" + "00" * 32 + "0801",  # fields out of order
        "08011220" + "00" * 32 + "1a00",  # one field more
        "1220" + "00" * 32,  # no type
        "08041220" + "00" * 32,  # unknown type
        "0802122102" + "ff" * 32,  # not on the curve
        "08021220" + "00" * 32,
        "08001204" + "30020500",
        "08031204" + "deadbeef",
    ],
)
def test_malformed_messages(raw: str) -> None:
    with pytest.raises(InvalidKey):
        PublicKey.from_protobuf(bytes.fromhex(raw))


def test_a_secp256k1_key_comes_compressed() -> None:
    data = PublicKey.from_protobuf(vectors.SECP256K1_PUBLIC).data
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), data)
    long = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    with pytest.raises(InvalidKey, match="33 bytes"):
        PublicKey(KeyType.SECP256K1, long)


def test_key_messages_are_capped() -> None:
    with pytest.raises(InvalidKey, match="exceeds"):
        PublicKey.from_protobuf(key_message(0, bytes(keys.KEY_PROTOBUF_BYTES_MAX)))


def test_rsa_sizes() -> None:
    short = rsa.generate_private_key(65537, 1024).public_key().public_bytes(*DER)  # noqa: S505
    with pytest.raises(InvalidKey, match="1024"):
        PublicKey(KeyType.RSA, short)
    for bits, accepted in ((8192, True), (8193, False)):
        modulus = (1 << (bits - 1)) + 1
        data = rsa.RSAPublicNumbers(65537, modulus).public_key().public_bytes(*DER)
        if accepted:
            assert not PublicKey(KeyType.RSA, data).verify(bytes(1024), b"m")
        else:
            with pytest.raises(InvalidKey):
                PublicKey(KeyType.RSA, data)


def test_rsa_exponents_stay_small() -> None:
    data = rsa.RSAPublicNumbers((1 << 31) + 1, (1 << 2047) + 1).public_key().public_bytes(*DER)
    with pytest.raises(InvalidKey, match="exponent"):
        PublicKey(KeyType.RSA, data)


def test_the_data_is_of_the_type_announced(rsa_data: bytes) -> None:
    dsa_data = dsa.generate_private_key(1024).public_key().public_bytes(*DER)  # noqa: S505
    edwards = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*DER)
    for type_, data in (
        (KeyType.ECDSA, rsa_data),
        (KeyType.RSA, PublicKey.from_protobuf(vectors.ECDSA_PUBLIC).data),
        (KeyType.RSA, dsa_data),
        (KeyType.ECDSA, edwards),
    ):
        with pytest.raises(InvalidKey, match="not of the type"):
            PublicKey(type_, data)


def test_other_curves_are_refused() -> None:
    data = ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(*DER)
    with pytest.raises(InvalidKey, match="secp256k1"):
        PublicKey(KeyType.ECDSA, data)


def test_a_second_encoding_of_a_key_is_refused() -> None:
    private = ec.derive_private_key(7, ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    canonical = private.public_key().public_bytes(*DER)
    header = canonical[2 : canonical.index(b"\x03\x42\x00\x04")]
    compressed = b"\x30" + bytes([len(header) + 3 + len(point)]) + header + b"\x03\x22\x00" + point
    with pytest.raises(InvalidKey, match="canonical"):
        PublicKey(KeyType.ECDSA, compressed)


@given(
    st.binary(max_size=80)
    | st.builds(key_message, st.integers(0, 4), st.binary(max_size=80))
    | st.builds(
        lambda raw, at, byte: raw[: at % len(raw)] + bytes([byte]) + raw[at % len(raw) + 1 :],
        st.sampled_from([vectors.RSA_PUBLIC, vectors.ECDSA_PUBLIC, vectors.SECP256K1_PUBLIC]),
        st.integers(0, 600),
        st.integers(0, 255),
    )
)
def test_bytes_raise_only_what_is_documented(raw: bytes) -> None:
    try:
        key = PublicKey.from_protobuf(raw)
    except InvalidKey:
        return
    assert key.to_protobuf() == raw
    assert not key.verify(bytes(64), b"message")
