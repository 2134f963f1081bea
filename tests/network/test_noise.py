"""Noise XX: published vectors, the libp2p payload, and what a thief, a liar or a broken link may do.

The vectors are those of cacophony and snow for `Noise_XX_25519_ChaChaPoly_SHA256`; `vectors/noise_xx.json`
names the sources. They use a prologue, payloads of their own and no libp2p identity, so `Scripted` puts those
in place.
"""

from __future__ import annotations

import contextlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import HandshakeFailed, MisuseError, PeerIdMismatch, ProtocolViolation
from warren.core.keys import KeyType, PrivateKey, PublicKey
from warren.network.ciphers import (
    AES_256_GCM,
    AES_256_GCM_ID,
    CHACHA20_POLY1305,
    NONCE_MAX,
    PLAINTEXT_BYTES_MAX,
    Opener,
    Sealer,
)
from warren.network.noise import (
    MUXERS_MAX,
    SIGNED_PREFIX,
    Handshake,
    StaticKey,
    _Symmetric,
    frame,
)
from warren.network.proto.noise_pb2 import NoiseHandshakePayload

if TYPE_CHECKING:
    from warren.network.ciphers import Cipher

VECTORS = json.loads((Path(__file__).parent / "vectors" / "noise_xx.json").read_text())

ALICE = PrivateKey.from_seed(bytes([1]) * 32)
BOB = PrivateKey.from_seed(bytes([2]) * 32)
EVE = PrivateKey.from_seed(bytes([3]) * 32)
ALICE_STATIC = StaticKey(ALICE, bytes([11]) * 32, ("/yamux/1.0.0",))
BOB_STATIC = StaticKey(BOB, bytes([12]) * 32, ("/yamux/1.0.0", "/mplex/6.7.0"))

# Points whose multiples are few: a shared secret with them is all zeros (RFC 7748, section 6.1).
LOW_ORDER_POINTS = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


def unframe(framed: bytes) -> bytes:
    size = int.from_bytes(framed[:2], "big")
    assert len(framed) == 2 + size
    return framed[2:]


def alice(expected: PrivateKey | None = None, seed: int = 21) -> Handshake:
    peer = expected.peer_id if expected else None
    return Handshake(ALICE_STATIC, bytes([seed]) * 32, initiator=True, expected=peer)


def bob(expected: PrivateKey | None = None, static: Any = BOB_STATIC, seed: int = 22) -> Handshake:
    peer = expected.peer_id if expected else None
    return Handshake(static, bytes([seed]) * 32, initiator=False, expected=peer)


def shake(initiator: Handshake, responder: Handshake) -> list[bytes]:
    """Carry the three messages over; returns them without their length."""
    assert responder.start() == b""
    first = unframe(initiator.start())
    second = unframe(responder.receive(first))
    third = unframe(initiator.receive(second))
    assert responder.receive(third) == b""
    return [first, second, third]


def seal(sealer: Sealer, plaintext: bytes) -> bytes:
    """The message on the link, without its length."""
    out = bytearray(len(plaintext) + sealer.overhead_bytes)
    sealer.seal_into(memoryview(plaintext), memoryview(out))
    return unframe(bytes(out))


def open_(opener: Opener, sealed: bytes) -> bytes:
    data = frame(sealed)
    out = memoryview(bytearray(len(data)))
    end, plaintext = opener.open_next(memoryview(data), 0, out)
    assert end == len(data)
    return bytes(plaintext)


# ---------------------------------------------------------------- published vectors


class BareKey:
    """What a handshake wants of a `StaticKey`, without an identity."""

    def __init__(self, private: str, payload: str) -> None:
        self.private = X25519PrivateKey.from_private_bytes(bytes.fromhex(private))
        self.public = self.private.public_key().public_bytes_raw()
        self.payload = bytes.fromhex(payload)
        self.prefers_aes = False


class Scripted(Handshake):
    """A handshake with the prologue and the payloads of a vector."""

    def __init__(self, vector: dict[str, Any], *, initiator: bool) -> None:
        side, own = ("init", 2) if initiator else ("resp", 1)
        static: Any = BareKey(vector[f"{side}_static"], vector["messages"][own]["payload"])
        super().__init__(static, bytes.fromhex(vector[f"{side}_ephemeral"]), initiator=initiator)
        self._symmetric = _Symmetric(bytes.fromhex(vector[f"{side}_prologue"]))
        self.first_payload = bytes.fromhex(vector["messages"][0]["payload"])
        self.met: list[bytes] = []

    def start(self) -> bytes:
        return frame(self._send_ephemeral() + self._symmetric.encrypt(self.first_payload))

    def _take_payload(self, payload: bytes, remote_static: bytes) -> None:
        self.met += [payload, remote_static]


