from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import ProtocolViolation
from warren.core.framing import frame
from warren.protocols.transfer.decoder import AnswerDecoder
from warren.protocols.transfer.messages import HEADER_BYTES_MAX, Header, Status, encode_header

if TYPE_CHECKING:
    from warren.protocols.transfer.decoder import Answer

PAYLOADS = st.lists(st.binary(max_size=50), max_size=4)
ANSWERS = st.lists(PAYLOADS, max_size=6)


def encode(answers: list[list[bytes]]) -> bytes:
    parts = []
    for number, payloads in enumerate(answers):
        parts.append(encode_header(Header(number, Status.OK, 0, tuple(map(len, payloads)), last=True)))
        parts += payloads
    return b"".join(parts)


def decode(
    chunks: list[bytes], *, in_place: bool = False
) -> tuple[list[tuple[Header, bytes]], AnswerDecoder]:
    """What comes of the chunks; with `in_place` those that fit are written where they belong."""
    found: list[tuple[Header, bytes]] = []

    def take(answer: Answer) -> None:
        found.append((answer.header, bytes(answer.buffer[: answer.size])))

    decoder = AnswerDecoder(lambda size: bytearray(size + 3), take)
    for chunk in chunks:
        target = decoder.target() if in_place else None
        if target is not None and len(target) >= len(chunk):
            target[: len(chunk)] = chunk
            decoder.on_filled(len(chunk))
        else:
            decoder.receive(memoryview(chunk))
    return found, decoder


@given(ANSWERS, st.lists(st.integers(0, 600)), st.booleans())
def test_any_chunking_gives_the_same_answers(
    answers: list[list[bytes]], cuts: list[int], in_place: bool
) -> None:
    raw = encode(answers)
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    found, decoder = decode([raw[a:b] for a, b in itertools.pairwise(places)], in_place=in_place)
    assert [payload for _, payload in found] == [b"".join(payloads) for payloads in answers]
    assert [header.request for header, _ in found] == list(range(len(answers)))
    assert decoder.is_between


@given(ANSWERS.filter(bool), st.data())
def test_a_stream_that_stops_inside_an_answer_is_not_between(
    answers: list[list[bytes]], data: st.DataObject
) -> None:
    raw = encode(answers)
    ends = {len(encode(answers[:count])) for count in range(len(answers) + 1)}
    cut = data.draw(st.integers(0, len(raw)))
    _, decoder = decode([raw[:cut]])
    assert decoder.is_between == (cut in ends)


@given(st.binary(max_size=300))
def test_foreign_bytes_raise_nothing_else(raw: bytes) -> None:
    try:
        decode([raw])
    except ProtocolViolation:
        return


@pytest.mark.parametrize("raw", [frame(bytes(HEADER_BYTES_MAX + 1))[:3], b"\xff" * 9, frame(b"\xff")])
def test_a_bad_header_is_refused_at_once(raw: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        decode([raw])


def test_a_header_of_the_largest_size_passes() -> None:
    header = Header(1, Status.OK, 0, (1,) * 1024, last=True)
    found, _ = decode([encode_header(header), bytes(1024)])
    assert found == [(header, bytes(1024))]
