"""What bench/directory_storm.py makes of its figures: the rows, the table, what is missed."""

from __future__ import annotations

from collections import Counter

from bench.directory_storm import Plan, Row, missed, storm_rows, table
from bench.storm_town import Storm

GOOD = Storm(
    took_s=12.0, messages=140, bytes=1 << 20, registrations=Counter({"lease: Held": 10}), refused=Counter()
)


def missed_of(plan: Plan, storm: Storm, cpu_s: float = 1.0) -> list[str]:
    return [line.split(":")[0] for line in missed(storm_rows(plan, storm, cpu_s))]


def test_a_storm_that_is_absorbed_misses_nothing() -> None:
    assert missed_of(Plan(peers=10), GOOD) == []


def test_each_bound_is_named() -> None:
    registrations = Counter({"lease: Held": 10, "snapshot: Held": 1, "lease: RefusedAnswer": 1})
    bad = Storm(took_s=None, messages=0, bytes=0, registrations=registrations, refused=Counter())
    assert missed_of(Plan(peers=10), bad, 61.0) == [
        "storm, virtual time",
        "storm, CPU",
        "storm, snapshots sent",
        "storm, leases and registrations refused",
    ]


def test_with_a_lost_index_each_snapshot_comes_once() -> None:
    plan = Plan(peers=10, index_is_lost=True)
    assert missed_of(plan, GOOD) == ["storm, snapshots sent"]
    GOOD.registrations["snapshot: Held"] = 10
    assert missed_of(plan, GOOD) == []


def test_the_table_says_what_was_promised() -> None:
    lines = table([Row("a", "1"), Row("b", "2", "2", True), Row("c", "3", "2", False)]).splitlines()
    assert lines[2:] == ["| a | 1 |  |  |", "| b | 2 | 2 | yes |", "| c | 3 | 2 | NO |"]
