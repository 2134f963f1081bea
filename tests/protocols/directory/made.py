"""Entries, queries and keys, made by Hypothesis or by hand."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import strategies as st

from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.keys import PrivateKey
from warren.core.query import Query, Term
from warren.protocols.directory.entries import Registered


@lru_cache
def key(number: int) -> PrivateKey:
    return PrivateKey.from_seed(number.to_bytes(32, "big"))


def entry(path: str, size: int = 5, **metadata: object) -> Entry:
    """A file, whose content follows from its path and size."""
    cid = Cid.raw_sha256(f"{path} {size}".encode()[:32].ljust(32, b"."))
    return Entry(path, "file", size, cid, Metadata(**metadata))  # type: ignore[arg-type]


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
parts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8)
paths = st.lists(parts.filter(lambda part: part != ".."), min_size=1, max_size=4).map("/".join)
metadata = st.builds(
    Metadata,
    title=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    authors=st.lists(text, max_size=3).map(tuple),
    tags=st.lists(text, max_size=3).map(tuple),
)
entries = st.builds(
    Entry,
    paths,
    st.sampled_from(["file", "dir"]),
    st.integers(0, (1 << 63) - 1),
    st.binary(min_size=32, max_size=32).map(Cid.raw_sha256),
    metadata,
)
registered = st.builds(Registered, entries, st.integers(0, 1000))
peers = st.integers(1, 20).map(lambda number: key(number).peer_id)
words = st.text("abcdefghij0123", min_size=1, max_size=10)
queries = st.builds(
    Query,
    terms=st.lists(st.builds(Term, words, st.booleans()), min_size=1, max_size=5).map(tuple),
    suffixes=st.lists(words, max_size=3).map(tuple),
    size_min=st.none() | st.integers(0, 100),
    size_max=st.none() | st.integers(100, 1000),
    author=words | st.just(""),
    domain=words | st.just(""),
    online=st.booleans(),
    limit=st.integers(1, 500),
    after=st.integers(0, 1000),
    cid=st.none() | st.binary(min_size=32, max_size=32).map(Cid.raw_sha256),
)
