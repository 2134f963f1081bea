"""What the index keeps of an entry: a document, the same for all who hold the same thing under the same path.

In:  entries. Out: documents, and entries again. Pure. Refuses what SQLite cannot hold: sizes of more than 63
bits, text that is not Unicode.

The words of a document stand in one text, parted by spaces, first those of its name and title, then those of
its folders and metadata: a word is looked for in them as " word", which is quick. What is asked for by
filters are words that begin as no word can (`AUTHOR`, `DOMAIN`, `FOLDER`). `content_word`, which no text has
either, stands in the full-text index alone.
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from warren.core.cid import Cid
from warren.core.entry import NOTHING, Entry, Metadata
from warren.core.errors import InputError
from warren.core.words import words

if TYPE_CHECKING:
    from warren.core.entry import EntryKind
    from warren.protocols.directory.entries import Registered

AUTHOR: Final = "_a"
DOMAIN: Final = "_d"
FOLDER: Final = "_k"
_CONTENT_FIRST: Final = 0x40000
_CONTENTS: Final = 0x110000 - _CONTENT_FIRST
"""Code points of planes without letters (https://www.unicode.org/roadmaps/): what no word has in it."""

RANKS: Final = 16
"""Documents are numbered by rank, that is by the number of words of name and title: those that say little
else than what is asked for come first, and a search can stop early."""

NUMBER_MAX: Final = (1 << 63) - 1

_INT64: Final = Struct(">q")


class Document(NamedTuple):
    """A row of the table. key: 64 bits that stand for all of the others. metadata: JSON, None for nothing.

    name, rest: their words, each with a space before it, and one at the end of all.
    """

    key: int
    cid: bytes
    kind: EntryKind
    size: int
    path: str
    name: str
    rest: str
    metadata: str | None

    @property
    def rank(self) -> int:
        """From 0, the best, to `RANKS` - 1."""
        count = self.name.count(" ") - 1
        return count - 1 if 0 < count < RANKS else RANKS - 1

    @property
    def chars(self) -> int:
        """How long its texts are, more or less: what is said of it has its words in `rest`."""
        return len(self.path) + len(self.rest)


Put: TypeAlias = tuple[int, Document, int]
"""A document on its way into a registration: 64 bits that stand for its path, itself, its audience."""


def to_put(listed: Registered) -> Put:
    """Take an entry apart. Raises `InputError`."""
    (path, kind, size, content, metadata), audience = listed
    if not (0 <= audience <= NUMBER_MAX and 0 <= size <= NUMBER_MAX):
        raise InputError("the size of a file or the number of an audience is out of range")
    folder, _, name = path.rpartition("/")
    found, rest, said = words(name), _folder_words(folder), None
    if metadata is not NOTHING and metadata:
        said = _pack(metadata)
        found += words(metadata.title)
        rest += _joined(_metadata_words(metadata))[1:]
    if kind == "dir":
        rest += FOLDER + " "
    cid = content.to_bytes()
    encoded = _encoded(path)
    about = b"%b%d %d %d %b%b" % (kind.encode(), size, len(cid), len(encoded), cid, encoded)
    key = _number(about if said is None else about + _encoded(said))
    return _number(encoded), Document(key, cid, kind, size, path, _joined(found), rest, said), audience


def to_entry(cid: bytes, kind: EntryKind, size: int, path: str, metadata: str | None) -> Entry:
    """Put an entry together again."""
    return Entry(path, kind, size, Cid.from_bytes(cid), _unpack(metadata) if metadata else NOTHING)


def content_word(cid: bytes) -> str:
    """What a content is found by, and one in 850,000 others.

    One character: of a longer word FTS5 would keep the beginnings too, and an index of whole ids, which are
    random, would write a page for every entry.
    """
    return chr(_CONTENT_FIRST + int.from_bytes(cid[-4:]) % _CONTENTS)


def path_key(path: str) -> int:
    """64 bits that stand for a path of one owner. Who makes two of them equal harms himself alone.

    Raises `InputError` for what is no text.
    """
    return _number(_encoded(path))


def plain_words(name: str, rest: str) -> set[str]:
    """The words of a document without the marked ones."""
    return {word for word in f"{name}{rest}".split() if word[0] != "_"}


@lru_cache(maxsize=4096)
def _folder_words(folder: str) -> str:
    return _joined(words(folder))


def _metadata_words(metadata: Metadata) -> list[str]:
    authors = [word for one in metadata.authors for word in words(one)]
    domains = [word for one in metadata.domains for word in words(one)]
    found = [*authors, *domains]
    found += [word for one in metadata.tags for word in words(one)]
    found += words(metadata.abstract)
    found += [AUTHOR + word for word in authors]
    found += [DOMAIN + word for word in domains]
    return found


def _joined(found: list[str]) -> str:
    return f" {' '.join(found)} " if found else " "


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError("the name of a file is not Unicode") from error


def _number(raw: bytes) -> int:
    number: int = _INT64.unpack(blake2b(raw, digest_size=8).digest())[0]
    return number


def _pack(metadata: Metadata) -> str:
    return json.dumps(
        [
            *(metadata.title, metadata.abstract, metadata.authors, metadata.domains, metadata.tags),
            metadata.licence,
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _unpack(said: str) -> Metadata:
    title, abstract, authors, domains, tags, licence = _loads(said)
    return Metadata(title, abstract, tuple(authors), tuple(domains), tuple(tags), licence)


def _loads(said: str) -> list[Any]:
    loaded: list[Any] = json.loads(said)
    return loaded
