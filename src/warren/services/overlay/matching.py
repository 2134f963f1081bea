"""Whether a hit is what was searched for. Pure.

In:  a query, an entry as somebody far away sent it. Out: yes or no. It is generous where indexes may differ
(the whole path and all metadata count), so that it refuses only what no honest index would give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.entry import Entry
    from warren.core.query import Query


def matches(query: Query, entry: Entry) -> bool:
    """Whether all words are there and the filters hold."""
    about = entry.metadata
    if query.size_min is not None and entry.size < query.size_min:
        return False
    if query.size_max is not None and entry.size > query.size_max:
        return False
    if query.suffixes and (entry.suffix or ("dir" if entry.kind == "dir" else "")) not in query.suffixes:
        return False
    texts = [entry.path, about.title, about.abstract, about.licence]
    found = _words([*texts, *about.authors, *about.domains, *about.tags])
    if not all(term.word in found if term.whole else _begins(term.word, found) for term in query.terms):
        return False
    return _all_begin(query.author, about.authors) and _all_begin(query.domain, about.domains)


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in words(text)}


def _begins(word: str, found: set[str]) -> bool:
    return word in found or any(one.startswith(word) for one in found)


def _all_begin(text: str, names: tuple[str, ...]) -> bool:
    found = _words(names) if text else set()
    return all(_begins(word, found) for word in words(text))
