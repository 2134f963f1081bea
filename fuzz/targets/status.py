"""The two messages of the status protocol."""

from __future__ import annotations

from warren.core.errors import ProtocolViolation
from warren.protocols.status.facts import (
    ROLES_MAX,
    TEXT_CHARS_MAX,
    Details,
    Facts,
    question,
    read_question,
)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    b"\x00" + question(),
    b"\x01" + Facts("warren/1", ("dht", "relay"), 40).to_bytes(),
    b"\x01" + Facts("warren/1", (), 0, Details(1, 2, 3, 4, 5, 6, 7, 8, "server", 9)).to_bytes(),
)


def parse(data: bytes) -> Facts | None:
    """The first byte chooses the reader."""
    if data[:1] == b"\x01":
        return Facts.from_bytes(data[1:])
    read_question(data[1:])
    return None


def verify(_data: bytes, facts: Facts | None) -> None:
    if facts is not None:
        assert len(facts.roles) <= ROLES_MAX
        assert max(map(len, (facts.agent, *facts.roles))) <= TEXT_CHARS_MAX
        assert facts.load_percent <= 100
        assert Facts.from_bytes(facts.to_bytes()) == facts
