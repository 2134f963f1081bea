from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.chunks import CUTS, bytewise, chop
from warren.core import varint
from warren.core.errors import ProtocolViolation
from warren.network.multistream import (
    LINE_BYTES_MAX,
    NOT_AVAILABLE,
    PROPOSALS_MAX,
    VERSION_LINE,
    Proposer,
    Responder,
    encode_line,
)

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=40).map(
    "/{}".format
)
Machine = Proposer | Responder


def run(machine: Machine, chunks: list[bytes]) -> tuple[str, str | None, bytes, bytes]:
    """Feed chunks; return the outcome, the choice, what was sent and what was left for the protocol."""
    sent, rest, over = machine.take_output(), bytearray(), False
    for chunk in chunks:
        if over:
            rest += chunk
            continue
        try:
            used = machine.receive(memoryview(chunk))
        except ProtocolViolation:
            return "violation", None, sent, b""
        sent += machine.take_output()
        rest += chunk[used:]
        over = machine.selected is not None or getattr(machine, "refused", False)
        assert over or not rest
    return "fine", machine.selected, sent, bytes(rest)


def feed(machine: Machine, chunks: list[bytes]) -> None:
    for chunk in chunks:
        machine.receive(memoryview(chunk))


def converse(proposer: Proposer, responder: Responder) -> None:
    """Carry bytes between the two until neither has anything to say."""
    while True:
        there, back = proposer.take_output(), responder.take_output()
        if not there and not back:
            return
        responder.receive(memoryview(there))
        proposer.receive(memoryview(back))


def test_a_line_has_its_length_before_it_and_a_newline_after() -> None:
    assert encode_line("/multistream/1.0.0") == VERSION_LINE
    assert encode_line("na") == NOT_AVAILABLE
    long = "/" + "x" * 200
    assert encode_line(long) == varint.encode(202) + long.encode() + b"\n"


def test_the_first_offer_goes_out_with_the_version() -> None:
    proposer = Proposer(["/a/1", "/b/1"])
    assert proposer.take_output() == VERSION_LINE + encode_line("/a/1")
    assert proposer.take_output() == b""


def test_the_responder_waits_for_the_version_before_it_greets() -> None:
    responder = Responder(lambda _: True)
    assert responder.take_output() == b""
    assert responder.receive(memoryview(VERSION_LINE)) == len(VERSION_LINE)
    assert responder.take_output() == VERSION_LINE
    assert responder.selected is None


@given(st.lists(NAMES, min_size=1, max_size=8, unique=True), st.sets(st.integers(0, 7)))
def test_both_sides_come_to_the_first_offer_that_is_spoken(names: list[str], spoken: set[int]) -> None:
    supported = {names[i] for i in spoken if i < len(names)}
    proposer, responder = Proposer(names), Responder(supported.__contains__)
    converse(proposer, responder)
    expected = next((name for name in names if name in supported), None)
    assert proposer.selected == responder.selected == expected
    assert proposer.refused == (expected is None)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.binary(max_size=50), CUTS)
def test_the_responder_says_the_same_in_any_chunking(names: list[str], rest: bytes, cuts: list[int]) -> None:
    data = VERSION_LINE + b"".join(map(encode_line, names)) + rest
    supports = {names[-1]}.__contains__
    expected = run(Responder(supports), [data])
    assert expected[0] == "fine"
    assert expected[1] == names[-1]
    assert expected[3] == rest
    assert run(Responder(supports), chop(data, cuts)) == expected
    assert run(Responder(supports), bytewise(data)) == expected


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.binary(max_size=50), CUTS)
def test_the_proposer_says_the_same_in_any_chunking(names: list[str], rest: bytes, cuts: list[int]) -> None:
    data = VERSION_LINE + NOT_AVAILABLE * (len(names) - 1) + encode_line(names[-1]) + rest
    expected = run(Proposer(names), [data])
    assert expected[:2] == ("fine", names[-1])
    assert expected[3] == rest
    assert run(Proposer(names), chop(data, cuts)) == expected
    assert run(Proposer(names), bytewise(data)) == expected