@pytest.mark.parametrize("vector", VECTORS, ids=[v["source"].split("/")[4].split(" ")[0] for v in VECTORS])
def test_published_vectors(vector: dict[str, Any]) -> None:
    messages = [(bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]]
    initiator, responder = Scripted(vector, initiator=True), Scripted(vector, initiator=False)
    first = unframe(initiator.start())
    assert first == messages[0][1]
    second = unframe(responder.receive(first))
    assert second == messages[1][1]
    third = unframe(initiator.receive(second))
    assert third == messages[2][1]
    responder.receive(third)
    assert initiator.met == [messages[1][0], responder._static.public]
    assert responder.met == [messages[2][0], initiator._static.public]
    if "handshake_hash" in vector:
        assert initiator._symmetric.hash.hex() == responder._symmetric.hash.hex() == vector["handshake_hash"]

    # After three messages of the handshake the responder speaks first.
    ends = [responder.split(), initiator.split()]
    for number, (payload, ciphertext) in enumerate(messages[3:]):
        (sealer, _), (_, opener) = ends[number % 2], ends[1 - number % 2]
        assert seal(sealer, payload) == ciphertext
        assert open_(opener, ciphertext) == payload


def test_there_are_vectors() -> None:
    assert len(VECTORS) == 2


# ---------------------------------------------------------------- what an honest handshake yields


def test_both_sides_learn_who_the_other_is_and_what_it_speaks() -> None:
    initiator, responder = alice(BOB), bob(ALICE)
    shake(initiator, responder)
    assert initiator.done
    assert responder.done
    assert initiator.remote_key == BOB.public_key
    assert responder.remote_key == ALICE.public_key
    assert initiator.remote_muxers == ("/yamux/1.0.0", "/mplex/6.7.0")
    assert responder.remote_muxers == ("/yamux/1.0.0",)


def test_the_responder_may_expect_nobody() -> None:
    initiator, responder = alice(), bob()
    shake(initiator, responder)
    assert responder.remote_key == ALICE.public_key


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=10))
def test_messages_open_on_the_other_side_in_both_directions(script: list[tuple[bool, bytes]]) -> None:
    initiator, responder = alice(), bob()
    shake(initiator, responder)
    ends = [initiator.split(), responder.split()]
    for from_responder, plaintext in script:
        sealer, opener = ends[from_responder][0], ends[not from_responder][1]
        assert open_(opener, seal(sealer, plaintext)) == plaintext


def test_the_largest_message_passes() -> None:
    initiator, responder = alice(), bob()
    shake(initiator, responder)
    plaintext = bytes(PLAINTEXT_BYTES_MAX)
    sealed = seal(initiator.split()[0], plaintext)
    assert len(sealed) == 65535
    assert open_(responder.split()[1], sealed) == plaintext


def test_the_identity_is_not_sent_before_the_responder_showed_its_own() -> None:
    messages = shake(alice(BOB), bob())
    assert ALICE.public_key.to_protobuf() not in b"".join(messages)
    assert BOB.public_key.to_protobuf() not in b"".join(messages)
    assert len(messages[0]) == 32


def test_more_muxers_than_anybody_has_are_not_kept() -> None:
    names = tuple(f"/mux/{n}" for n in range(MUXERS_MAX + 5))
    initiator = alice()
    shake(initiator, bob(static=StaticKey(BOB, bytes([12]) * 32, names)))
    assert initiator.remote_muxers == names[:MUXERS_MAX]


# ---------------------------------------------------------------- identities


def signed_payload(key: PublicKey, signature: bytes) -> bytes:
    message = NoiseHandshakePayload(identity_key=key.to_protobuf(), identity_sig=signature)
    return message.SerializeToString()


def with_payload(payload: bytes) -> Any:
    static = BareKey("0c" * 32, "")
    static.payload = payload
    return static


def foreign_identities() -> list[Any]:
    """A public key and the signature over the Noise key for each type that others use."""
    message = SIGNED_PREFIX + BareKey("0c" * 32, "").public
    spki, der = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding.DER
    rsa_key = rsa.generate_private_key(65537, 2048)
    ecdsa_key = ec.generate_private_key(ec.SECP256R1())
    secp_key = ec.generate_private_key(ec.SECP256K1())
    point = secp_key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    sha = hashes.SHA256()
    return [
        (
            KeyType.RSA,
            rsa_key.public_key().public_bytes(der, spki),
            rsa_key.sign(message, padding.PKCS1v15(), sha),
        ),
        (
            KeyType.ECDSA,
            ecdsa_key.public_key().public_bytes(der, spki),
            ecdsa_key.sign(message, ec.ECDSA(sha)),
        ),
        (KeyType.SECP256K1, point, secp_key.sign(message, ec.ECDSA(sha))),
    ]


