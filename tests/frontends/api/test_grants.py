"""Keys that open one file for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.frontends.api.grants import LIFE_S, Expired, Grants, is_key

NOW = 1_800_000_000.5
GRANTS = Grants("a secret")
KEY, EXPIRES = GRANTS.make("cid", NOW)


def test_a_key_opens_its_file_for_a_day() -> None:
    assert EXPIRES == 1_800_086_400
    assert is_key(KEY)
    assert GRANTS.opens(KEY, "cid", NOW)
    assert GRANTS.opens(KEY, "cid", EXPIRES - 0.01)
    with pytest.raises(Expired) as caught:
        GRANTS.opens(KEY, "cid", EXPIRES)
    assert caught.value.at == EXPIRES


def test_it_opens_no_other_file_and_nothing_of_another_run() -> None:
    assert not GRANTS.opens(KEY, "cic", NOW)
    assert not GRANTS.opens(KEY, "", NOW)
    assert not GRANTS.opens(KEY, "cid\udcff", NOW)
    assert not Grants("another secret").opens(KEY, "cid", NOW)


def test_a_later_end_needs_another_key() -> None:
    longer = KEY.replace(str(int(EXPIRES)), str(int(EXPIRES + LIFE_S)))
    assert is_key(longer)
    assert not GRANTS.opens(longer, "cid", NOW)
    expired = Grants("another secret").make("cid", NOW - 2 * LIFE_S)[0]
    assert not GRANTS.opens(expired, "cid", NOW), "nothing is said of a key that was never one"


def test_the_end_and_the_content_id_do_not_run_into_each_other() -> None:
    """The same bytes, cut elsewhere."""
    expires = int(EXPIRES)
    shifted = KEY.replace(f"-{expires}-", f"-{expires // 10}-")
    assert not GRANTS.opens(shifted, f"{expires % 10}cid", 0)


@given(st.text() | st.from_regex(r"file-[0-9]{1,16}-[A-Za-z0-9_-]{43}", fullmatch=True))
def test_nothing_else_opens_it(text: str) -> None:
    assert not GRANTS.opens(text, "cid", NOW)


@given(st.integers(0, len(KEY) - 1), st.characters())
def test_no_other_character_anywhere(at: int, character: str) -> None:
    other = KEY[:at] + character + KEY[at + 1 :]
    assert (other == KEY) == GRANTS.opens(other, "cid", NOW)
