"""Settings are of their type, and their numbers bound something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from warren.core.bounds import check_settings
from warren.core.errors import ConfigError


@dataclass(frozen=True)
class Some:
    count: int = 1
    span_s: float = 1.0
    text: str = ""
    flag: bool = False
    other: Any = None

    def __post_init__(self) -> None:
        check_settings(self, "some.", zero=("span_s",), most={"count": 5})


@pytest.mark.parametrize(
    "good", [{"count": 5}, {"span_s": 0}, {"span_s": 3}, {"flag": True}, {"other": object()}]
)
def test_what_fits_passes(good: dict[str, Any]) -> None:
    Some(**good)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "some.count must be above 0, not 0"),
        ({"count": 6}, "some.count must be 5 at most, not 6"),
        ({"count": True}, "some.count must be a whole number, not True"),
        ({"count": 1.0}, "some.count must be a whole number, not 1.0"),
        ({"span_s": -0.5}, "some.span_s must be 0 or above, not -0.5"),
        ({"span_s": float("nan")}, "some.span_s must be 0 or above, not nan"),
        ({"span_s": float("inf")}, "some.span_s must be 0 or above, not inf"),
        ({"span_s": "1"}, "some.span_s must be a number, not '1'"),
        ({"text": None}, "some.text must be text, not None"),
    ],
)
def test_what_does_not_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Some(**wrong)
    assert str(caught.value) == message
    assert caught.value.hint
