"""A small town of super-peers is measured, drawn and judged."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.overlay import TUNED_ON, Row, main, measure, missed, of_third, table, together
from bench.overlay_flood import flood
from bench.overlay_plot import svg
from bench.overlay_town import DIAL_BYTES, DIAL_MESSAGES, Town
from warren import testing
from warren.services.overlay.asking import Asking

if TYPE_CHECKING:
    import random


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return measure(1.0, 4, 18, nodes=120, files=3000)


def test_a_small_town_finds_what_is_there(rows: list[Row]) -> None:
    assert [row.third for row in rows] == ["popular", "middle", "single"]
    assert min(row.recall for row in rows) >= 0.9
    assert min(row.recall_of_contents for row in rows) >= 0.9
    total = together(rows)
    assert len(total.recalls) == 18
    assert total.flood_messages > 18 * 7 * 100
    assert len({line.count("|") for line in table([*rows, total]).splitlines()}) == 1


def test_the_plot_has_two_curves_for_each_third(rows: list[Row]) -> None:
    drawing = ET.fromstring(svg(rows))  # noqa: S314 - we have made it
    curves = [one for one in drawing.iter("{http://www.w3.org/2000/svg}path") if "L" in (one.get("d") or "")]
    assert len(curves) == 6


def test_what_is_missed_is_said(rows: list[Row]) -> None:
    bad = Row(
        1.0, 4, "single", recalls=[0.5], content_recalls=[0.5], flood_messages=100, flood_bytes=100, bytes=26
    )
    bad.messages["ask"] = 26
    assert len(missed([bad])) == 3
    good = Row(
        1.0, 4, "single", recalls=[1.0], content_recalls=[1.0], flood_messages=100, flood_bytes=100, bytes=25
    )
    assert missed([good]) == []
    assert rows


def test_a_flood_asks_everybody_by_every_way_but_back() -> None:
    town = Town(5, 1.0, nodes=60, files=800, dht=False)
    file = of_third(town.files, "single")[0]
    asker = next(number for number in range(60) if number not in file.holders)
    query = town.query_for(file)
    tally, curve = town.flood(asker, query)
    assert tally.messages["ask"] == 8 + 59 * 7
    assert curve[-1][1] == sum(map(len, town.existing(asker, query).values())) > 0


NODES = st.integers(0, 9)


def distances(edges: list[tuple[int, int]], start: int) -> dict[int, int]:
    found, ring = {start: 0}, [start]
    while ring:
        ring = [b for one in edges for a, b in (one, one[::-1]) if a in ring and b not in found]
        found |= {one: max(found.values()) + 1 for one in dict.fromkeys(ring)}
        ring = list(dict.fromkeys(ring))
    return found


@given(
    st.sets(
        st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda edge: edge[0] < edge[1]), max_size=20
    ),
    st.dictionaries(
        st.integers(1, 9), st.lists(st.tuples(st.integers(1, 9), st.integers(50, 99)), max_size=2)
    ),
    st.randoms(use_true_random=False),
)
def test_a_flood_costs_what_can_be_computed(
    edges: set[tuple[int, int]], answers: dict[int, list[tuple[int, int]]], chance: random.Random
) -> None:
    graph = sorted(edges)
    hops = distances(graph, 0)
    degrees = Counter(one for edge in graph for one in edge if one in hops)
    there = [(hops[one], *answer) for one, several in answers.items() if one in hops for answer in several]
    even = flood(graph, 0, answers, lambda: 0.1)
    # Everybody asks all neighbours but the one that it was asked by; hits take the shortest way.
    assert even.asks == sum(degrees.values()) - (len(hops) - 1)
    assert even.asked == len(hops) - 1
    assert even.hit_messages == sum(far for far, _, _ in there)
    assert even.hit_bytes == sum(far * size for far, _, size in there)
    assert even.found == sum(count for _, count, _ in there)
    uneven = flood(graph, 0, answers, lambda: chance.uniform(0.02, 0.12))
    assert (uneven.asks, uneven.asked, uneven.found) == (even.asks, even.asked, even.found)
    assert uneven.hit_messages >= even.hit_messages


def test_a_search_in_the_town_is_that_of_the_product() -> None:
    town = Town(5, 1.0, nodes=30, files=300, dht=False)
    file = next(file for file in town.files if 3 <= len(file.holders) <= 9)
    query = replace(town.query_for(file), limit=2)
    asker = next(number for number in range(30) if number not in file.holders)
    with patch("bench.overlay_town.Asking", wraps=Asking) as asked:
        found = town.search(asker, query, 5)
    asked.assert_called_once()
    assert found.found == found.of == 2
    assert found.tally.messages["ask"] == found.tally.messages["done"] > 0


def test_connecting_costs_no_more_than_is_counted() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            before = nodes.world.deliveries, sum(one.network.counts().bytes_out for one in nodes)
            await nodes[0].connect(nodes[1].addresses()[0])
            await asyncio.sleep(2)
            assert nodes.world.deliveries - before[0] <= DIAL_MESSAGES
            assert sum(one.network.counts().bytes_out for one in nodes) - before[1] <= DIAL_BYTES

    testing.run(main())


def test_seeds_for_tuning_are_refused() -> None:
    with pytest.raises(SystemExit):
        main(["--seeds", str(TUNED_ON[0])])
