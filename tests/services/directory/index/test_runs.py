"""Runs of ordinals, against looking at each ordinal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.services.directory.index.runs import Runs
from warren.services.directory.index.schema import RANK_SHIFT


@given(
    makers=st.lists(st.integers(1, 4), max_size=40),
    first=st.integers(1, 3),
    passed=st.sets(st.integers(1, 4)),
    ordinal=st.integers(0, 45),
    split=st.integers(0, 40),
)
def test_runs_say_where_to_go_on(
    makers: list[int], first: int, passed: set[int], ordinal: int, split: int
) -> None:
    """makers: of the ordinals from `first` on."""
    pairs = list(enumerate(makers, first))
    runs = Runs(pairs[:split])
    runs.extend(pairs[split:])
    maker = dict(pairs)
    found = runs.skip(ordinal, passed)
    if maker.get(min(ordinal, first + len(makers) - 1)) not in passed or ordinal < first:
        assert found is None
    else:
        later = (one for one, by in pairs if one > ordinal and by not in passed)
        assert found == next(later, 1 << RANK_SHIFT)
