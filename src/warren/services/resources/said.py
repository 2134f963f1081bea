"""What the user says by hand, field by field, and how it goes over what a file says of itself.

In:  fields from the user or from the database. Out: frozen values; the metadata that both make together.
A field that is None was never said; one that is empty was said to be empty, and hides what the file says.
Refuses what core/entry.py refuses. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from warren.core.entry import Metadata
from warren.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


_ONE_TEXT: Final = frozenset({"title", "abstract", "licence"})


@dataclass(frozen=True, slots=True)
class Said:
    """See the module. Raises `InputError` beyond the bounds of `Metadata`."""

    title: str | None = None
    abstract: str | None = None
    authors: Sequence[str] | None = None
    domains: Sequence[str] | None = None
    tags: Sequence[str] | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        for name, value in self._said().items():
            if isinstance(value, str) != (name in _ONE_TEXT):
                raise InputError(f"{name} cannot be {value!r}", hint="authors, domains and tags are lists")
            object.__setattr__(self, name, _trimmed(value))
        self.over(Metadata())

    def __bool__(self) -> bool:
        """Whether anything was said, be it that a field is empty."""
        return bool(self._said())

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that were said."""
        return tuple(self._said())

    def over(self, taken: Metadata) -> Metadata:
        """What was said, and for all else what was taken."""
        return Metadata(**as_dict(taken) | self._said())

    def changed(self, newer: Said) -> Said:
        """The same, but for what `newer` says."""
        return Said(**self._said() | newer._said())

    def to_json(self) -> str:
        """For the database."""
        return json.dumps(self._said(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Said:
        """What `to_json` wrote."""
        return cls(**_tuples(json.loads(text)))

    def _said(self) -> dict[str, Any]:
        said = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in said if value is not None}


def as_dict(metadata: Metadata) -> dict[str, Any]:
    """The fields by name."""
    return {field.name: getattr(metadata, field.name) for field in fields(metadata)}


def to_json(metadata: Metadata) -> str:
    """What is not empty, for the database."""
    return json.dumps({k: v for k, v in as_dict(metadata).items() if v}, ensure_ascii=False)


def from_json(text: str) -> Metadata:
    """What `to_json` wrote."""
    return Metadata(**_tuples(json.loads(text)))


def _tuples(found: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def _trimmed(value: str | Sequence[str]) -> str | tuple[str, ...]:
    """Without white space around it; of several each once, and none that is empty."""
    if isinstance(value, str):
        return value.strip()
    return tuple(dict.fromkeys(one.strip() for one in value if one.strip()))
