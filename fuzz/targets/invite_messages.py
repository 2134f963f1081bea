"""The two messages of the invite protocol."""

from __future__ import annotations

from warren.core.errors import ProtocolViolation, Refused
from warren.core.multiaddr import Multiaddr
from warren.protocols.invite import messages
from warren.protocols.invite.messages import Claim, Introduction, Reason

_WHO = Introduction("anna", (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"),))

DOCUMENTED = (ProtocolViolation, Refused)
SEEDS = (
    b"\x00" + Claim(bytes(32), bytes(64), _WHO).to_bytes(),
    b"\x01" + messages.welcome(_WHO),
    b"\x01" + messages.refusal(Reason.USED_UP),
)


def parse(data: bytes) -> Introduction:
    if data[:1] == b"\x00":
        return Claim.from_bytes(data[1:]).introduction
    return messages.read_answer(data[1:])


def verify(_data: bytes, who: Introduction) -> None:
    assert isinstance(who.name, str)
    assert len(who.name) <= messages.NAME_CHARS_MAX
    assert len(who.addresses) <= messages.ADDRESSES_MAX
    assert messages.read_answer(messages.welcome(who)) == who
