"""An hour of 200 whole nodes, in virtual time; prints what happened as JSON, and how long it took.

Each node has 8 neighbours, pings each of them every 15 s and broadcasts to them every five minutes. Nodes
start their rounds at moments of their own. Run by test_two_hundred_nodes.py, as a process of its own:
python two_hundred.py [MINUTES]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

from warren import testing

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node

NODES = 200
DEGREE = 8
LATENCY_S = 0.02
PING_EVERY_S = 15.0
BROADCAST_EVERY_S = 300.0
PROTOCOL = "/warren/test/news/1.0.0"


class Hour:
    """What is counted while the nodes run."""

    def __init__(self, nodes: testing.Nodes, minutes: int) -> None:
        self.nodes = nodes
        self.minutes = minutes
        self.pings = 0
        self.slowest_s = 0.0
        self.quickest_s = 1e9
        self.broadcasts = 0
        self.reached = 0
        self.failed = 0
        self.received = 0
        self.digests: list[str] = []

    async def run(self) -> None:
        for node in self.nodes:
            node.handle(PROTOCOL, self._take)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_down())
            for number, node in enumerate(self.nodes):
                offset_s = self.nodes.world.runtime(self.nodes.host(number)).entropy.uniform(0, PING_EVERY_S)
                tasks.create_task(self._ping(node, offset_s))
                tasks.create_task(self._broadcast(node, offset_s))

    async def _ping(self, node: Node, offset_s: float) -> None:
        for turn in range(round(self.minutes * 60 / PING_EVERY_S)):
            await _until(turn * PING_EVERY_S + offset_s)
            for peer in node.network.peers():
                (seconds,) = await node.ping(peer)
                self.pings += 1
                self.slowest_s = max(self.slowest_s, seconds)
                self.quickest_s = min(self.quickest_s, seconds)

    async def _broadcast(self, node: Node, offset_s: float) -> None:
        for turn in range(round(self.minutes * 60 / BROADCAST_EVERY_S)):
            await _until(turn * BROADCAST_EVERY_S + 2 * offset_s)
            report = await node.broadcast(PROTOCOL, f"news {turn}".encode())
            self.broadcasts += 1
            self.reached += len(report.reached)
            self.failed += len(report.failed)

    async def _write_down(self) -> None:
        """Keep a digest for every tenth of the time, so that runs that part ways show when they did."""
        for tenth in range(10):
            await _until(self.minutes * 6 * (tenth + 1))
            self.digests.append(self.nodes.world.trace_digest())

    def _take(self, _peer: PeerId, _payload: bytes) -> None:
        self.received += 1


async def _until(when: float) -> None:
    await asyncio.sleep(when - asyncio.get_running_loop().time())


async def main(minutes: int) -> None:
    started = time.monotonic()
    async with testing.network(NODES, degree=DEGREE, seed="two hundred", latency_s=LATENCY_S) as nodes:
        hour = Hour(nodes, minutes)
        await hour.run()
        facts = {name: value for name, value in vars(hour).items() if name != "nodes"}
        facts["virtual_s"] = asyncio.get_running_loop().time()
        facts["deliveries"] = nodes.world.deliveries
        facts["digests"].append(nodes.world.trace_digest())
        print(
            json.dumps({"facts": facts, "wall_s": time.monotonic() - started, "cpu_s": time.process_time()})
        )


if __name__ == "__main__":
    testing.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
