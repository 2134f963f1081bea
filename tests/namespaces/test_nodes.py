"""Two users on two machines: their nodes meet over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.namespaces.nodes import NodeProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.namespaces.link import Link


def test_two_nodes_meet_and_ping(link: Link, tmp_path: Path) -> None:
    with NodeProcess(link.left, "anna", tmp_path) as anna, NodeProcess(link.right, "ben", tmp_path) as ben:
        assert ben.json("join", anna.ok("invite").strip())["name"] == "anna"
        assert ben.json("ping", "anna", "-c", 3)["count"] == 3
        assert anna.json("ping", "ben", "-c", 3)["count"] == 3
        assert anna.address.startswith("/ip4/10.77.0.1/tcp/4101/p2p/12D3")
