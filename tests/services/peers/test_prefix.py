"""Ranges of peer ids: whoever fits lies in one, whatever the type of its key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.core.peer_id import PeerId
from warren.services.peers.prefix import fits, ranges

HEADS = ("002408011220", "00250802122102", "00250802122103", "1220")
RAW = st.sampled_from(HEADS).flatmap(
    lambda head: st.binary(
        min_size=34 if head == "1220" else 32 + 6,
        max_size=34 if head == "1220" else 32 + 6,
    ).map(lambda tail: head_of(head, tail))
)


def head_of(head: str, tail: bytes) -> bytes:
    start = bytes.fromhex(head)
    size = {6: 38, 7: 39, 2: 34}[len(start)]
    return (start + tail)[:size].ljust(size, b"\0")


def within(raw: bytes, text: str) -> bool:
    return any(low <= raw <= high for low, high in ranges(text))


@given(RAW, st.integers(1, 60))
def test_an_id_lies_in_the_ranges_of_its_beginnings(raw: bytes, length: int) -> None:
    peer = PeerId(raw)
    for whole in (str(peer), peer.to_cid_text()):
        assert within(raw, whole[:length])
        assert fits(whole[:length], peer)
    after = str(peer).removeprefix("12D3KooW")
    assert within(raw, after[:length])


@given(RAW, RAW, st.integers(9, 52))
def test_a_long_beginning_leaves_few_others(raw: bytes, other: bytes, length: int) -> None:
    text = str(PeerId(raw))[:length]
    if within(other, text) and len(other) == len(raw):
        assert fits(text, PeerId(other))


@given(st.text(max_size=80))
def test_any_text_will_do(text: str) -> None:
    for low, high in ranges(text):
        assert low <= high


def test_what_begins_no_id_has_no_range() -> None:
    for text in ("", "0", "O", "12D3KooW!", "b1", "b" + "a" * 100, "1" * 60, "bcdef"):
        assert not ranges(text)
    assert ranges("b")
