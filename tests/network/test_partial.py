from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from warren.network.partial import longest_incomplete


@dataclass
class Holder:
    partial_bytes: int
    partial_since: float


@pytest.mark.parametrize(("bytes_over", "expected"), [(0, []), (1, [2.0]), (10, [2.0]), (11, [2.0, 3.0])])
def test_who_has_waited_longest_goes_first_and_no_more_than_need_be(
    bytes_over: int, expected: list[float]
) -> None:
    sockets: Any = [Holder(10, 5.0), Holder(10, 2.0), Holder(0, 1.0), Holder(10, 3.0)]
    assert [s.partial_since for s in longest_incomplete(sockets, bytes_over)] == expected


def test_all_go_where_all_are_not_enough() -> None:
    sockets: Any = [Holder(10, 5.0)]
    assert longest_incomplete(sockets, 100) == sockets
