"""What is shown of a peer is the truth, on a wire of known length and width between two machines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.namespaces.nodes import NodeProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.namespaces.link import Link


# A busy machine answers late: the node looks again soon, and what it shows is the truth in the end.
OFTEN = {"WARREN_PEERS_LATENCY_INTERVAL_S": "3"}


def within_a_fifth(node: NodeProcess, peer: str, truth_ms: float) -> None:
    shown = [0.0]
    until = time.monotonic() + 60
    while shown[-1] != pytest.approx(truth_ms, rel=0.2):
        assert time.monotonic() < until, shown
        shown.append(node.json("peer", "show", peer)["latency_ms"])


@pytest.mark.parametrize("link", [0.02], indirect=True)
@pytest.mark.parametrize(("up", "down"), [(1_000_000, 2_500_000), (2_500_000, 500_000)])
def test_latency_and_speeds_are_shown_within_a_fifth_of_the_truth(
    link: Link, tmp_path: Path, up: int, down: int
) -> None:
    with (
        NodeProcess(link.left, "anna", tmp_path, **OFTEN) as anna,
        NodeProcess(link.right, "ben", tmp_path, **OFTEN) as ben,
    ):
        ben.json("join", anna.ok("invite").strip())
        link.shape(link.right, up)
        link.shape(link.left, down)
        speed = ben.json("speedtest", "anna", "--seconds", 6)
        assert speed["rtt_ms"] == pytest.approx(40, rel=0.2)
        shown = ben.json("peer", "show", "anna")
        for found in (speed, shown):  # of what tc lets through some 5 % are headers
            assert found["upload_bytes_per_s"] == pytest.approx(up, rel=0.2)
            assert found["download_bytes_per_s"] == pytest.approx(down, rel=0.2)
        for node, peer in ((ben, "anna"), (anna, "ben")):
            # What was measured amid the beginning of the connection is made sure once the link is idle.
            within_a_fifth(node, peer, 40)
