"""What every `Security` must do. Subclass `SecurityConformance`, make one, and the tests run.

Both roles are driven as `Upgrade` and `Socket` drive them: what a machine did not use is given to it again
with what comes next. The handshake runs without multistream around it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.network.chunks import CUTS, bytewise, chop
from warren.core.errors import HandshakeFailed, PeerIdMismatch, ProtocolViolation
from warren.core.keys import PrivateKey
from warren.network.security import MESSAGE_BYTES_MAX, SEED_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.network.security import Handshake, Opener, Sealer, Security

ALICE = PrivateKey.from_seed(bytes([1]) * 32)
BOB = PrivateKey.from_seed(bytes([2]) * 32)
MUXERS = ("/a/1", "/b/1")
FLIGHTS_MAX = 10
of_any = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow])
"""Each subclass runs the same property over its own protocol."""


class Side:
    """One end of a handshake."""

    def __init__(
        self, security: Security, seed: int, *, initiator: bool, expected: PeerId | None = None
    ) -> None:
        chance = bytes([seed]) * SEED_BYTES
        self.handshake: Handshake = security.handshake(chance, initiator=initiator, expected=expected)
        self.tail = b""

    def receive(self, chunk: bytes) -> None:
        data = self.tail + chunk
        if not self.handshake.done:
            data = data[self.handshake.receive(memoryview(data)) :]
        self.tail = data

    def take_output(self) -> bytes:
        return self.handshake.take_output()


def seal(sealer: Sealer, plaintext: bytes) -> bytes:
    out = bytearray(len(plaintext) + sealer.overhead_bytes)
    sealer.seal_into(bytearray(plaintext), memoryview(out))
    return bytes(out)


class Reading:
    """What a socket does with sealed bytes."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._tail = b""
        self.messages: list[bytes] = []

    def receive(self, chunk: bytes) -> None:
        data, pos = memoryview(self._tail + chunk), 0
        out = memoryview(bytearray(MESSAGE_BYTES_MAX))
        while pos < len(data):
            end, plaintext = self._opener.open_next(data, pos, out)
            if end == pos:
                break
            pos = end
            self.messages.append(bytes(plaintext))
        self._tail = bytes(data[pos:])


