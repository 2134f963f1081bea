"""Multicast DNS over a real wire: the programs of two users find each other, and notice a loss."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.namespaces.nodes import NodeProcess

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.namespaces.link import Link

FOUND_S = 2.0
NOTICED_S = 15.0
# Prints "watching", then each event of a node as it comes.
WATCH = """
import json, sys
from pathlib import Path
from warren.frontends.cli.client import Client
from warren.frontends.home import Home
home = Path(sys.argv[1])
events = Client(Home(home).door()).stream("GET", "events")
print("watching", flush=True)
for event in events:
    print(json.dumps(event), flush=True)
"""


class Watch:
    """The events of a node, as they come."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        for line in self._lines:
            said: dict[str, Any] = json.loads(line)
            if said["event"] == event and fields.items() <= said.items():
                return said
        raise AssertionError(f"no {event}")


@contextmanager
def watching(node: NodeProcess) -> Iterator[Watch]:
    """What happens in a node from now on, as its own API tells it."""
    words = node.machine.command(sys.executable, "-c", WATCH, node.variables["WARREN_HOME"])
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=node.variables) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        try:
            yield Watch(process.stdout)
        finally:
            process.kill()


def peer_id(node: NodeProcess) -> str:
    return str(node.json("status")["peer_id"])


@pytest.mark.parametrize("listen", ["/ip4/0.0.0.0/tcp/4101", "/ip6/::/tcp/4101"])
def test_a_newcomer_is_found_at_once_and_its_loss_is_noticed(link: Link, tmp_path: Path, listen: str) -> None:
    settings = {"WARREN_LISTEN": listen}
    with NodeProcess(link.left, "anna", tmp_path, **settings) as anna, watching(anna) as seen:
        with NodeProcess(link.right, "ben", tmp_path, **settings) as ben:
            ready = time.monotonic()
            found = seen.until("PeerDiscovered", source="mdns")
            seen.until("PeerConnected", peer=found["peer"])
            assert time.monotonic() - ready < FOUND_S
            assert peer_id(ben) == found["peer"]
            killed = time.monotonic()
        seen.until("PeerVanished", peer=found["peer"])
        assert time.monotonic() - killed < NOTICED_S


def test_a_machine_that_is_unplugged_is_noticed(link: Link, tmp_path: Path) -> None:
    with (
        NodeProcess(link.left, "anna", tmp_path) as anna,
        watching(anna) as seen,
        NodeProcess(link.right, "ben", tmp_path),
    ):
        found = seen.until("PeerDiscovered", source="mdns")
        seen.until("PeerConnected", peer=found["peer"])
        link.right.unplug()
        unplugged = time.monotonic()
        seen.until("PeerVanished", peer=found["peer"])
        assert time.monotonic() - unplugged < NOTICED_S


def test_who_stops_says_goodbye(link: Link, tmp_path: Path) -> None:
    with (
        NodeProcess(link.left, "anna", tmp_path) as anna,
        watching(anna) as seen,
        NodeProcess(link.right, "ben", tmp_path) as ben,
    ):
        found = seen.until("PeerDiscovered", source="mdns")
        ben.ok("down")
        stopped = time.monotonic()
        seen.until("PeerVanished", peer=found["peer"])
        assert time.monotonic() - stopped < 5.0


def test_a_node_on_loopback_joins_no_group_on_the_wire(link: Link, tmp_path: Path) -> None:
    def groups() -> str:
        return link.left.run("ip", "maddr", "show", "dev", "eth0")

    listen = "/ip4/127.0.0.1/tcp/4102,/ip6/::1/tcp/4102"
    with NodeProcess(link.left, "quiet", tmp_path, WARREN_LISTEN=listen) as quiet:
        assert "not by mdns: listens on no local link" in quiet.ok("status")
        assert "224.0.0.251" not in groups()
        assert "ff02::fb" not in groups()
        with NodeProcess(link.left, "loud", tmp_path) as loud:
            while "by mdns (on 10.77.0.1, fd77::1)" not in loud.ok("status"):
                pass
            assert "224.0.0.251" in groups()
            assert "ff02::fb" in groups()
