from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core import varint
from warren.core.errors import ProtocolViolation
from warren.core.framing import FrameDecoder, frame

CAP = 300


def chop(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def outcome(chunks: list[bytes], cap: int = CAP) -> tuple[list[bytes], bool]:
    """All frames that come out, and whether the stream broke."""
    decoder = FrameDecoder(cap)
    frames: list[bytes] = []
    for chunk in chunks:
        try:
            frames += decoder.receive(chunk)
        except ProtocolViolation:
            break
    return frames, decoder.violation is not None


@given(st.lists(st.binary(max_size=CAP), max_size=8), st.lists(st.integers(0, 5000)))
def test_frames_come_out_as_they_went_in(payloads: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frame(payload) for payload in payloads)
    assert outcome(chop(data, cuts)) == (payloads, False)


@given(st.binary(max_size=1000), st.lists(st.integers(0, 1000)))
def test_any_bytes_give_the_same_in_any_chunking(data: bytes, cuts: list[int]) -> None:
    expected = outcome([data])
    assert outcome(chop(data, cuts)) == expected
    assert outcome([data[i : i + 1] for i in range(len(data))]) == expected


@given(st.binary(max_size=40), st.lists(st.integers(0, 40)))
def test_pending_counts_what_is_held_of_an_unfinished_frame(data: bytes, cuts: list[int]) -> None:
    decoder = FrameDecoder(1000)
    try:
        taken = sum(len(frame(payload)) for chunk in chop(data, cuts) for payload in decoder.receive(chunk))
    except ProtocolViolation:
        return
    if decoder.violation is None:
        assert decoder.pending == len(data) - taken


def test_memory_is_not_made_for_a_frame_over_the_cap() -> None:
    decoder = FrameDecoder(CAP)
    with pytest.raises(ProtocolViolation, match="301 bytes exceeds the limit of 300"):
        decoder.receive(varint.encode(CAP + 1))
    assert decoder.pending == 0


def test_frames_before_a_violation_come_out_and_then_it_is_raised() -> None:
    decoder = FrameDecoder(CAP)
    assert decoder.receive(frame(b"good") + varint.encode(1 << 40) + b"rest") == [b"good"]
    assert decoder.violation is not None
    assert decoder.pending == 0
    for _ in range(2):
        with pytest.raises(ProtocolViolation):
            decoder.receive(frame(b"more"))


def test_a_malformed_length_is_a_violation_also_across_chunks() -> None:
    decoder = FrameDecoder(CAP)
    assert decoder.receive(b"\x80") == []
    assert decoder.pending == 1
    with pytest.raises(ProtocolViolation):
        decoder.receive(b"\x00")


def test_a_view_may_change_after_the_call() -> None:
    decoder = FrameDecoder(CAP)
    scratch = bytearray(frame(b"one") + frame(b"twofold")[:4])
    frames = decoder.receive(memoryview(scratch))
    scratch[:] = bytes(len(scratch))
    assert frames == [b"one"]
    assert decoder.receive(memoryview(b"fold")) == [b"twofold"]
    assert decoder.pending == 0


def test_what_will_not_be_completed_is_dropped() -> None:
    decoder = FrameDecoder(1000)
    whole = frame(b"x" * 500)
    assert decoder.receive(whole[:300]) == []
    assert decoder.pending == 300
    decoder.drop()
    assert decoder.pending == 0
    assert decoder.receive(whole) == [b"x" * 500]
