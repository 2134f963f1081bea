"""The invite code: every code comes back as it was, and every typing error is found and explained."""

from __future__ import annotations

import base64
import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InvalidCode
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.multibase import base32_encode
from warren.protocols.invite import code as codes
from warren.protocols.invite.code import InviteCode, fit
from warren.protocols.invite.proto import invite_pb2

ANNA = PrivateKey.from_seed(bytes(range(32))).peer_id
HOME = Multiaddr.parse("/ip4/192.168.1.20/tcp/4101")
SIX = Multiaddr.parse("/ip6/2001:db8::7/tcp/4101")
RELAY = Multiaddr.parse(f"/dns4/relay.example/tcp/4101/p2p/{ANNA}")
CODE = InviteCode(ANNA, (HOME, SIX), bytes(range(16)), (RELAY,))
TEXT = str(CODE)
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

addresses = st.builds(Multiaddr.tcp, st.ip_addresses().map(str), st.integers(1, 65535))


def code_of(message: invite_pb2.InviteCode) -> str:
    return text_of(message.SerializeToString())


def refusal(text: str) -> InvalidCode:
    with pytest.raises(InvalidCode) as caught:
        InviteCode.parse(text)
    assert caught.value.hint
    return caught.value


@given(
    seed=st.binary(min_size=32, max_size=32),
    secret=st.binary(min_size=16, max_size=16),
    where=st.lists(addresses, max_size=8, unique=True),
)
def test_a_code_comes_back_as_it_was(seed: bytes, secret: bytes, where: list[Multiaddr]) -> None:
    code = InviteCode(PrivateKey.from_seed(seed).peer_id, tuple(where), secret)
    assert InviteCode.parse(str(code)) == code


def test_a_code_survives_mail_and_shouting() -> None:
    mailed = "\n  ".join(TEXT[n : n + 20].upper() for n in range(0, len(TEXT), 20)) + "\n"
    assert InviteCode.parse(mailed) == CODE
    assert InviteCode.parse("-".join(TEXT[n : n + 8] for n in range(0, len(TEXT), 8))) == CODE


def test_a_code_is_short_and_says_nothing_secret_in_logs() -> None:
    assert len(str(InviteCode(ANNA, (HOME,), bytes(16)))) < 140
    assert CODE.secret.hex() not in repr(CODE)
    assert "secret" not in repr(CODE)


@pytest.mark.parametrize("text", ["", "hello", "warren", "warrenx234", "/ip4/127.0.0.1/tcp/4101", str(ANNA)])
def test_other_text_is_refused(text: str) -> None:
    assert "not an invite code" in str(refusal(text))
    assert "warren1" in refusal(text).hint


def test_a_newer_format_is_named() -> None:
    error = refusal("warren2" + TEXT[7:])
    assert "format 2" in str(error)
    assert "newest" in error.hint


def test_endless_text_is_refused_unread() -> None:
    assert "too long" in str(refusal("warren1" + "a" * 5000))
    assert "several" in str(refusal("warren1" + "a" * 2000))


@pytest.mark.parametrize(("typed", "meant"), [("0", "o"), ("1", "l or i"), ("8", "b"), ("9", "g")])
def test_a_foreign_character_is_named_with_its_place(typed: str, meant: str) -> None:
    error = refusal(TEXT[:30] + typed + TEXT[31:])
    assert f"{typed!r} does not occur" in str(error)
    assert "character 31" in str(error)
    assert meant in error.hint
    assert "perhaps" not in refusal(TEXT[:30] + "!" + TEXT[31:]).hint


