"""The proof: both sides agree if they know the same code, as the same two peers, and else on nothing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import spake2
from hypothesis import given, settings
from hypothesis import strategies as st
from spake2.ed25519_group import Ed25519Group

from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.peer_id import PeerId
from warren.protocols.send.pake import CONFIRMATION_BYTES, SHARE_BYTES, ReceiverSide, SenderSide

if TYPE_CHECKING:
    from collections.abc import Callable

ANNA, BEN, EVE = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(3))
Pair = tuple[PeerId, PeerId]
CODE = b"4071-guitar-cross"


def chance(seed: int) -> Callable[[int], bytes]:
    numbers = itertools.count(seed)
    return lambda count: bytes(next(numbers) % 256 for _ in range(count))


def run(receiver: ReceiverSide, sender: SenderSide) -> tuple[bool, bool]:
    """Exchange shares; whether each side believes the other's confirmation."""
    receiver.finish(sender.share)
    sender.finish(receiver.share)
    from_receiver = sender.confirms(receiver.confirm(b""), b"")
    return from_receiver, receiver.confirms(sender.confirm(b"offer"), b"offer")


def sides(
    received: bytes = CODE, sent: bytes = CODE, *, meant: Pair = (ANNA, BEN), met: Pair = (ANNA, BEN)
) -> tuple[ReceiverSide, SenderSide]:
    return ReceiverSide(received, *meant, chance(1)), SenderSide(sent, *met, chance(2))


def test_who_knows_the_same_code_agrees() -> None:
    receiver, sender = sides()
    assert len(receiver.share) == len(sender.share) == SHARE_BYTES
    assert run(receiver, sender) == (True, True)
    assert len(sender.confirm(b"")) == CONFIRMATION_BYTES


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=20), st.binary(max_size=20))
def test_any_other_code_is_noticed_on_both_sides(one: bytes, other: bytes) -> None:
    assert run(*sides(one, other)) == (one == other, one == other)


def test_a_run_with_one_peer_is_worth_nothing_with_another() -> None:
    """Somebody in the middle passes on what Anna and Ben say, each of whom has met Eve."""
    assert run(*sides(meant=(ANNA, EVE), met=(EVE, BEN))) == (False, False)
    assert run(*sides(meant=(ANNA, EVE), met=(ANNA, BEN))) == (False, False)
    assert run(*sides(meant=(BEN, ANNA), met=(ANNA, BEN))) == (False, False)  # the other way round


def test_what_is_said_with_a_confirmation_is_covered_by_it() -> None:
    receiver, sender = sides()
    run(receiver, sender)
    assert not sender.confirms(receiver.confirm(b"anna"), b"eve")
    assert not receiver.confirms(sender.confirm(b"offer"), b"another")


def test_a_confirmation_is_worth_nothing_for_the_other_side() -> None:
    receiver, sender = sides()
    run(receiver, sender)
    assert not receiver.confirms(receiver.confirm(b"offer"), b"offer")
    assert not sender.confirms(sender.confirm(b"anna"), b"anna")
    for foreign in (b"", bytes(CONFIRMATION_BYTES), bytes(1000)):
        assert not sender.confirms(foreign, b"anna")


def test_each_run_has_keys_of_its_own() -> None:
    one, two = sides(), (ReceiverSide(CODE, ANNA, BEN, chance(3)), SenderSide(CODE, ANNA, BEN, chance(2)))
    run(*one)
    run(*two)
    assert not two[1].confirms(one[0].confirm(b"anna"), b"anna")


def low_order_points() -> list[bytes]:
    """The neutral element, one of order two, and one of order four."""
    q = 2**255 - 19
    return [(1).to_bytes(32, "little"), (q - 1).to_bytes(32, "little"), (0).to_bytes(32, "little")]


@pytest.mark.parametrize(
    "share",
    [
        b"",
        b"B",
        b"B" + bytes(31),
        b"B" + bytes(33),
        b"B" + b"\x02" + bytes(31),  # on no curve
        b"A" + Ed25519Group.Base.to_bytes(),  # of our own side
        b"X" + Ed25519Group.Base.to_bytes(),
        b"B" + b"\xff" * 32,
        *(b"B" + point for point in low_order_points()),
    ],
)
def test_what_is_no_share_is_refused(share: bytes) -> None:
    receiver, _ = sides()
    with pytest.raises(ProtocolViolation, match="share"):
        receiver.finish(share)


def test_our_own_share_sent_back_is_refused() -> None:
    receiver, _ = sides()
    with pytest.raises(ProtocolViolation, match="share"):
        receiver.finish(b"B" + receiver.share[1:])


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_any_bytes_are_a_share_or_refused(point: bytes) -> None:
    receiver, sender = sides()
    try:
        receiver.finish(b"B" + point)
    except ProtocolViolation:
        return
    assert not receiver.confirms(sender.confirm(b"offer"), b"offer")


def test_the_group_operations_are_those_that_others_published() -> None:
    """The vector of the package itself, which magic-wormhole's other implementations are held to as well:
    https://github.com/warner/python-spake2/blob/master/src/spake2/test/test_compat.py
    """
    scalars = {
        "A": 2611694063369306139794446498317402240796898290761098242657700742213257926693,
        "B": 7002393159576182977806091886122272758628412261510164356026361256515836884383,
    }
    a = spake2.SPAKE2_A(b"password", entropy_f=lambda _: scalars["A"].to_bytes(64, "big"))
    b = spake2.SPAKE2_B(b"password", entropy_f=lambda _: scalars["B"].to_bytes(64, "big"))
    shares = a.start(), b.start()
    assert shares[0].hex() == "416fc960df73c9cf8ed7198b0c9534e2e96a5984bfc5edc023fd24dacf371f2af9"
    assert shares[1].hex() == "42354e97b88406922b1df4bea1d7870f17aed3dba7c720b313edae315b00959309"
    key = "a480bca13fa04464bb644f10e340125e96c9494f7399fef7c2bda67eb0fdf06d"
    assert a.finish(shares[1]).hex() == b.finish(shares[0]).hex() == key


def test_the_vector_of_the_page_holds() -> None:
    receiver = ReceiverSide(CODE, ANNA, BEN, lambda count: bytes([1]) * count)
    sender = SenderSide(CODE, ANNA, BEN, lambda count: bytes([2]) * count)
    assert run(receiver, sender) == (True, True)
    assert str(ANNA) == "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
    assert str(BEN) == "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
    assert receiver.share.hex() == "41bc62627de87d03855e365a08880abef7c3c6b3835da75c553c650c1ef7032019"
    assert sender.share.hex() == "4290b7a12f7b3ce724d778dc063a50cb7948ff6ac0d18ada142c782245e7282758"
    confirmations = receiver.confirm(b"").hex(), sender.confirm(b"offer").hex()
    assert confirmations == (
        "169aacf69220a5c5cdac8b9e155c6103317e16e28389911549c08fab416c63de",
        "659dd8a7436ae0325fa10c8bf98bf1a2c1fe621e20f410d3080b7600290f1a95",
    )
