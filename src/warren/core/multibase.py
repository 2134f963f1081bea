"""Bytes as text: base58btc, base32, base36 and base64url, the bases that peer ids, content ids and
certificate hashes come in.

In: bytes, or foreign text. Out: text, or bytes. Refuses characters outside the alphabet, padding, stray
bits, and text over 1,024 characters (the big-number bases take quadratic time).
https://github.com/multiformats/multibase
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT_MAX: Final = 1024

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE58_DIGITS: Final = {char: digit for digit, char in enumerate(_BASE58)}
_BASE36_DIGITS: Final = {char: digit for digit, char in enumerate(_BASE36)}
_BASE58_PAIRS: Final = tuple(a + b for a in _BASE58 for b in _BASE58)
_BASE36_PAIRS: Final = tuple(a + b for a in _BASE36 for b in _BASE36)


def base58btc_encode(data: bytes) -> str:
    """Bitcoin's base 58, without multibase prefix."""
    return _encode_number(data, _BASE58, _BASE58_PAIRS)


def base58btc_decode(text: str) -> bytes:
    """Bytes of base 58 text without multibase prefix. Raises `InputError`."""
    return _decode_number(text, 58, _BASE58[0], _BASE58_DIGITS)


def base36_encode(data: bytes) -> str:
    """Lower-case base 36, without multibase prefix."""
    return _encode_number(data, _BASE36, _BASE36_PAIRS)


def base36_decode(text: str) -> bytes:
    """Bytes of base 36 text (either case) without multibase prefix. Raises `InputError`."""
    _check(text)
    return _decode_number(text.lower(), 36, _BASE36[0], _BASE36_DIGITS)


def base32_encode(data: bytes) -> str:
    """RFC 4648 base 32, lower case, no padding, without multibase prefix."""
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def base32_decode(text: str) -> bytes:
    """Bytes of unpadded base 32 text (either case) without multibase prefix. Raises `InputError`."""
    _check(text)
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        raise InputError("malformed base 32 text") from error
    if base32_encode(data) != text.lower():
        raise InputError("base 32 text carries padding or stray bits")
    return data


def base64url_encode(data: bytes) -> str:
    """RFC 4648 URL-safe base 64, no padding, without multibase prefix."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def base64url_decode(text: str) -> bytes:
    """Bytes of unpadded URL-safe base 64 text without multibase prefix. Raises `InputError`."""
    _check(text)
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise InputError("malformed base 64 text") from error
    if base64url_encode(data) != text:
        raise InputError("base 64 text carries padding, stray bits or foreign characters")
    return data


_DECODERS: Final[dict[str, Callable[[str], bytes]]] = {
    "z": base58btc_decode,
    "b": base32_decode,
    "B": base32_decode,
    "k": base36_decode,
    "K": base36_decode,
    "u": base64url_decode,
}


def decode(text: str) -> bytes:
    """Bytes of text whose first character names its base. Raises `InputError`."""
    decoder = _DECODERS.get(text[:1])
    if decoder is None:
        raise InputError(f"unknown multibase prefix {text[:1]!r}")
    return decoder(text[1:])


def _encode_number(data: bytes, alphabet: str, pairs: tuple[str, ...]) -> str:
    # Two digits a step halve the number of big divisions, which are what this costs.
    zeros = len(data) - len(data.lstrip(b"\0"))
    number = int.from_bytes(data, "big")
    square = len(pairs)
    steps: list[str] = []
    while number:
        number, rest = divmod(number, square)
        steps.append(pairs[rest])
    digits = "".join(reversed(steps)).lstrip(alphabet[0])
    return alphabet[0] * zeros + digits


def _decode_number(text: str, base: int, zero: str, digits: dict[str, int]) -> bytes:
    _check(text)
    number = 0
    try:
        for char in text:
            number = number * base + digits[char]
    except KeyError as error:
        raise InputError(f"character {error.args[0]!r} is not of base {base}") from None
    zeros = len(text) - len(text.lstrip(zero))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _check(text: str) -> None:
    if len(text) > TEXT_MAX:
        raise InputError(f"encoded text exceeds {TEXT_MAX} characters")
    if not text.isascii():
        # Some foreign letters turn into ASCII ones when their case is changed.
        raise InputError("encoded text holds characters outside ASCII")
