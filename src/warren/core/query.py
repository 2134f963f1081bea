"""What somebody searches for: words, all of which must be there, and filters.

In:  text and filters from the user, or from afar. Out: a frozen `Query` whose bounds are checked. Refuses
what asks for nothing. Every word is a prefix: `repo` finds report; a word in double quotes is itself only.
Of scripts that are written without spaces, where every character is a word, no more is asked for than a
query may hold: a dozen of them say enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError
from warren.core.words import is_alone, words

if TYPE_CHECKING:
    from warren.core.cid import Cid

# Attack: a query that takes long to answer.
QUERY_WORDS_MAX: Final = 12
QUERY_CHARS_MAX: Final = 500
LIMIT_MAX: Final = 500
_PART: Final = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Term:
    """A word that must be there: a prefix of one, unless it is `whole`."""

    word: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """See the module. Raises `InputError` beyond the bounds, and where it asks for nothing.

    suffixes: kinds of files (`pdf`), any of which will do; `dir` finds folders; kept without case, so that
    all who look mean the same. size_min, size_max: bytes.
    author, domain: words of them, each a prefix. online: only what somebody online holds. limit: so many at
    most; after: skip so many of the best. cid: this content and no other: who holds it.
    """

    terms: tuple[Term, ...] = ()
    suffixes: tuple[str, ...] = ()
    size_min: int | None = None
    size_max: int | None = None
    author: str = ""
    domain: str = ""
    online: bool = False
    limit: int = 50
    after: int = 0
    cid: Cid | None = None

    def __post_init__(self) -> None:
        suffixes = tuple(suffix.lower() for suffix in self.suffixes if suffix)
        object.__setattr__(self, "suffixes", suffixes)
        if not (self.terms or self.suffixes or self.author or self.domain or self.cid):
            raise InputError(
                "the search has no word in it",
                hint="write at least one word with a letter or digit, or name a type, an author or a domain",
            )
        if len(self.terms) > QUERY_WORDS_MAX:
            raise InputError(f"a search has {QUERY_WORDS_MAX} words at most, not {len(self.terms)}")
        if max(map(len, (self.author, self.domain, *self.suffixes))) > QUERY_CHARS_MAX:
            raise InputError(f"a filter has {QUERY_CHARS_MAX} characters at most")
        if not 0 < self.limit <= LIMIT_MAX or self.after < 0:
            raise InputError(f"between 1 and {LIMIT_MAX} hits can be asked for, not {self.limit}")
        if self.size_min is not None and self.size_max is not None and self.size_min > self.size_max:
            raise InputError(
                f"the least size asked for, {self.size_min} bytes, is above the most, {self.size_max} bytes",
                hint="exchange them",
            )


def terms_of(text: str) -> tuple[Term, ...]:
    """What the words of a text ask for, each once. Raises `InputError` for a text that is too long."""
    if len(text) > QUERY_CHARS_MAX:
        raise InputError(f"a search has {QUERY_CHARS_MAX} characters at most, not {len(text)}")
    found = [
        Term(word, whole=match[1] is not None)
        for match in _PART.finditer(text)
        for word in words(match[1] if match[1] is not None else match[2])
    ]
    terms = list(dict.fromkeys(found))
    for term in reversed(terms.copy()):
        if len(terms) > QUERY_WORDS_MAX and is_alone(term.word):
            terms.remove(term)
    return tuple(terms)
