"""Whether an entry is what a query asks for. Pure.

In:  a query, an entry as somebody else sent it. Out: yes or no. It is generous where indexes may differ (all
that is said counts, and the beginning of every word), so it refuses only what no honest index would give.
Texts are taken apart as indexes do it, folders apart from the name: each may have only so many words.
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
    if query.cid is not None and entry.cid != query.cid:
        return False
    if query.size_min is not None and entry.size < query.size_min:
        return False
    if query.size_max is not None and entry.size > query.size_max:
        return False
    if query.suffixes and (entry.suffix or (entry.kind == "dir" and "dir")) not in query.suffixes:
        return False
    said = entry.metadata
    if not (_all_begin(query.author, said.authors) and _all_begin(query.domain, said.domains)):
        return False
    folder, _, name = entry.path.rpartition("/")
    one_text = (folder, name, said.title, said.abstract, said.licence)
    found = _words([*one_text, *said.authors, *said.domains, *said.tags])
    return all(
        word in found if term.whole else _begins(word, found)
        for term in query.terms
        for word in words(term.word)
    )


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in words(text)}


def _begins(word: str, found: set[str]) -> bool:
    return word in found or any(one.startswith(word) for one in found)


def _all_begin(text: str, names: tuple[str, ...]) -> bool:
    found = _words(names) if text else set()
    return all(_begins(word, found) for word in words(text))
