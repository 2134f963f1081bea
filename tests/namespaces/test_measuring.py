"""What is shown of a peer is the truth, on a wire of known length and width between two machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.namespaces.nodes import NodeProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.namespaces.link import Link


SAMPLES = 20
"""So many round trips of an idle link are enough for the figure, whatever came before them."""


@pytest.mark.alone
@pytest.mark.parametrize("link", [0.02], indirect=True)
@pytest.mark.parametrize(("up", "down"), [(1_000_000, 2_500_000), (2_500_000, 500_000)])
def test_latency_and_speeds_are_shown_within_a_fifth_of_the_truth(
    link: Link, tmp_path: Path, up: int, down: int
) -> None:
    with (
        NodeProcess(link.left, "anna", tmp_path) as anna,
        NodeProcess(link.right, "ben", tmp_path) as ben,
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
            # What was measured amid the beginning of the connection gives way once the link is idle.
            node.ok("ping", peer, "-c", SAMPLES, "-i", 0.05)
            assert node.json("peer", "show", peer)["latency_ms"] == pytest.approx(40, rel=0.2)
