"""What is shown of a peer is the truth, on a wire of known length and width between two machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.namespaces.nodes import NodeProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.namespaces.link import Link

# Of the bytes on the wire these are headers of Ethernet, IP and TCP with full packets: 66 of 1514.
HEADERS = 66 / 1514


@pytest.mark.parametrize("link", [0.02], indirect=True)
@pytest.mark.parametrize(("up", "down"), [(1_000_000, 2_500_000), (2_500_000, 500_000)])
def test_latency_and_speeds_are_shown_within_a_fifth_of_the_truth(
    link: Link, tmp_path: Path, up: int, down: int
) -> None:
    with NodeProcess(link.left, "anna", tmp_path) as anna, NodeProcess(link.right, "ben", tmp_path) as ben:
        ben.json("join", anna.ok("invite").strip())
        link.shape(link.right, up)
        link.shape(link.left, down)
        speed = ben.json("speedtest", "anna", "--seconds", 6)
        print(speed)
        assert speed["rtt_ms"] == pytest.approx(40, rel=0.2)
        assert speed["upload_bytes_per_s"] == pytest.approx(up * (1 - HEADERS), rel=0.2)
        assert speed["download_bytes_per_s"] == pytest.approx(down * (1 - HEADERS), rel=0.2)