@given(st.binary(max_size=300), st.booleans(), st.booleans(), CUTS)
def test_any_bytes_give_the_same_in_any_chunking(
    junk: bytes, greeted: bool, proposes: bool, cuts: list[int]
) -> None:
    data = VERSION_LINE + junk if greeted else junk

    def machine() -> Machine:
        return Proposer(["/a/1", "/b/1"]) if proposes else Responder({"/a/1"}.__contains__)

    expected = run(machine(), [data])
    for chunks in (chop(data, cuts), bytewise(data)):
        got = run(machine(), chunks)
        assert got[:2] == expected[:2]
        if expected[0] == "fine":
            assert got == expected


@pytest.mark.parametrize("machine", [Proposer(["/a"]), Responder(lambda _: True)])
def test_another_first_line_is_refused(machine: Machine) -> None:
    with pytest.raises(ProtocolViolation, match="does not speak /multistream"):
        machine.receive(memoryview(encode_line("/multistream/2.0.0")))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\x00", "a line of 0 bytes"),
        (varint.encode(LINE_BYTES_MAX + 1), "a line of 1025 bytes"),
        (varint.encode(1 << 40), "bytes"),
        (b"\x81\x00", "longer than it needs"),
        (b"\xff" * 9, "exceeds 9 bytes"),
        (b"\x03abc", "does not end in a newline"),
    ],
)
def test_a_malformed_line_is_refused_as_soon_as_it_shows(line: bytes, reason: str) -> None:
    for chunks in ([line], bytewise(line)):
        with pytest.raises(ProtocolViolation, match=reason):
            feed(Responder(lambda _: True), [VERSION_LINE, *chunks])


@pytest.mark.parametrize("machine", [Proposer(["/a"]), Responder(lambda _: True)])
def test_another_protocol_is_known_at_its_first_byte(machine: Proposer | Responder) -> None:
    with pytest.raises(ProtocolViolation, match="does not speak /multistream"):
        machine.receive(memoryview(b"S"))


def test_the_longest_line_passes() -> None:
    name = "/" + "x" * (LINE_BYTES_MAX - 2)
    responder = Responder(name.__eq__)
    data = VERSION_LINE + encode_line(name) + b"rest"
    assert run(responder, [data]) == ("fine", name, VERSION_LINE + encode_line(name), b"rest")
    assert run(Responder(name.__eq__), bytewise(data))[:2] == ("fine", name)


def test_a_held_line_never_grows_past_the_limit() -> None:
    responder = Responder(lambda _: True)
    line = VERSION_LINE + varint.encode(LINE_BYTES_MAX) + b"x" * LINE_BYTES_MAX
    for byte in bytewise(line[:-1]):
        responder.receive(memoryview(byte))
        assert len(responder._lines._held) <= LINE_BYTES_MAX + 2


def test_names_that_are_not_text_are_refused_like_unknown_ones() -> None:
    responder = Responder(lambda _: True)
    responder.receive(memoryview(VERSION_LINE + b"\x03\xff\xfe\n" + b"\x01\n"))
    assert responder.selected is None
    assert responder.take_output() == VERSION_LINE + NOT_AVAILABLE * 2


def test_too_many_proposals_end_the_negotiation() -> None:
    responder = Responder(lambda _: False)
    offers = b"".join(encode_line(f"/{n}") for n in range(PROPOSALS_MAX))
    responder.receive(memoryview(VERSION_LINE + offers))
    assert responder.take_output() == VERSION_LINE + NOT_AVAILABLE * PROPOSALS_MAX
    with pytest.raises(ProtocolViolation, match=f"more than {PROPOSALS_MAX} proposals"):
        responder.receive(memoryview(encode_line("/one/more")))


def test_an_answer_that_was_not_offered_is_refused() -> None:
    proposer = Proposer(["/a/1"])
    with pytest.raises(ProtocolViolation, match="not offered"):
        proposer.receive(memoryview(VERSION_LINE + encode_line("/b/1")))


def test_a_refused_proposer_leaves_what_follows_alone() -> None:
    proposer = Proposer(["/a/1"])
    data = VERSION_LINE + NOT_AVAILABLE + b"rest"
    assert proposer.receive(memoryview(data)) == len(data) - 4
    assert proposer.refused
    assert proposer.selected is None
    assert proposer.receive(memoryview(b"rest")) == 0


def test_each_refusal_brings_the_next_offer() -> None:
    proposer = Proposer(["/a/1", "/b/1"])
    proposer.take_output()
    proposer.receive(memoryview(VERSION_LINE + NOT_AVAILABLE))
    assert proposer.take_output() == encode_line("/b/1")
    assert not proposer.refused
