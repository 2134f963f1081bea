"""What a search leaves out may not score more than it supposes; what a content is found by."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import Cid
from warren.core.entry import CID_BYTES_MAX, Entry
from warren.core.query import Query, Term
from warren.core.words import words
from warren.protocols.directory.entries import Registered
from warren.services.directory.index.documents import content_word, to_put
from warren.services.directory.index.matching import Wanted

WORDS = st.sampled_from(["may", "maybe", "mayor", "jun", "june", "of", "the", "x"])
CID = Cid.raw_sha256(hashlib.sha256(b"").digest())


@given(
    name=st.lists(WORDS, max_size=20),
    folder=st.lists(WORDS, max_size=20),
    asked=st.lists(st.builds(Term, WORDS, st.booleans()), min_size=1, max_size=4),
)
def test_no_document_scores_more_than_its_rank_and_its_whole_words_allow(
    name: list[str], folder: list[str], asked: list[Term]
) -> None:
    _, document, _ = to_put(Registered(Entry(f"S {' '.join(folder)}/{' '.join(name)}", "file", 1, CID)))
    wanted = Wanted(Query(tuple(asked)))
    wholes = sum(word in name for word in wanted.beginnings)
    for rank in range(document.rank + 1):
        assert wanted.score(document.name, document.rest) <= wanted.score_max(rank, wholes) + 1e-9


@given(st.binary(max_size=CID_BYTES_MAX))
def test_what_a_content_is_found_by_is_one_character_that_no_text_is_found_by(cid: bytes) -> None:
    word = content_word(cid)
    assert (len(word), words(word), words(f"a{word}b")) == (1, [], ["a", "b"])
    assert word.encode()
