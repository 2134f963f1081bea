from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.chunks import CUTS, bytewise, chop
from tests.network.fakes import MUXERS
from warren.core.errors import HandshakeFailed, PeerIdMismatch, PlaintextRefused
from warren.core.keys import PrivateKey
from warren.network.multistream import NOT_AVAILABLE, VERSION_LINE, encode_line
from warren.network.noise_security import HANDSHAKE_MESSAGE_BYTES_MAX, Noise
from warren.network.upgrade import Upgrade

ALICE = PrivateKey.from_seed(bytes([1]) * 32)
BOB = PrivateKey.from_seed(bytes([2]) * 32)
YAMUX = MUXERS[0]


class Side:
    """One end: an `Upgrade` that keeps what it did not use, as a socket does."""

    def __init__(
        self, key: PrivateKey, *, initiator: bool, muxers: tuple[str, ...] = MUXERS, expected: Any = None
    ) -> None:
        noise = Noise(key, key.seed, muxers)
        seed = bytes(31) + bytes([initiator])
        self.upgrade = Upgrade((noise,), MUXERS, seed, initiator=initiator, expected=expected)
        self.tail = b""

    def receive(self, chunk: bytes) -> None:
        data = self.tail + chunk
        if self.upgrade.secured is None:
            data = data[self.upgrade.receive(memoryview(data)) :]
        self.tail = data

    def take_output(self) -> bytes:
        return self.upgrade.take_output()


def alice(**options: Any) -> Side:
    return Side(ALICE, initiator=True, **options)


def bob(**options: Any) -> Side:
    return Side(BOB, initiator=False, **options)


def converse(a: Side, b: Side, cuts: list[int] | None = None) -> list[bytes]:
    """Carry bytes until both are quiet; returns what each said in turn."""
    said: list[bytes] = []
    while True:
        there, back = a.take_output(), b.take_output()
        if not there and not back:
            return said
        said += [there, back]
        for data, side in ((there, b), (back, a)):
            for chunk in bytewise(data) if cuts is None else chop(data, cuts):
                side.receive(chunk)


@given(st.none() | CUTS)
def test_both_sides_come_to_the_same_keys_in_any_chunking(cuts: list[int] | None) -> None:
    a, b = alice(expected=BOB.peer_id), bob()
    converse(a, b, cuts)
    one, other = a.upgrade.secured, b.upgrade.secured
    assert one is not None
    assert other is not None
    assert one.remote_key == BOB.public_key
    assert other.remote_key == ALICE.public_key
    assert a.upgrade.muxer == b.upgrade.muxer == YAMUX
    sealed, opened = memoryview(bytearray(22)), memoryview(bytearray(4))
    one.sealer.seal_into(bytearray(b"ping"), sealed)
    assert other.opener.open_next(sealed, 0, opened) == (22, opened)
    assert bytes(opened) == b"ping"
    other.sealer.seal_into(bytearray(b"pong"), sealed)
    assert one.opener.open_next(sealed, 0, opened) == (22, opened)
    assert bytes(opened) == b"pong"


def test_it_takes_two_round_trips_at_most() -> None:
    """The initiator's first flight holds the proposal and the first Noise message; its second the proof."""
    said = [flight for flight in converse(alice(), bob(), []) if flight]
    assert len(said) == 3
    assert said[0].startswith(VERSION_LINE + encode_line("/noise"))
    assert len(said[0]) == len(VERSION_LINE + encode_line("/noise")) + 2 + 32


def test_the_responder_says_nothing_first() -> None:
    assert bob().take_output() == b""


def test_sealed_data_behind_the_handshake_is_left_to_the_caller() -> None:
    a, b = alice(), bob()
    b.receive(a.take_output())
    a.receive(b.take_output())
    b.receive(a.take_output() + b"sealed data")
    assert b.upgrade.secured is not None
    assert b.tail == b"sealed data"


# ---------------------------------------------------------------- the muxer


@pytest.mark.parametrize(("ours", "theirs"), [(MUXERS, ()), ((), MUXERS), ((), ())])
def test_without_early_muxers_the_muxer_is_still_to_be_negotiated(
    ours: tuple[str, ...], theirs: tuple[str, ...]
) -> None:
    a, b = alice(muxers=ours), bob(muxers=theirs)
    converse(a, b, [])
    assert a.upgrade.secured is not None
    assert b.upgrade.secured is not None
    assert a.upgrade.muxer == (YAMUX if theirs else None)
    assert b.upgrade.muxer == (YAMUX if ours else None)


