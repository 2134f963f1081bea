"""multistream-select, either side: the same outcome for any chunking, bounded replies, no byte used twice."""

from __future__ import annotations

from typing import NamedTuple

from warren.core.errors import ProtocolViolation
from warren.network.multistream import NOT_AVAILABLE, VERSION_LINE, Proposer, Responder, encode_line

DOCUMENTED: tuple[type[Exception], ...] = ()
OFFERS = ("/first/1.0.0", "/second/1.0.0")
SEEDS = (
    b"\x03" + VERSION_LINE + encode_line(OFFERS[0]) + b"payload",
    b"\x00" + VERSION_LINE + NOT_AVAILABLE + encode_line(OFFERS[1]),
    b"\xff" + VERSION_LINE + NOT_AVAILABLE * 2,
    b"\x05" + VERSION_LINE + encode_line("/unknown/1") * 40,
    b"\x02" + b"\xff\xff\x03" + b"x" * 40,
)


class Outcome(NamedTuple):
    """How a negotiation went."""

    selected: str | None
    broken: bool
    said: bytes
    rest: bytes


def negotiate(machine: Proposer | Responder, data: bytes, step: int) -> Outcome:
    said, used, broken = machine.take_output(), 0, False
    for pos in range(0, len(data), step):
        chunk = memoryview(data)[pos : pos + step]
        try:
            taken = machine.receive(chunk)
        except ProtocolViolation:
            broken = True
            break
        used += taken
        said += machine.take_output()
        if taken < len(chunk):
            break
    return Outcome(machine.selected, broken, b"" if broken else said, b"" if broken else data[used:])


def parse(data: bytes) -> tuple[Outcome, Outcome]:
    body = data[1:]
    whole = len(body) + 1
    proposed = negotiate(Proposer(OFFERS), body, whole)
    return proposed, negotiate(Responder(lambda name: name in OFFERS), body, whole)


def verify(data: bytes, outcomes: tuple[Outcome, Outcome]) -> None:
    body = data[1:]
    for step in (ord(data[:1] or b"a") + 1, 1):
        assert negotiate(Proposer(OFFERS), body, step) == outcomes[0]
        assert negotiate(Responder(lambda name: name in OFFERS), body, step) == outcomes[1]
    for outcome in outcomes:
        assert outcome.selected is None or outcome.selected in OFFERS
        assert outcome.selected is not None or outcome.broken or len(outcome.rest) <= len(body)
        assert len(outcome.said) <= 64 + len(body)