def flipped(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


class SecurityConformance:
    """The suite."""

    def security(self, identity: PrivateKey, seed: bytes, muxers: tuple[str, ...]) -> Security:
        """The protocol under test, of a node with this identity."""
        raise NotImplementedError

    def alice(self, *, expected: PeerId | None = None, seed: int = 3) -> Side:
        security = self.security(ALICE, bytes([11]) * SEED_BYTES, MUXERS)
        return Side(security, seed, initiator=True, expected=expected)

    def bob(self, *, expected: PeerId | None = None, seed: int = 4) -> Side:
        security = self.security(BOB, bytes([12]) * SEED_BYTES, MUXERS)
        return Side(security, seed, initiator=False, expected=expected)

    def converse(
        self, a: Side, b: Side, cut: Callable[[bytes], list[bytes]] = lambda data: [data]
    ) -> list[bytes]:
        """Carry bytes until both are quiet; the flights, beginning with the initiator's."""
        flights: list[bytes] = []
        for _ in range(FLIGHTS_MAX):
            for source, target in ((a, b), (b, a)):
                flights.append(source.take_output())
                for chunk in cut(flights[-1]):
                    target.receive(chunk)
        return flights

    def pair(self) -> tuple[tuple[Sealer, Opener], tuple[Sealer, Opener]]:
        a, b = self.alice(), self.bob()
        self.converse(a, b)
        return a.handshake.split(), b.handshake.split()

    # ------------------------------------------------------------ the handshake

    @of_any
    @given(st.none() | CUTS)
    def test_both_sides_prove_their_keys_in_any_chunking(self, cuts: list[int] | None) -> None:
        a, b = self.alice(expected=BOB.peer_id), self.bob(expected=ALICE.peer_id)
        self.converse(a, b, lambda data: bytewise(data) if cuts is None else chop(data, cuts))
        assert a.handshake.done
        assert b.handshake.done
        assert a.handshake.remote_key == BOB.public_key
        assert b.handshake.remote_key == ALICE.public_key
        assert (a.tail, b.tail) == (b"", b"")

    def test_the_initiator_speaks_first(self) -> None:
        assert self.alice().take_output()
        assert self.bob().take_output() == b""

    def test_muxers_are_named_whole_and_in_order_or_not_at_all(self) -> None:
        a, b = self.alice(), self.bob()
        self.converse(a, b)
        for side in (a, b):
            assert side.handshake.remote_muxers in ((), MUXERS)

    @pytest.mark.parametrize("by", ["initiator", "responder"])
    def test_another_key_than_the_expected_one_is_refused(self, by: str) -> None:
        a = self.alice(expected=ALICE.peer_id if by == "initiator" else None)
        b = self.bob(expected=BOB.peer_id if by == "responder" else None)
        with pytest.raises(PeerIdMismatch):
            self.converse(a, b)
        deceived = a if by == "initiator" else b
        assert not deceived.handshake.done
        assert deceived.take_output() == b""

    @of_any
    @given(st.integers(0, FLIGHTS_MAX), st.integers(0))
    def test_a_handshake_that_was_tampered_with_does_not_succeed(self, flight: int, at: int) -> None:
        sent = [data for data in self.converse(self.alice(), self.bob()) if data]
        target, a, b = sent[flight % len(sent)], self.alice(), self.bob()
        try:
            self.converse(a, b, lambda data: [flipped(data, at) if data == target else data])
        except HandshakeFailed:
            return
        assert not (a.handshake.done and b.handshake.done)

    @of_any
    @given(st.integers(0, FLIGHTS_MAX), st.integers(1))
    def test_a_truncated_handshake_waits_for_the_rest(self, flight: int, size: int) -> None:
        sent = [data for data in self.converse(self.alice(), self.bob()) if data]
        target, a, b = sent[flight % len(sent)], self.alice(), self.bob()
        self.converse(a, b, lambda data: [data[: size % len(target)] if data == target else data])
        assert not (a.handshake.done and b.handshake.done)

    def test_a_replayed_handshake_does_not_succeed(self) -> None:
        flights = self.converse(self.alice(), self.bob())
        victim = self.bob(seed=5)
        with pytest.raises(HandshakeFailed):  # noqa: PT012 - which of the flights is refused is its own affair
            for flight in flights[::2]:
                victim.receive(flight)
        assert not victim.handshake.done

    @of_any
    @given(st.binary(max_size=200), CUTS)
    def test_arbitrary_bytes_raise_only_documented_errors(self, junk: bytes, cuts: list[int]) -> None:
        for side in (self.alice(), self.bob()):
            try:
                for chunk in chop(junk, cuts):
                    side.receive(chunk)
            except HandshakeFailed:
                continue
            assert not side.handshake.done

    def test_what_follows_the_handshake_is_left_alone(self) -> None:
        """No early data: bytes behind the last message are of no concern to the handshake."""
        a, b = self.alice(), self.bob()
        last = max(n for n, flight in enumerate(self.converse(self.alice(), self.bob())) if flight)
        for number in range(last):
            source, target = (a, b) if number % 2 == 0 else (b, a)
            target.receive(source.take_output())
        source, target = (a, b) if last % 2 == 0 else (b, a)
        target.receive(source.take_output() + b"sealed later")
        assert target.handshake.done
        assert target.tail == b"sealed later"

    # ------------------------------------------------------------ messages

    def test_messages_of_every_size_go_both_ways(self) -> None:
        (sealer_a, opener_a), (sealer_b, opener_b) = self.pair()
        most = sealer_a.plaintext_bytes_max
        assert most + sealer_a.overhead_bytes <= MESSAGE_BYTES_MAX
        texts = [bytes([n % 251]) * size for n, size in enumerate((1, 2, most - 1, most, 3))]
        for sealer, opener in ((sealer_a, opener_b), (sealer_b, opener_a)):
            reading = Reading(opener)
            for text in texts:
                message = seal(sealer, text)
                assert text not in message or len(text) < 8
                reading.receive(message)
            assert reading.messages == texts

    @of_any
    @given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), CUTS)
    def test_messages_arrive_the_same_in_any_chunking(self, texts: list[bytes], cuts: list[int]) -> None:
        (sealer, _), (_, opener) = self.pair()
        reading = Reading(opener)
        for chunk in chop(b"".join(seal(sealer, text) for text in texts), cuts):
            reading.receive(chunk)
        assert reading.messages == texts

    @of_any
    @given(st.integers(0))
    def test_a_message_that_was_changed_yields_nothing(self, at: int) -> None:
        (sealer, _), (_, opener) = self.pair()
        reading = Reading(opener)
        message = flipped(seal(sealer, b"a message"), at)
        with contextlib.suppress(ProtocolViolation):  # or it waits for bytes that never come
            reading.receive(message + seal(sealer, b"and the next"))
        assert reading.messages == []

    @pytest.mark.parametrize("what", ["replayed", "dropped", "swapped", "reflected"])
    def test_a_message_out_of_its_place_is_a_violation(self, what: str) -> None:
        (sealer, own), (_, opener) = self.pair()
        first, second, third = (seal(sealer, text) for text in (b"one", b"two", b"three"))
        reading = Reading(own if what == "reflected" else opener)
        sent = {
            "replayed": (first, first),
            "dropped": (first, third),
            "swapped": (second, first),
            "reflected": (first,),
        }[what]
        with pytest.raises(ProtocolViolation):
            reading.receive(b"".join(sent))
        assert reading.messages in ([], [b"one"])
