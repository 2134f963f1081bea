"""What every setting must be: of its type, and a number that bounds something.

In:  a dataclass of settings. Out: nothing, or ConfigError that names the setting as people write it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from warren.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_CURE = "remove it to get the default (warren config show)"
# The names of types as annotations have them -> what a value must be, and how that is called.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "str": ((str,), "text"),
}


def check_settings(
    config: Any, prefix: str = "", *, zero: Collection[str] = (), most: Mapping[str, int] | None = None
) -> None:
    """Raise ConfigError for the first value of a wrong type, and for numbers out of range.

    prefix: what stands before the names (`network.`). zero: numbers for which 0 has a meaning of its own; all
    others are above 0. most: the largest values of some. No number is infinite, or none at all (nan).
    """
    for field in dataclasses.fields(config):
        kinds, wanted = _KINDS.get(str(field.type), ((object,), ""))
        value = getattr(config, field.name)
        if not isinstance(value, kinds) or (isinstance(value, bool) and int in kinds):
            raise ConfigError(f"{prefix}{field.name} must be {wanted}, not {value!r}", hint=_CURE)
        if isinstance(value, int | float) and not isinstance(value, bool):
            _check_number(f"{prefix}{field.name}", value, field.name in zero, (most or {}).get(field.name))


def _check_number(name: str, value: float, may_be_zero: bool, most: int | None) -> None:
    if not math.isfinite(value) or value < 0 or (value == 0 and not may_be_zero):
        least = "0 or above" if may_be_zero else "above 0"
        raise ConfigError(f"{name} must be {least}, not {value}", hint=_CURE)
    if most is not None and value > most:
        raise ConfigError(f"{name} must be {most} at most, not {value}", hint=_CURE)
