"""Cutting bytes into chunks: what the property tests of the byte machines share."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

CUTS = st.lists(st.integers(0, 1 << 20), max_size=12)
"""Where to cut; taken modulo the length, so that any list fits any data."""


def chop(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at `cuts`; empty chunks are possible."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def bytewise(data: bytes) -> list[bytes]:
    """`data` cut into single bytes."""
    return [data[i : i + 1] for i in range(len(data))]
