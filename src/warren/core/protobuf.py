"""Foreign bytes as a message of Protocol Buffers.

In:  bytes that somebody else made. Out: the message, whose fields are still the other side's claims.

Refuses, with `ProtocolViolation`, bytes that are no such message, and more of them than the caller allows.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from warren.core.errors import ProtocolViolation

M = TypeVar("M", bound=Message)


def parse(kind: type[M], data: bytes, what: str, bytes_max: int | None = None) -> M:
    """The message in `data`. Raises `ProtocolViolation`.

    what: how an error calls it, as in `presence: the call`. bytes_max: what is longer is not taken apart;
    None: whoever read it from the wire has seen to its length.
    """
    if bytes_max is not None and len(data) > bytes_max:
        raise ProtocolViolation(f"{what} of {len(data)} bytes exceeds the limit of {bytes_max}")
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise ProtocolViolation(f"{what} is malformed") from error