@given(position=st.integers(7, len(TEXT) - 1), letter=st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found_and_located(position: int, letter: str) -> None:
    if letter == TEXT[position]:
        return
    error = refusal(TEXT[:position] + letter + TEXT[position + 1 :])
    assert "typing error" in str(error)
    assert f"{TEXT[position]!r}" in str(error)


def test_each_kind_of_single_error_is_described() -> None:
    at = next(n for n in range(40, 80) if len({TEXT[n - 1], TEXT[n], TEXT[n + 1], TEXT[n + 2]}) == 4)
    one, two = TEXT[at], TEXT[at + 1]
    other = next(letter for letter in ALPHABET if letter not in TEXT[at - 1 : at + 2])
    place = f"character {at + 1}"
    wrong = str(refusal(TEXT[:at] + other + TEXT[at + 1 :]))
    assert f"{other!r} should be {one!r} ({place}" in wrong
    assert f"{other!r} is too many ({place}" in str(refusal(TEXT[:at] + other + TEXT[at:]))
    assert f"{one!r} is missing ({place}" in str(refusal(TEXT[:at] + TEXT[at + 1 :]))
    assert f"{two + one!r} is swapped ({place}" in str(refusal(TEXT[:at] + two + one + TEXT[at + 2 :]))
    assert f"{TEXT[-1]!r} is missing at the end" in str(refusal(TEXT[:-1]))


def test_several_errors_and_cut_off_codes_are_found() -> None:
    for broken in (TEXT[: len(TEXT) // 2], "warren1", TEXT[:20] + "zz" + TEXT[22:40] + "qq" + TEXT[42:]):
        assert "incomplete or has several" in str(refusal(broken))


@given(st.text(max_size=80))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    for candidate in (text, "warren1" + text):
        with contextlib.suppress(InvalidCode):
            InviteCode.parse(candidate)


@given(st.binary(max_size=200))
def test_any_payload_under_a_right_checksum_is_a_code_or_refused(payload: bytes) -> None:
    text = "warren1" + base32_encode(payload + hashlib.sha256(b"warren1" + payload).digest()[:4])
    with contextlib.suppress(InvalidCode):
        InviteCode.parse(text)


def test_what_is_wrong_inside_is_named() -> None:
    anna, secret = ANNA.to_bytes(), bytes(16)
    assert "malformed" in str(refusal(code_of(invite_pb2.InviteCode(peer_id=b"?", secret=secret))))
    assert "16 bytes" in str(refusal(code_of(invite_pb2.InviteCode(peer_id=anna, secret=b"short"))))
    many = [Multiaddr.tcp("192.0.2.1", port).to_bytes() for port in range(1, 10)]
    for message, complaint in (
        (invite_pb2.InviteCode(peer_id=anna, secret=secret, addresses=many), "too many"),
        (invite_pb2.InviteCode(peer_id=anna, secret=secret, relays=many[:5]), "too many"),
        (invite_pb2.InviteCode(peer_id=anna, secret=secret, addresses=[b"\xff"]), "malformed"),
    ):
        assert complaint in str(refusal(code_of(message)))


def test_addresses_are_kept_until_they_no_longer_fit() -> None:
    many = [Multiaddr.tcp("192.0.2.1", port) for port in range(1, 20)]
    assert fit([HOME, HOME, SIX], 8, 256) == (HOME, SIX)
    assert fit(many, 8, 256) == tuple(many[:8])
    assert fit(many, 8, 2 * len(HOME.to_bytes()) + 1) == tuple(many[:2])
    long = [Multiaddr.parse(f"/dns4/{'a' * 60}{n}.{'b' * 60}.example/tcp/4101") for n in range(8)]
    full = InviteCode(ANNA, fit(long, 8, codes.ADDRESS_BYTES_MAX), bytes(16), fit([RELAY] * 9, 4, 256))
    assert InviteCode.parse(str(full)) == full


def test_a_code_with_parts_of_a_later_version_is_refused_and_not_read_by_half() -> None:
    payload = code_payload(TEXT)
    assert InviteCode.parse(text_of(payload)) == CODE
    for later in (b"\x28\x01", b"\x32\x03abc"):
        for changed in (payload + later, later + payload):
            error = refusal(text_of(changed))
            assert "does not know" in str(error)
            assert "newest" in error.hint


def code_payload(text: str) -> bytes:
    body = text.removeprefix("warren1").upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))[:-4]


def text_of(payload: bytes) -> str:
    return "warren1" + base32_encode(payload + hashlib.sha256(b"warren1" + payload).digest()[:4])
