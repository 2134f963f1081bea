"""Records of the DHT: a key, a value that proves itself, and who decides whether it does.

In:  keys and values, as strangers sent them. Out: nothing, or `InvalidRecord`; which of several values is the
best. A key is `/namespace/...` in bytes; each namespace has one validator.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#entry-validation

Refuses keys of other namespaces, and keys and values beyond the bounds below, before anything is parsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import InvalidRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Attack: keys whose keeping is what costs. The longest of ours has `/warren/`, a peer id and 512 bytes.
KEY_BYTES_MAX: Final = 1024
# Attack: others' disks as a free file store. An envelope takes no more either.
VALUE_BYTES_MAX: Final = 64 * 1024
_SHOWN_BYTES_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Record:
    """A value under its key. time_received: Unix seconds by the clock of who holds it; None: not told."""

    key: bytes
    value: bytes
    time_received: float | None = None


class Validator(Protocol):
    """Decides for one namespace. Keys come whole, with the namespace."""

    def validate(self, key: bytes, value: bytes) -> None:
        """Raise `InvalidRecord` unless `value` proves that it belongs under `key`, now."""
        ...

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        """Which of these is the best; all have been validated. The same values give the same winner, in
        whatever order they come.
        """
        ...


class Namespaces:
    """The validator of each namespace, by its name without slashes."""

    __slots__ = ("_validators",)

    def __init__(self, validators: Mapping[str, Validator]) -> None:
        self._validators = {name.encode(): validator for name, validator in validators.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """What is taken, in the order given."""
        return tuple(name.decode() for name in self._validators)

    def knows(self, key: bytes) -> bool:
        """Whether `key` is in one of the namespaces."""
        try:
            self._validator(key)
        except InvalidRecord:
            return False
        return True

    def validate(self, key: bytes, value: bytes) -> None:
        """Raise `InvalidRecord` unless `value` may be kept under `key`."""
        validator = self._validator(key)
        if len(value) > VALUE_BYTES_MAX:
            raise InvalidRecord(f"a value of {len(value)} bytes exceeds {VALUE_BYTES_MAX} bytes")
        validator.validate(key, value)

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        """The index of the best of some valid values, one at least. Raises `InvalidRecord` for the key."""
        return self._validator(key).select(key, values)

    def _validator(self, key: bytes) -> Validator:
        if len(key) > KEY_BYTES_MAX:
            raise InvalidRecord(f"a key of {len(key)} bytes exceeds {KEY_BYTES_MAX} bytes")
        parts = key.split(b"/", 2)
        validator = self._validators.get(parts[1]) if len(parts) == 3 and not parts[0] else None
        if validator is None:
            known = ", ".join(f"/{name}/" for name in self.names)
            raise InvalidRecord(f"key '{shown(key)}' is in no namespace that is kept here: {known}")
        return validator


def shown(raw: bytes) -> str:
    """Foreign bytes as an error says them: the beginning, with escapes for what cannot be printed."""
    text = raw[:_SHOWN_BYTES_MAX].decode(errors="backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
