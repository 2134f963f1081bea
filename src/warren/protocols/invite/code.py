"""The invite code: one line of text whose holder may become a contact.

In:  a peer id, addresses, optional relays and a 16-byte secret; or text as somebody typed or pasted it.
Out: `warren1` + base32 of (protobuf `InviteCode` + checksum); or an `InviteCode`.
Spec: docs/protocols/invite.md.

The digit is the version of the format. Base32 (RFC 4648, no padding) because it survives mail, chat and
reading aloud in any case; white space and hyphens are ignored. The checksum is the first 4 bytes of SHA-256
over the prefix and the payload: typing errors are found (one in 2^32 slips through), a single one is located.

Refuses, with `InvalidCode` that says what is wrong and where: other text, letters outside the alphabet,
cut-off codes, a wrong checksum, codes of a newer format or with parts that we do not know, secrets of another
length, too many or malformed addresses.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from warren.core.errors import InvalidCode, InvalidMultiaddr, InvalidPeerId
from warren.core.multiaddr import Multiaddr
from warren.core.multibase import base32_encode
from warren.core.peer_id import PeerId
from warren.protocols.invite.proto import invite_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFIX = "warren1"
SECRET_BYTES = 16
ADDRESSES_MAX = 8
RELAYS_MAX = 4
# Longer text is refused before it is looked at, because parsing costs per character.
TYPED_CHARS_MAX = 4096
# Addresses are dropped from the end of the list until they fit; only long DNS names ever exceed this.
ADDRESS_BYTES_MAX = 256
RELAY_BYTES_MAX = 256
_CHECKSUM_BYTES = 4
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
# Locating an error tries 66 repairs per character: 0.1 s for this many, and hardly a code is longer.
_LOCATE_CHARS_MAX = 500
_ASK_AGAIN = "copy the whole line again, or ask for a new code"


@dataclass(frozen=True, slots=True)
class InviteCode:
    """What a code says. `addresses` carry no peer id; `relays` do. Whoever knows `secret` may join."""

    peer_id: PeerId
    addresses: tuple[Multiaddr, ...]
    secret: bytes = field(repr=False)
    relays: tuple[Multiaddr, ...] = ()

    def __str__(self) -> str:
        message = invite_pb2.InviteCode(
            peer_id=self.peer_id.to_bytes(),
            addresses=[address.to_bytes() for address in self.addresses],
            relays=[relay.to_bytes() for relay in self.relays],
            secret=self.secret,
        )
        payload = message.SerializeToString(deterministic=True)
        return PREFIX + base32_encode(payload + _checksum(payload))

    @classmethod
    def parse(cls, text: str) -> InviteCode:
        """Read a code as it was typed. Raises InvalidCode with a hint."""
        return cls._from_payload(_payload(_body(text)))

    @classmethod
    def _from_payload(cls, payload: bytes) -> InviteCode:
        try:
            message = invite_pb2.InviteCode.FromString(payload)
            _refuse_unknown_parts(message)
            code = cls(
                PeerId(message.peer_id),
                tuple(Multiaddr.from_bytes(one) for one in message.addresses[: ADDRESSES_MAX + 1]),
                message.secret,
                tuple(Multiaddr.from_bytes(one) for one in message.relays[: RELAYS_MAX + 1]),
            )
        except (DecodeError, InvalidPeerId, InvalidMultiaddr) as error:
            raise InvalidCode(f"the code is malformed inside: {error}", hint=_ASK_AGAIN) from error
        if len(code.secret) != SECRET_BYTES:
            raise InvalidCode(f"the code's secret is not {SECRET_BYTES} bytes", hint=_ASK_AGAIN)
        if len(code.addresses) > ADDRESSES_MAX or len(code.relays) > RELAYS_MAX:
            raise InvalidCode("the code names too many addresses", hint=_ASK_AGAIN)
        return code


def _refuse_unknown_parts(message: invite_pb2.InviteCode) -> None:
    """A part that we do not know may be what the code is good for, or a condition: it is not read by half."""
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise InvalidCode(
            "the code has parts that this Warren does not know", hint="install the newest Warren"
        )


def _body(text: str) -> str:
    """What follows the prefix, in lower case and without what people and mail programs put in between."""
    if len(text) > TYPED_CHARS_MAX:
        raise InvalidCode(f"too long for an invite code ({len(text)} characters)", hint=_ASK_AGAIN)
    compact = "".join(text.replace("-", "").split()).lower()
    name = PREFIX[:-1]
    if not compact.startswith(name) or len(compact) == len(name):
        raise InvalidCode("this is not an invite code", hint=f"a code starts with {PREFIX}")
    version = compact[len(name)]
    if version.isdigit() and version != PREFIX[-1]:
        raise InvalidCode(
            f"the code has format {version}; this Warren reads format 1", hint="install the newest Warren"
        )
    if version != PREFIX[-1]:
        raise InvalidCode("this is not an invite code", hint=f"a code starts with {PREFIX}")
    return compact[len(PREFIX) :]


def _payload(body: str) -> bytes:
    for position, character in enumerate(body):
        if character not in _ALPHABET:
            raise InvalidCode(
                f"{character!r} does not occur in invite codes ({_place(body, position)})",
                hint=f"codes use the letters a to z and the digits 2 to 7{_lookalike(character)}",
            )
    payload = _checked(body)
    if payload is None:
        raise _explain(body)
    return payload


def _lookalike(character: str) -> str:
    meant = {"0": "o", "1": "l or i", "8": "b", "9": "g"}.get(character)
    return f"; perhaps {meant} was meant" if meant else ""


def _explain(body: str) -> InvalidCode:
    """The error for a wrong checksum: names the place, if one single repair makes the code whole."""
    repair = next(_repairs(body), None) if len(body) <= _LOCATE_CHARS_MAX else None
    if repair is None:
        return InvalidCode("the code is incomplete or has several typing errors", hint=_ASK_AGAIN)
    return InvalidCode(f"the code has a typing error: {repair}", hint="correct it, or copy the line again")


def _repairs(body: str) -> Iterator[str]:
    """Describe each edit (a wrong, extra or missing character, two swapped) that makes the code whole."""
    for position, found in enumerate(body):
        before, after = body[:position], body[position + 1 :]
        if _checked(before + after) is not None:
            yield f"{found!r} is too many ({_place(body, position)})"
        if after and _checked(before + after[0] + found + after[1:]) is not None:
            yield f"{found + after[0]!r} is swapped ({_place(body, position)})"
        for right in _ALPHABET:
            if _checked(before + right + after) is not None:
                yield f"{found!r} should be {right!r} ({_place(body, position)})"
            if _checked(before + right + found + after) is not None:
                yield f"{right!r} is missing ({_place(body, position)})"
    for right in _ALPHABET:
        if _checked(body + right) is not None:
            yield f"{right!r} is missing at the end"


def _place(body: str, position: int) -> str:
    """Say where a character stands, counted from 1 and with the prefix, and what surrounds it."""
    around = body[max(0, position - 4) : position + 5]
    return f"character {len(PREFIX) + position + 1}, in {around!r}"


def _checked(body: str) -> bytes | None:
    """The payload if its checksum is right. Called thousands of times to locate one typing error."""
    count, stray_bits = divmod(len(body) * 5, 8)
    number = int(body.translate(_DIGITS) or "0", 32)
    if count <= _CHECKSUM_BYTES or stray_bits >= 5 or number & ((1 << stray_bits) - 1):
        return None
    data = (number >> stray_bits).to_bytes(count, "big")
    payload, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    return payload if checksum == _checksum(payload) else None


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(PREFIX.encode() + payload).digest()[:_CHECKSUM_BYTES]


def fit(addresses: Iterable[Multiaddr], count_max: int, bytes_max: int) -> tuple[Multiaddr, ...]:
    """The first different addresses, no more than `count_max` and no more than `bytes_max` in all."""
    chosen: list[Multiaddr] = []
    room = bytes_max
    for address in dict.fromkeys(addresses):
        room -= len(address.to_bytes())
        if room < 0 or len(chosen) == count_max:
            break
        chosen.append(address)
    return tuple(chosen)
