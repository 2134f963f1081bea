"""Single fields of an entry in a peer list, checked. Pure.

In:  values as JSON has them. Out: numbers, texts, times. Refuses, with InputError in words for the user, what
is of another type or out of bounds.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from warren.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER: Final = re.compile(r"\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DIGITS_MAX: Final = 40
_WORD: Final = re.compile(r"[a-z0-9-]{1,32}")


def number(value: Any, name: str, most: float) -> float | None:
    """A number from 0 to `most`, also written as text; None where there is none (null, nothing, a dash)."""
    if isinstance(value, str):
        text = value.strip()
        if text in ("", "-"):
            return None
        if len(text) > _DIGITS_MAX or not _NUMBER.fullmatch(text):
            raise InputError(f"{name} is no number: {value[:_DIGITS_MAX]!r}")
        value = float(text)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} is no number")
    if not 0 <= value <= most or not math.isfinite(value):
        raise InputError(f"{name} is not between 0 and {most:g}")
    return float(value)


def text(value: Any, name: str, chars_max: int) -> str:
    """A text of bounded length; empty where there is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"{name} is no text")
    if len(value) > chars_max:
        raise InputError(f"{name} is longer than {chars_max} characters")
    return value


def items(value: Any, name: str, most: int) -> list[Any]:
    """A list of bounded length; empty where there is none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"{name} is no list")
    if len(value) > most:
        raise InputError(f"{name} has over {most} items")
    return value


def words(value: Any, name: str, most: int) -> tuple[str, ...]:
    """A few plain words."""
    for one in items(value, name, most):
        if not isinstance(one, str) or not _WORD.fullmatch(one):
            raise InputError(f"{name} holds what is no plain word")
    return tuple(dict.fromkeys(value or ()))


def flag(value: Any, name: str) -> bool | None:
    """True, false, or None where there is nothing."""
    if value is not None and not isinstance(value, bool):
        raise InputError(f"{name} is neither true nor false")
    return value


def strange(entry: dict[str, Any], known: Iterable[str]) -> str:
    """What to say of fields that mean nothing here; empty if there are none."""
    unknown = sorted(set(entry) - set(known))
    if not unknown:
        return ""
    named = ", ".join(repr(one[:40]) for one in unknown[:5])
    return f"kept, without what means nothing here: {named}"
