"""How well a document fits a query, and how SQLite is asked for those that fit. Pure.

In:  queries, from here or from afar, and words of documents. Out: expressions of FTS5 that hold nothing but
quoted words (https://www.sqlite.org/fts5.html#full_text_query_syntax), and scores.

The score is that of BM25 with constants where it asks how common a word is
(https://en.wikipedia.org/wiki/Okapi_BM25): what the asker may not see must not shine through, and all words
have to be there anyhow. A word in name or title counts for `NAME_WEIGHT` elsewhere, one that was found whole
for more than the beginning of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.words import WORDS_MAX, words
from warren.services.directory.index.documents import AUTHOR, DOMAIN, FOLDER, content_word

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from warren.core.entry import EntryKind
    from warren.core.query import Query

NAME_WEIGHT: Final = 3.0
WHOLE_WEIGHT: Final = 1.5
LETTERS_END: Final = "\u2e80"
_LENGTH_SHARE: Final = 0.5
"""BM25's b: how much a long text takes from the score."""
_SATURATION: Final = 1.2
"""BM25's k1."""
_NAME_WORDS: Final = 6.0
_REST_WORDS: Final = 12.0
"""How long such texts are on the average; constants, so that equal documents score the same everywhere."""


class Wanted:
    """What a query asks for.

    expression: for FTS5; empty where nothing can be found. beginnings: words that may begin others. cid: in
    binary, where one content is asked for; what is found by it may have another.
    """

    __slots__ = (
        "_filters",
        "_needles",
        "_size_max",
        "_size_min",
        "_suffixes",
        "_terms",
        "beginnings",
        "cid",
        "expression",
        "is_filtered",
    )

    def __init__(self, query: Query) -> None:
        terms = [(word, term.whole or _is_letter(word)) for term in query.terms for word in words(term.word)]
        asked = [_quoted(word, whole=whole) for word, whole in terms]
        filters = [_quoted(AUTHOR + word) for word in words(query.author)]
        filters += [_quoted(DOMAIN + word) for word in words(query.domain)]
        self.cid = query.cid.to_bytes() if query.cid is not None else None
        if self.cid is not None:
            filters.append(_quoted(content_word(self.cid), whole=True))
        self._suffixes = frozenset(suffix.lower() for suffix in query.suffixes)
        if self._suffixes:
            filters.append(_any_of(sorted(self._suffixes)))
        self._size_min = query.size_min
        self._size_max = query.size_max
        self.is_filtered = bool(self._suffixes or query.size_min is not None or query.size_max is not None)
        self._needles = [(f" {word} " if whole else f" {word}", f" {word} ") for word, whole in terms]
        self.beginnings = [word for word, whole in terms if not whole]
        can_find = bool(asked or not query.terms) and all(asked + filters)
        self.expression = " AND ".join(asked + filters) if can_find else ""
        self._terms, self._filters = terms, filters

    def in_name(self, wholes: Collection[str] = ()) -> str:
        """Finds, of the same, what has all words in name and title. wholes: those of the beginnings that have
        to be there as whole words.
        """
        asked = [_quoted(word, whole=whole or word in wholes) for word, whole in self._terms]
        return " AND ".join([f"name : ({' AND '.join(asked)})", *self._filters])

    def score_max(self, rank: int, wholes: int) -> float:
        """What a document of that rank or a later one scores at most, of which the name has no more than
        `wholes` of the beginnings as whole words.
        """
        count = len(self._needles)
        whole = count - len(self.beginnings) + wholes
        return (whole * WHOLE_WEIGHT + count - whole) * _NAME_NORMS[rank + 2]

    def admits(self, kind: EntryKind, size: int, path: str) -> bool:
        """Whether an entry passes the filters that FTS5 knows nothing of."""
        if self._size_min is not None and size < self._size_min:
            return False
        if self._size_max is not None and size > self._size_max:
            return False
        return not self._suffixes or self._is_of_kind(kind, path)

    def score(self, name: str, rest: str) -> float:
        """How well the words of a document fit; 0 where no word is asked for."""
        in_name = in_rest = 0.0
        for begins, whole in self._needles:
            if begins in name:
                in_name += WHOLE_WEIGHT if whole in name else 1.0
            elif begins in rest:
                in_rest += WHOLE_WEIGHT if whole in rest else 1.0
        total = in_name * _NAME_NORMS[name.count(" ")]
        return total + in_rest * _REST_NORMS[min(rest.count(" "), _NORMS)] if in_rest else total

    def _is_of_kind(self, kind: EntryKind, path: str) -> bool:
        if kind == "dir":
            return "dir" in self._suffixes
        stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
        return bool(dot and stem) and suffix.lower() in self._suffixes


def _norm(length: int, average: float) -> float:
    return (_SATURATION + 1) / (1 + _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * length / average))


_NORMS: Final = 2 * WORDS_MAX + 1
"""Spaces in the longest name with its title. In other texts, one more makes no difference."""
_NAME_NORMS: Final = [NAME_WEIGHT * _norm(spaces - 1, _NAME_WORDS) for spaces in range(_NORMS + 1)]
"""What a word in a name counts for, by the spaces in it, which are one more than its words."""
_REST_NORMS: Final = [_norm(spaces - 1, _REST_WORDS) for spaces in range(_NORMS + 1)]


def _any_of(suffixes: Sequence[str]) -> str:
    """Finds, among others, what has one of these suffixes; empty where none has a word in it."""
    kinds = [" AND ".join(_quoted(word, whole=True) for word in words(suffix)) for suffix in suffixes]
    if "dir" in suffixes:
        kinds.append(_quoted(FOLDER, whole=True))
    return " OR ".join(f"({kind})" for kind in kinds if kind).join("()") if any(kinds) else ""


def _is_letter(word: str) -> bool:
    """A single one is a whole word: what begins with it is too much to look through. Not so in scripts that
    come after the alphabets in Unicode, where one character says as much as a word.
    """
    return len(word) == 1 and word < LETTERS_END


def _quoted(word: str, *, whole: bool = False) -> str:
    return f'"{word}"' if whole else f'"{word}"*'
