from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.core.group_name import GROUP_NAME_CHARS_MAX, group_name


def test_a_name_has_one_form() -> None:
    assert group_name(" Family ") == group_name("FAMILY") == "family"
    assert group_name("Cafe\u0301") == group_name("CAFÉ") == "café"
    assert group_name("two words") == "two words"


@pytest.mark.parametrize(
    "text",
    ["", " ", "x" * (GROUP_NAME_CHARS_MAX + 1), "a/b", "a:b", "a,b", "-a", "a\u202eb", "a\nb", "\ud800"],
)
def test_what_cannot_be_typed_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="group"):
        group_name(text)


@given(st.text(max_size=70))
def test_a_form_stays_as_it_is(text: str) -> None:
    try:
        name = group_name(text)
    except InputError:
        return
    assert group_name(name) == name