def test_identities_of_every_key_type_are_accepted_when_they_signed_the_noise_key() -> None:
    for kind, data, signature in foreign_identities():
        key = PublicKey(kind, data)
        initiator = alice()
        shake(initiator, bob(static=with_payload(signed_payload(key, signature))))
        assert initiator.remote_key == key
        flipped = signature[:-1] + bytes([signature[-1] ^ 1])
        with pytest.raises(HandshakeFailed, match="did not sign"):
            shake(alice(), bob(static=with_payload(signed_payload(key, flipped))))


def test_another_peer_than_the_one_dialled_is_refused_and_both_are_named() -> None:
    initiator, responder = alice(EVE), bob()
    second = unframe(responder.receive(unframe(initiator.start())))
    with pytest.raises(PeerIdMismatch) as caught:
        initiator.receive(second)
    assert caught.value.expected == str(EVE.peer_id)
    assert caught.value.actual == str(BOB.peer_id)
    assert not initiator.done


def test_a_responder_that_expects_someone_refuses_others() -> None:
    with pytest.raises(PeerIdMismatch):
        shake(alice(), bob(EVE))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "identity key is unusable"),
        (b"\xff\xff", "malformed"),
        (signed_payload(BOB.public_key, b""), "did not sign"),
        (signed_payload(BOB.public_key, EVE.sign(b"anything")), "did not sign"),
        (signed_payload(BOB.public_key, BOB.sign(SIGNED_PREFIX + bytes(32))), "did not sign"),
        (signed_payload(BOB.public_key, BOB.sign(BOB_STATIC.public)), "did not sign"),
        (NoiseHandshakePayload(identity_key=b"\x08\x09\x12\x00").SerializeToString(), "unusable"),
    ],
)
def test_a_payload_that_proves_nothing_is_refused_by_either_side(payload: bytes, reason: str) -> None:
    with pytest.raises(HandshakeFailed, match=reason):
        shake(alice(), bob(static=with_payload(payload)))
    impostor = Handshake(with_payload(payload), bytes([21]) * 32, initiator=True)
    with pytest.raises(HandshakeFailed, match=reason):
        shake(impostor, bob())


def test_someone_elses_proof_is_worth_nothing_for_another_noise_key() -> None:
    """Eve saw Bob's payload in a handshake of her own and shows it with her own Noise key."""
    static = BareKey("0d" * 32, BOB_STATIC.payload.hex())
    with pytest.raises(HandshakeFailed, match="did not sign"):
        shake(alice(BOB), bob(static=static))


# ---------------------------------------------------------------- tampering


@given(st.integers(0, 2), st.integers(0, 10_000), st.integers(0, 7))
def test_a_changed_bit_anywhere_in_the_handshake_ends_it(number: int, position: int, bit: int) -> None:
    initiator, responder = alice(), bob()

    def carry(message: bytes, current: int) -> bytes:
        if current != number:
            return message
        changed = bytearray(message)
        changed[position % len(changed)] ^= 1 << bit
        return bytes(changed)

    with pytest.raises(HandshakeFailed):
        carry_over(initiator, responder, carry)
    assert not (initiator.done and responder.done)


def carry_over(initiator: Handshake, responder: Handshake, carry: Any) -> None:
    second = responder.receive(carry(unframe(initiator.start()), 0))
    third = initiator.receive(carry(unframe(second), 1))
    responder.receive(carry(unframe(third), 2))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_truncation_of_a_handshake_message_is_refused(number: int) -> None:
    messages = shake(alice(), bob())
    for size in range(len(messages[number])):
        initiator, responder = alice(), bob()
        cut = messages[number][:size]
        with pytest.raises(HandshakeFailed):
            carry_over(initiator, responder, lambda m, n, cut=cut: cut if n == number else m)


@pytest.mark.parametrize("number", [1, 2])
def test_trailing_bytes_in_a_handshake_message_are_refused(number: int) -> None:
    with pytest.raises(HandshakeFailed, match="tampered"):
        carry_over(alice(), bob(), lambda m, n: m + b"\0" if n == number else m)


