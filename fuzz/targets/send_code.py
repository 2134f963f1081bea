"""Codes of a send as somebody typed them."""

from __future__ import annotations

from warren.core.errors import InvalidCode
from warren.protocols.send.code import SendCode

DOCUMENTED = (InvalidCode,)
SEEDS = (
    b"4071-guitar-cross",
    b"  9999 ZOO.zoo,zoo zoo zoo zoo\n",
    b"1000-aban-abil",
    b"4071-gitar-cross",
)


def parse(data: bytes) -> SendCode:
    return SendCode.parse(data.decode("utf-8", "surrogateescape"))


def verify(_data: bytes, code: SendCode) -> None:
    assert SendCode.parse(str(code)) == code
    assert code.password.isascii()
