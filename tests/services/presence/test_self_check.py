from __future__ import annotations

from typing import NamedTuple

import pytest

from warren.services.presence.self_check import HEARD_S, why_not


class Seen(NamedTuple):
    failures: int = 4
    failing_since: float = 800.0
    heard_at: float = 1000.0
    doubting: bool = False


NOW = 1000.0


def test_who_tried_itself_and_heard_others_meanwhile_may_vote() -> None:
    assert why_not(Seen(), NOW) == ""
    assert why_not(Seen(failures=2, failing_since=990.0), NOW) == ""


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (None, "tried"),
        (Seen(failures=1), "tried"),
        (Seen(doubting=True), "doubts"),
        (Seen(heard_at=float("-inf")), "heard"),
        (Seen(heard_at=799.0), "heard"),
        (Seen(heard_at=NOW - HEARD_S - 1), "heard"),
    ],
)
def test_who_has_no_evidence_may_not(seen: Seen | None, word: str) -> None:
    assert word in why_not(seen, NOW)
