"""What a node lets others find: entries of its shares, and what is said of them.

In:  paths, content ids, metadata. Out: frozen values; bounds are checked when they are made. How they travel
is for `protocols.directory` to say, and who may see which is decided where they are given out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, Self, TypeAlias

from warren.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.cid import Cid

EntryKind: TypeAlias = Literal["file", "dir"]

# Attack: metadata that everybody must keep and pass on, as long as somebody likes.
TITLE_CHARS_MAX: Final = 300
ABSTRACT_CHARS_MAX: Final = 4000
LICENCE_CHARS_MAX: Final = 100
NAME_CHARS_MAX: Final = 120
"""Of one author, knowledge domain or tag."""
NAMES_MAX: Final = 32
"""Authors; knowledge domains; tags: so many of each."""
PATH_BYTES_MAX: Final = 4096
SIZE_MAX: Final = (1 << 63) - 1
"""Bytes of a file. Attack: numbers that no database holds."""
CID_BYTES_MAX: Final = 64
"""Attack: content ids of any length, which everybody keeps. Those of SHA2-256 have 36 bytes."""


class MetadataMessage(Protocol):
    """Metadata as a message carries them."""

    title: str
    abstract: str
    licence: str

    @property
    def authors(self) -> Iterable[str]: ...
    @property
    def domains(self) -> Iterable[str]: ...
    @property
    def tags(self) -> Iterable[str]: ...


@dataclass(frozen=True, slots=True)
class Metadata:
    """What somebody says of a file or folder. Empty: nothing. Raises `InputError` beyond the bounds.

    domains: knowledge domains, like "botany". licence: an SPDX identifier or a few words.
    """

    title: str = ""
    abstract: str = ""
    authors: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    licence: str = ""

    def __post_init__(self) -> None:
        for name, text, most in (
            ("title", self.title, TITLE_CHARS_MAX),
            ("abstract", self.abstract, ABSTRACT_CHARS_MAX),
            ("licence", self.licence, LICENCE_CHARS_MAX),
        ):
            if len(text) > most:
                raise InputError(f"a {name} has {most} characters at most, not {len(text)}")
            _check_text(name, text)
        for name, several in (("authors", self.authors), ("domains", self.domains), ("tags", self.tags)):
            if len(several) > NAMES_MAX:
                raise InputError(f"there are {NAMES_MAX} {name} at most, not {len(several)}")
            if any(not 0 < len(one) <= NAME_CHARS_MAX for one in several):
                raise InputError(f"each of the {name} has 1 to {NAME_CHARS_MAX} characters")
            for one in several:
                _check_text(name, one)

    @classmethod
    def read(cls, message: MetadataMessage) -> Self:
        """What a message says. Raises `InputError` beyond the bounds."""
        return cls(
            title=message.title,
            abstract=message.abstract,
            authors=tuple(message.authors),
            domains=tuple(message.domains),
            tags=tuple(message.tags),
            licence=message.licence,
        )

    def __bool__(self) -> bool:
        return bool(self.title or self.abstract or self.authors or self.domains or self.tags or self.licence)


def _check_text(name: str, text: str) -> None:
    """Halves of surrogate pairs, which JSON can bring, have no place on the wire or in a database."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{text[:40]!a} ({name}) is not text", hint="write it in UTF-8") from None


NOTHING: Final = Metadata()
"""Metadata of what nobody says anything of."""


class Entry(NamedTuple):
    """A file or folder that can be found.

    path: SHARE/FOLDER/NAME, as in listings: of one owner it is unique. size: bytes of content, of a folder
    those of all in it. metadata: of itself, else of the share for its topmost entry only.
    """

    path: str
    kind: EntryKind
    size: int
    cid: Cid
    metadata: Metadata = NOTHING

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """What kind of file the name says it is: `pdf`, without dot and case; empty where it says nothing."""
        stem, dot, suffix = self.name.rpartition(".")
        return suffix.lower() if self.kind == "file" and dot and stem else ""


def check_told(path: str, size: int, cid: bytes) -> None:
    """Whether an entry may be told to others, or taken from them. Raises `InputError` for one that is called
    nothing or too much, leads anywhere but down, or has numbers that cannot be.
    """
    if size > SIZE_MAX or len(cid) > CID_BYTES_MAX:
        raise InputError("an entry whose size or content id is out of range")
    if not is_entry_path(path):
        raise InputError("an entry that is called nothing, too much, or leads out")


def is_entry_path(path: str) -> bool:
    """Whether an entry can be called so."""
    length = len(path) if path.isascii() else len(path.encode())
    return (
        0 < length <= PATH_BYTES_MAX
        and "//" not in path
        and path[0] != "/"
        and path[-1] != "/"
        and not (".." in path and ".." in path.split("/"))
        and "\0" not in path
    )