def test_our_muxer_is_found_among_several() -> None:
    a, b = alice(muxers=("/mplex/6.7.0", YAMUX)), bob(muxers=("/quic-mux/1", YAMUX))
    converse(a, b, [])
    assert a.upgrade.secured is not None
    assert b.upgrade.secured is not None
    assert a.upgrade.muxer == b.upgrade.muxer == YAMUX


@pytest.mark.parametrize("side", ["initiator", "responder"])
def test_no_muxer_in_common_is_an_error_that_names_what_the_peer_has(side: str) -> None:
    odd = ("/mplex/6.7.0", "/spdystream/1")
    a = alice(muxers=odd if side == "initiator" else MUXERS)
    b = bob(muxers=odd if side == "responder" else MUXERS)
    with pytest.raises(HandshakeFailed, match=r"the peer speaks /mplex/6\.7\.0, /spdystream/1"):
        converse(a, b, [])


# ---------------------------------------------------------------- who is refused


@pytest.mark.parametrize(
    "hello",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00" * 8],
    ids=["http", "tls", "ssh", "zeros"],
)
@pytest.mark.parametrize("make", [alice, bob])
def test_whoever_does_not_begin_as_libp2p_is_refused(make: Any, hello: bytes) -> None:
    with pytest.raises(PlaintextRefused, match="does not begin with a libp2p security handshake") as caught:
        make().receive(hello + bytes(1100))
    assert "plaintext is never accepted" in caught.value.hint


def test_plaintext_and_unknown_security_get_no_for_an_answer() -> None:
    side = bob()
    side.receive(VERSION_LINE + encode_line("/plaintext/2.0.0") + encode_line("/tls/1.0.0"))
    assert side.take_output() == VERSION_LINE + NOT_AVAILABLE * 2
    assert side.upgrade.secured is None


def test_a_peer_without_noise_is_given_up() -> None:
    side = alice()
    with pytest.raises(HandshakeFailed, match="does not speak /noise"):
        side.receive(VERSION_LINE + NOT_AVAILABLE)


def test_another_key_than_the_one_dialled_is_refused_before_our_identity_is_shown() -> None:
    a, b = alice(expected=ALICE.peer_id), bob()
    b.receive(a.take_output())
    answer = b.take_output()
    with pytest.raises(PeerIdMismatch):
        a.receive(answer)
    assert a.take_output() == b""


@pytest.mark.parametrize("make", [alice, bob])
def test_a_long_handshake_message_is_refused_by_its_length_alone(make: Any) -> None:
    side = make()
    side.receive(VERSION_LINE + encode_line("/noise"))
    with pytest.raises(HandshakeFailed, match="16385 bytes is too long"):
        side.receive((HANDSHAKE_MESSAGE_BYTES_MAX + 1).to_bytes(2, "big"))


def test_no_more_is_held_of_a_handshake_than_one_message() -> None:
    side = bob()
    side.receive(VERSION_LINE + encode_line("/noise") + HANDSHAKE_MESSAGE_BYTES_MAX.to_bytes(2, "big"))
    side.receive(bytes(HANDSHAKE_MESSAGE_BYTES_MAX - 1))
    assert len(side.tail) == 2 + HANDSHAKE_MESSAGE_BYTES_MAX - 1


@given(st.booleans(), st.booleans(), st.binary(max_size=300), CUTS)
def test_arbitrary_bytes_raise_only_documented_errors_in_any_chunking(
    initiates: bool, agreed: bool, junk: bytes, cuts: list[int]
) -> None:
    sent = VERSION_LINE + encode_line("/noise") + junk if agreed else junk

    def verdict(chunks: list[bytes]) -> str:
        side = alice() if initiates else bob()
        try:
            for chunk in chunks:
                side.receive(chunk)
        except HandshakeFailed as error:
            return type(error).__name__
        assert side.upgrade.secured is None
        return "waits"

    expected = verdict([sent])
    assert verdict(chop(sent, cuts)) == expected
    assert verdict(bytewise(sent)) == expected
