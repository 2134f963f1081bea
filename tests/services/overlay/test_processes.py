"""Three super-peers in a line, each a process of its own on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.services.directory.processes import Scene, all_ready, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.directory.processes import Peer


def line_of_three(scene: Scene) -> tuple[Peer, Peer, Peer]:
    """Super-peers that know their neighbours alone."""
    settings = {"exchange_enabled": "false", "discovery_connections": "0", "dht_mode": "off"}
    sam, sue, tom = (scene.peer(name, "super", **settings) for name in ("sam", "sue", "tom"))
    sue.begin()
    for one in (sam, tom):
        one.begin_with("--neighbour", sue.address)
    all_ready((sam, tom))
    eventually(lambda: sue.connected == 2)
    return sam, sue, tom


def test_a_line_of_three(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        sam, _, tom = line_of_three(scene)
        assert (sam.connected, tom.connected) == (1, 1)
        tom.share(scene.folder_of("Maps", {"old map.pdf": b"here be dragons"}))
        eventually(lambda: sam.search("old map"))
        (hit,) = sam.search("old map", ttl=2)
        assert hit["holders"][0]["peer_id"] == tom.peer_id
        assert sam.search("old map", ttl=1) == []
        tom.client.delete("shares", "Maps")
        eventually(lambda: not sam.search("old map"))
