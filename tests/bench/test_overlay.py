"""A small town of super-peers is measured, drawn and judged."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bench.overlay import TUNED_ON, Row, main, measure, missed, of_third, table, together
from bench.overlay_plot import svg
from bench.overlay_town import Town


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return measure(1.0, 4, 18, nodes=120, files=3000)


def test_a_small_town_finds_what_is_there(rows: list[Row]) -> None:
    assert [row.third for row in rows] == ["popular", "middle", "single"]
    assert min(row.recall for row in rows) >= 0.9
    total = together(rows)
    assert len(total.recalls) == 18
    assert total.flood_messages > 18 * 7 * 100
    assert len({line.count("|") for line in table([*rows, total]).splitlines()}) == 1


def test_the_plot_has_two_curves_for_each_third(rows: list[Row]) -> None:
    drawing = ET.fromstring(svg(rows))  # noqa: S314 - we have made it
    curves = [one for one in drawing.iter("{http://www.w3.org/2000/svg}path") if "L" in (one.get("d") or "")]
    assert len(curves) == 6


def test_what_is_missed_is_said(rows: list[Row]) -> None:
    bad = Row(1.0, 4, "single", recalls=[0.5], flood_messages=100, flood_bytes=100, bytes=26)
    bad.messages["ask"] = 26
    assert len(missed([bad])) == 3
    good = Row(1.0, 4, "single", recalls=[1.0], flood_messages=100, flood_bytes=100, bytes=25)
    assert missed([good]) == []
    assert rows


def test_a_flood_asks_everybody_by_every_way_but_back() -> None:
    town = Town(5, 1.0, nodes=60, files=800, dht=False)
    file = of_third(town.files, "single")[0]
    asker = next(number for number in range(60) if number not in file.holders)
    query = town.query_for(file)
    flood, curve = town.flood(asker, query)
    assert flood.messages["ask"] == 8 + 59 * 7
    assert curve[-1][1] == sum(town.existing(asker, query).values()) > 0


def test_seeds_for_tuning_are_refused() -> None:
    with pytest.raises(SystemExit):
        main(["--seeds", str(TUNED_ON[0])])