@given(st.booleans(), st.booleans(), st.binary(max_size=300))
def test_arbitrary_messages_raise_only_documented_errors(initiates: bool, late: bool, junk: bytes) -> None:
    machine = alice() if initiates else bob()
    machine.start()
    if late and not initiates:
        machine.receive(unframe(alice().start()))
    with contextlib.suppress(HandshakeFailed):
        machine.receive(junk)
    assert not machine.done


@pytest.mark.parametrize("point", LOW_ORDER_POINTS)
def test_low_order_points_are_refused_wherever_they_may_stand(point: str) -> None:
    low = bytes.fromhex(point)
    with pytest.raises(HandshakeFailed, match="unusable public key"):
        bob().receive(low)
    initiator = alice()
    initiator.start()
    with pytest.raises(HandshakeFailed, match="unusable public key"):
        initiator.receive(low + bytes(200))

    def lowly() -> Any:
        """A key pair of which the public half is the low-order point, duly signed."""
        static: Any = BareKey("0c" * 32, "")
        static.public = low
        static.payload = signed_payload(BOB.public_key, BOB.sign(SIGNED_PREFIX + low))
        return static

    with pytest.raises(HandshakeFailed, match="unusable public key"):
        shake(alice(), bob(static=lowly()))
    with pytest.raises(HandshakeFailed, match="unusable public key"):
        shake(Handshake(lowly(), bytes([21]) * 32, initiator=True), bob())


def test_a_replayed_handshake_is_refused() -> None:
    """Everything that Alice once said is said again; Bob's ephemeral key is fresh."""
    first, second, third = shake(alice(), bob(seed=22))
    fresh = bob(seed=23)
    fresh.receive(first)
    with pytest.raises(HandshakeFailed, match="tampered"):
        fresh.receive(third)
    again = alice(seed=24)
    again.start()
    with pytest.raises(HandshakeFailed, match="tampered"):
        again.receive(second)


# ---------------------------------------------------------------- which cipher is used

BOTH_CIPHERS = pytest.mark.parametrize("cipher", [CHACHA20_POLY1305, AES_256_GCM], ids=["chacha", "aes"])


def ends(ours: bool, theirs: bool) -> tuple[Handshake, Handshake]:
    """Both sides of a finished handshake: which of them prefers AES."""
    mine, other = (
        StaticKey(identity, bytes([seed]) * 32, (), prefers_aes=prefers)
        for identity, seed, prefers in ((ALICE, 11, ours), (BOB, 12, theirs))
    )
    sides = Handshake(mine, bytes([21]) * 32, initiator=True), bob(static=other)
    shake(*sides)
    return sides


@pytest.mark.parametrize(("ours", "theirs"), [(False, False), (True, False), (False, True)])
def test_messages_are_sealed_as_all_of_libp2p_does_unless_both_prefer_aes(ours: bool, theirs: bool) -> None:
    initiator, responder = ends(ours, theirs)
    for sender, receiver, key in zip(
        (initiator, responder), (responder, initiator), initiator._symmetric.split(), strict=True
    ):
        sealed = seal(sender.split()[0], b"hello")
        assert sealed == ChaCha20Poly1305(key).encrypt(bytes(12), b"hello", None)
        assert open_(receiver.split()[1], sealed) == b"hello"


def test_two_that_prefer_aes_use_it_under_keys_of_its_own() -> None:
    initiator, responder = ends(True, True)
    for sender, receiver, shared in zip(
        (initiator, responder), (responder, initiator), initiator._symmetric.split(), strict=True
    ):
        key = hmac.digest(shared, b"/warren/noise/aes-256-gcm/1.0.0", "sha256")
        sealer, opener = sender.split()[0], receiver.split()[1]
        for number in range(300):  # past one byte of the counter, so that the order of its bytes shows
            sealed = seal(sealer, b"hello")
            assert sealed == AESGCM(key).encrypt(number.to_bytes(12, "big"), b"hello", None)
            assert open_(opener, sealed) == b"hello"


@pytest.mark.parametrize(
    ("others", "aes"),
    [([b"aes-256-gcm"], False), ([b"\xff"] * 400, False), ([b"", b"\xff", AES_256_GCM_ID], True)],
)
def test_what_others_try_under_the_same_number_does_no_harm(others: list[bytes], aes: bool) -> None:
    message = NoiseHandshakePayload.FromString(BOB_STATIC.payload)
    message.extensions.transport_ciphers.extend(others)
    initiator = Handshake(
        StaticKey(ALICE, bytes([11]) * 32, (), prefers_aes=True), bytes([21]) * 32, initiator=True
    )
    static = BareKey("0c" * 32, message.SerializeToString().hex())
    shake(initiator, bob(static=static))
    key = initiator._symmetric.split()[0]
    chacha = ChaCha20Poly1305(key).encrypt(bytes(12), b"hello", None)
    assert (seal(initiator.split()[0], b"hello") != chacha) == aes


