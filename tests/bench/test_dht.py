"""What bench/dht.py makes of its rows: the table, the plot, and whether two runs agree."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import dht_town
from bench.dht import COLUMNS, Plan, agree, missed, table
from bench.dht_plot import svg
from bench.dht_town import Tally, quantile

SVG = "{http://www.w3.org/2000/svg}"


def row(nodes: int, **changes: Any) -> dict[str, Any]:
    facts = {name: 1.5 for _, name in COLUMNS}
    counted = {"churn_minutes": None, "liars": 0.0, "cipher": "plain", "success": 0.998}
    return {**facts, **counted, "nodes": nodes, "hops_median": 1, "hops_p99": 3, **changes}


def texts(drawing: str) -> list[str]:
    root = ET.fromstring(drawing)  # noqa: S314 - we have made it
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_the_plot_shows_each_size_at_rest_once() -> None:
    rows = [row(1000), row(100), row(100, hops_p99=2), row(5000, churn_minutes=60.0), row(2000, liars=0.2)]
    drawing = svg(rows)
    assert [text for text in texts(drawing) if text in ("100", "1,000", "2,000", "5,000")] == ["100", "1,000"]
    circles = list(ET.fromstring(drawing).iter(f"{SVG}circle"))  # noqa: S314
    assert len(circles) == 2 * 4
    for circle in circles:
        assert 0 <= float(circle.get("cx", "-1")) <= 640
        assert 0 <= float(circle.get("cy", "-1")) <= 520


def test_one_size_is_a_plot_too() -> None:
    assert "100" in texts(svg([row(100, hops_median=0, hops_p99=0, requests_mean=0.0, upkeep_requests=0.0)]))


def test_the_table_has_a_line_for_each_row_and_a_dash_for_what_was_not_measured() -> None:
    lines = table([row(1000), row(10_000, providers_success=float("nan"))]).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| 1,000 | plain | - | 0 % | 99.8 % |")
    assert lines[3].split("|")[10] == " - "


def test_runs_agree_when_only_their_ciphers_and_what_they_cost_differ() -> None:
    one = row(1000, cipher="noise", cpu_s=8.0, wall_s=9.0, peak_mib=900)
    assert agree(one, row(1000)) == []
    assert agree(one, row(1000, hops_p99=4, deliveries=1)) == ["hops_p99"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"success": 0.98}, ["find 99 % of peers"]),
        ({"success": 0.98, "churn_minutes": 60.0}, []),
        ({"success": 0.96, "churn_minutes": 60.0}, ["find 97 % of peers"]),
        ({"success": 0.5, "liars": 0.2}, []),
        ({"providers_success": 0.89}, ["find 90 % of providers"]),
        ({"providers_success": float("nan")}, []),
        (
            {"hops_median": 3, "hops_p99": 5},
            ["take 2 hops at most in the median", "take 4 hops at most in 99 of 100"],
        ),
        ({"connections_most": 33}, ["have 32 connections at most"]),
        ({"peak_mib": 20_000}, ["fit in 16 GiB"]),
        ({"cpu_s": 1900.0}, ["be done in 30 minutes of a core"]),
        ({"cpu_s": 1900.0, "cipher": "noise"}, []),
    ],
)
def test_a_row_that_misses_a_bound_says_which(changes: dict[str, Any], said: list[str]) -> None:
    assert missed(row(1000, **changes)) == said


@pytest.mark.parametrize(("part", "expected"), [(0.5, 51), (0.99, 100), (0.0, 1)])
def test_quantiles_are_values_that_were_there(part: float, expected: int) -> None:
    assert quantile(range(1, 101), part) == expected


def test_a_tally_sums_up() -> None:
    tally = Tally(4, 3, [1, 1, 2], [10, 20], [0.1, 0.2, 0.3])
    assert tally.summary() == {
        "tried": 4,
        "success": 0.75,
        "hops_median": 1,
        "hops_p99": 2,
        "requests_mean": 15.0,
        "took_s_median": 0.2,
    }
    assert Plan(100).cipher == "plain"


def test_a_process_may_remember_as_much_as_its_nodes_would(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in dht_town._MEMORIES:
        monkeypatch.setattr(module, name, getattr(module, name))  # put back at the end
    dht_town.remember(8, 100)
    sizes = {getattr(module, name).cache_parameters()["maxsize"] for module, name in dht_town._MEMORIES}
    assert sizes == {800}
