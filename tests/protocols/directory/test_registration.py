"""Registrations and tables of audiences there and back, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.directory.made import entry, key, paths, registered
from warren.core.envelope import ENVELOPE_BYTES_MAX, SignedEnvelope
from warren.core.errors import ProtocolViolation
from warren.protocols.directory.audiences import (
    AUDIENCES_MAX,
    HASH_BYTES,
    MEMBERS_MAX,
    Audiences,
)
from warren.protocols.directory.entries import Registered
from warren.protocols.directory.proto import directory_pb2 as pb
from warren.protocols.directory.registration import (
    CHANGES_MAX,
    DOMAIN,
    PAYLOAD_TYPE,
    Registration,
    fit,
    size_of,
)

SALT = b"0123456789abcdef"
members = st.dictionaries(
    st.integers(1, 1000), st.sets(st.integers(1, 12)).map(lambda some: {key(one).peer_id for one in some})
)


@given(
    st.integers(0, 1 << 62),
    st.integers(0, 1 << 62),
    st.integers(0, 1 << 62),
    st.lists(registered, max_size=4),
    st.lists(paths, max_size=4),
    st.booleans(),
)
def test_there_and_back(
    epoch: int, one: int, other: int, added: list[Registered], removed: list[str], more: bool
) -> None:
    low, high = sorted((one, other))
    delta = Registration(epoch, low, high, tuple(added), tuple(removed))
    part = Registration(epoch, low, high, tuple(added), snapshot=True, more=more)
    for registration in (delta, part):
        assert Registration.open(registration.seal(key(1)), key(1).peer_id) == registration


def test_another_ones_signature_and_anything_changed_are_refused() -> None:
    sealed = Registration(1, 0, 2, (Registered(entry("a")),)).seal(key(1))
    with pytest.raises(ProtocolViolation, match="signed what"):
        Registration.open(sealed, key(2).peer_id)
    for at in (len(sealed) - 1, len(sealed) // 2):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(ProtocolViolation):
            Registration.open(bytes(changed), key(1).peer_id)
    other = SignedEnvelope.seal(key(1), DOMAIN, b"other", b"x").to_bytes()
    with pytest.raises(ProtocolViolation, match="something else"):
        Registration.open(other, key(1).peer_id)


GOOD = pb.Entry(path="a", cid=entry("a").cid.to_bytes())


@pytest.mark.parametrize(
    "message",
    [
        pb.Registration(epoch=1, from_seq=2, to_seq=1),
        pb.Registration(epoch=1 << 63, from_seq=1, to_seq=1),
        pb.Registration(epoch=1, from_seq=1, to_seq=1 << 63),
        pb.Registration(epoch=1, removed=["a"] * (CHANGES_MAX + 1)),
        pb.Registration(epoch=1, removed=["a"], snapshot=True),
        pb.Registration(epoch=1, audiences=pb.Audiences(salt=b"short")),
    ],
)
def test_what_is_refused(message: pb.Registration) -> None:
    sealed = SignedEnvelope.seal(key(1), DOMAIN, PAYLOAD_TYPE, message.SerializeToString()).to_bytes()
    with pytest.raises(ProtocolViolation):
        Registration.open(sealed, key(1).peer_id)


def test_what_is_no_entry_is_left_out_and_the_others_are_taken() -> None:
    long = "/".join(["x" * 200] * 21)
    message = pb.Registration(
        epoch=1,
        added=[GOOD, pb.Entry(path=long, cid=GOOD.cid), pb.Entry(path="b")],
        removed=["c", "../a", long],
    )
    sealed = SignedEnvelope.seal(key(1), DOMAIN, PAYLOAD_TYPE, message.SerializeToString()).to_bytes()
    read = Registration.open(sealed, key(1).peer_id)
    assert [one.entry.path for one in read.added] == ["a"]
    assert (read.removed, read.left_out) == (("c",), 4)


def test_what_is_no_entry_of_a_snapshot_is_left_out_as_it_is_read() -> None:
    message = pb.Registration(epoch=1, snapshot=True, added=[GOOD, pb.Entry(path="../a", cid=GOOD.cid), GOOD])
    read = Registration.from_payload(message.SerializeToString())
    assert (len(read.added), [one.entry.path for one in read.added]) == (3, ["a", "a"])


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="malformed"):
        Registration.from_payload(b"\xff")


def test_as_much_goes_into_one_as_an_envelope_holds() -> None:
    long = [Registered(entry(f"{number:05}/{'x' * 3000}", abstract="y" * 4000)) for number in range(20)]
    count = fit(long)
    assert 0 < count < len(long)
    sealed = Registration(1, 0, 2, tuple(long[:count]), snapshot=True, more=True).seal(key(1))
    assert len(sealed) <= ENVELOPE_BYTES_MAX
    assert fit([Registered(entry("a"))] * (CHANGES_MAX + 5), 1 << 30) == CHANGES_MAX
    assert fit([Registered(entry("a"))] * 3) == 3
    assert size_of(long[0]) > 7000


# --- audiences ------------------------------------------------------------------------------------------


@given(members)
def test_a_table_admits_its_members_and_nobody_else(who: dict[int, set[object]]) -> None:
    table = Audiences.of(SALT, who)  # type: ignore[arg-type]
    again = Audiences.from_message(table.to_message())
    assert again.digest == table.digest
    for number in {*who, 1, 2}:
        for one in range(1, 14):
            peer = key(one).peer_id
            assert again.admits(number, peer) == (peer in who.get(number, set()))
    assert again.size >= sum(HASH_BYTES * len(some) for some in who.values())


def test_two_tables_do_not_tell_that_they_admit_the_same() -> None:
    who = {1: [key(1).peer_id]}
    one, other = Audiences.of(SALT, who), Audiences.of(SALT[::-1], who)
    assert one.digest != other.digest
    assert one.to_message().audiences[0].members != other.to_message().audiences[0].members
    assert key(1).peer_id.to_bytes() not in one.to_message().SerializeToString()


def test_a_table_beyond_its_bounds_is_refused_and_never_made() -> None:
    some = bytes(HASH_BYTES)
    for salt, who in (
        (b"", {}),
        (SALT, {0: some}),
        (SALT, {1: some + b"x"}),
        (SALT, dict.fromkeys(range(1, AUDIENCES_MAX + 2), some)),
        (SALT, {1: some * (MEMBERS_MAX + 1)}),
    ):
        with pytest.raises(ProtocolViolation):
            Audiences(salt, who)
    twice = pb.Audiences(salt=SALT, audiences=[pb.Audience(number=1), pb.Audience(number=1)])
    with pytest.raises(ProtocolViolation, match="twice"):
        Audiences.from_message(twice)
    made = Audiences.of(SALT, {number: [key(1).peer_id] for number in range(1, AUDIENCES_MAX + 9)})
    assert len(made.to_message().audiences) == AUDIENCES_MAX