@pytest.mark.parametrize("each", [1, 3])
@BOTH_CIPHERS
def test_a_key_is_changed_before_it_has_sealed_too_much(cipher: Cipher, each: int) -> None:
    quick = replace(cipher, messages_per_key=each)
    sealer, opener = Sealer(b"k" * 32, quick), Opener(b"k" * 32, quick)
    keys = [quick.key_of(b"k" * 32)]
    for number in range(10):
        if number and number % each == 0:
            last = quick.nonce.pack(2**64 - 1)
            keys.append(quick.aead(keys[-1]).encrypt(last, bytes(32), None)[:32])
        sealed = seal(sealer, b"hello")
        assert sealed == quick.aead(keys[-1]).encrypt(quick.nonce.pack(number), b"hello", None)
        assert open_(opener, sealed) == b"hello"
    assert len({*keys}) == len(keys)


@pytest.mark.parametrize(
    ("theirs", "ours", "opened"),
    [
        (CHACHA20_POLY1305, AES_256_GCM, 0),
        (AES_256_GCM, CHACHA20_POLY1305, 0),
        (replace(AES_256_GCM, messages_per_key=4), replace(AES_256_GCM, messages_per_key=3), 3),
    ],
    ids=["says it and does not", "does it unasked", "keeps its key"],
)
def test_nothing_opens_where_the_other_seals_in_another_way(
    theirs: Cipher, ours: Cipher, opened: int
) -> None:
    sealer, opener = Sealer(b"k" * 32, theirs), Opener(b"k" * 32, ours)
    for _ in range(opened):
        open_(opener, seal(sealer, b"hello"))
    with pytest.raises(ProtocolViolation, match="tampered"):
        open_(opener, seal(sealer, b"hello"))


def test_aes_changes_its_key_where_tls_would() -> None:
    blocks = 2**24.5 * 2**14 / 16  # RFC 8446, section 5.5: records of 16 KiB
    assert AES_256_GCM.messages_per_key * (PLAINTEXT_BYTES_MAX / 16) <= blocks
    assert AES_256_GCM.messages_per_key * 2 * (PLAINTEXT_BYTES_MAX / 16) > blocks


# ---------------------------------------------------------------- sealed messages


def ciphers(cipher: Cipher = CHACHA20_POLY1305) -> tuple[Sealer, Opener]:
    return Sealer(b"k" * 32, cipher), Opener(b"k" * 32, cipher)


@BOTH_CIPHERS
@given(st.binary(max_size=100), st.integers(0, 200), st.integers(0, 7))
def test_a_changed_bit_in_a_sealed_message_is_found(
    cipher: Cipher, plaintext: bytes, position: int, bit: int
) -> None:
    sealer, opener = ciphers(cipher)
    sealed = bytearray(seal(sealer, plaintext))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(ProtocolViolation, match="tampered"):
        open_(opener, bytes(sealed))


@pytest.mark.parametrize(
    "order", [[0, 0], [1], [1, 0], [0, 2]], ids=["repeated", "dropped", "swapped", "gap"]
)
@BOTH_CIPHERS
def test_a_message_out_of_its_place_does_not_open(cipher: Cipher, order: list[int]) -> None:
    sealer, opener = ciphers(cipher)
    sealed = [seal(sealer, bytes([n])) for n in range(3)]
    for number in order[:-1]:
        if number == order[0] == 0:
            open_(opener, sealed[number])
    if order[0] != 0:
        order = order[:1]
    with pytest.raises(ProtocolViolation):
        open_(opener, sealed[order[-1]])


@BOTH_CIPHERS
def test_equal_plaintexts_look_different(cipher: Cipher) -> None:
    sealer, _ = ciphers(cipher)
    assert seal(sealer, b"same") != seal(sealer, b"same")


@BOTH_CIPHERS
def test_the_last_nonce_is_used_and_none_after_it(cipher: Cipher) -> None:
    sealer, opener = ciphers(cipher)
    sealer._counter = opener._counter = NONCE_MAX
    assert open_(opener, seal(sealer, b"last")) == b"last"
    with pytest.raises(MisuseError, match="nonce is used up"):
        seal(sealer, b"one more")
    with pytest.raises(ProtocolViolation, match="used up its nonces"):
        open_(opener, bytes(20))


def test_the_length_goes_before_a_handshake_message() -> None:
    assert frame(b"") == b"\0\0"
    assert frame(b"x" * 300) == b"\x01\x2c" + b"x" * 300
