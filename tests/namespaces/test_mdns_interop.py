"""Multicast DNS with js-libp2p and py-libp2p over a real wire: each finds the other, and can dial it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.interop.install import command, how_to_get
from tests.namespaces.nodes import NodeProcess
from tests.namespaces.test_mdns import peer_id, watching
from tests.support import require

if TYPE_CHECKING:
    from pathlib import Path

    from tests.namespaces.link import Link


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("js", marks=pytest.mark.interop_js),
        pytest.param("py", marks=pytest.mark.interop_py),
    ],
)
def test_each_finds_the_other(link: Link, tmp_path: Path, name: str) -> None:
    argv = command(name, "mdns")
    require(argv, f"{name}-libp2p; get it with `{how_to_get(name)}`")
    assert argv is not None
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with (
        NodeProcess(link.left, "anna", tmp_path) as anna,
        watching(anna) as seen,
        subprocess.Popen(
            link.right.command(*argv, link.right.ip4), stdout=subprocess.PIPE, text=True, env=environment
        ) as foreign,
    ):
        try:
            assert foreign.stdout is not None
            theirs = json.loads(foreign.stdout.readline())["listen"]
            found = seen.until("PeerDiscovered", source="mdns", peer=theirs)
            assert [one for one in found["addresses"] if one.startswith(f"/ip4/{link.right.ip4}/tcp/")]
            seen.until("PeerConnected", peer=theirs)
            them = json.loads(foreign.stdout.readline())
            assert them["found"] == peer_id(anna)
            assert f"/ip4/{link.left.ip4}/tcp/4101" in [one.split("/p2p/")[0] for one in them["addrs"]]
        finally:
            foreign.kill()
        seen.until("PeerVanished", peer=theirs)
