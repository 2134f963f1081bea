"""A town of simulated nodes that all fetch one file at the same time, from one who has it and each other.

In:  how many, how fast their lines are, who leaves, who lies, a seed. Out: when each had all of it, and what
the best possible scheme could have done. Everything follows from the seed; whole nodes, in virtual time.

The file is shared with everybody by node 0. Each receiver is connected to it and to nobody else; who else
fetches it tells it. Each line carries `up_bytes_per_s` out and `down_bytes_per_s` in, shared by all its
connections.

Churn: a receiver that is to leave does so at a random moment of the ideal time, for good. A liar has the
file and changes every chunk that it sends; it is told to everybody as a holder.

The optimum is that of a fluid that is cut as finely as one likes (Kumar, Ross: Peer-Assisted File
Distribution: The Minimum Distribution Time, 2006): max(F / source's up, F / down, N F / all that goes up).
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from warren import testing
from warren.core.errors import WarrenError
from warren.network.config import FOR_MANY
from warren.services.files import serving
from warren.services.files.config import FilesConfig
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from warren.core.cid import Cid
    from warren.node import Node
    from warren.protocols.transfer.server import Part
    from warren.runtime.seam import Disk
    from warren.services.files.serving import ReadChunks
    from warren.services.files.types import Share

CHUNK_BYTES: Final = 1 << 20
LATENCY_S: Final = 0.02
TIMES_MAX: Final = 20
"""A town that is not done after so many times the optimum is not going to be."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a town is like. chunks: of 1 MiB each. leaving, lying: how many."""

    receivers: int = 200
    chunks: int = 64
    up_bytes_per_s: float = 2_000_000
    down_bytes_per_s: float = 20_000_000
    source_up_bytes_per_s: float = 4_000_000
    leaving: int = 0
    lying: int = 0
    seed: int = 0

    @property
    def file_bytes(self) -> int:
        return self.chunks * CHUNK_BYTES

    @property
    def optimum_s(self) -> float:
        """The time until the last one could have it at best; those who leave and who lie give nothing."""
        size, staying = self.file_bytes, self.receivers - self.leaving
        together = self.source_up_bytes_per_s + staying * self.up_bytes_per_s
        return max(size / self.source_up_bytes_per_s, size / self.down_bytes_per_s, staying * size / together)


@dataclass(frozen=True, slots=True)
class Outcome:
    """took_s: of each receiver that stayed, in order. failed: those that did not get it. sent_bytes: of all
    nodes together, for what `needed_bytes` would do.
    """

    took_s: list[float]
    failed: int
    sent_bytes: int
    needed_bytes: int


async def run(plan: Plan) -> Outcome:
    """Build the town and let it fetch."""
    files = FilesConfig(serve_streams_max=4096, serve_strangers_max=4096)
    config = replace(QUIET, files=files, network=FOR_MANY)
    count = 1 + plan.receivers + plan.lying
    chance = random.Random(plan.seed)
    async with testing.network(
        count, degree=0, seed=plan.seed, latency_s=LATENCY_S, config=config, encrypted=False
    ) as nodes:
        _shape(nodes, plan)
        cid = await _share(nodes, plan, chance)
        receivers = nodes[1 : 1 + plan.receivers]
        liars = nodes[1 + plan.receivers :]
        sent_before = nodes.world.network.delivered_bytes
        leaving = {node.peer_id for node in chance.sample(receivers, plan.leaving)}
        begun = asyncio.get_running_loop().time()
        tasks = [
            asyncio.create_task(
                _fetch(node, cid, nodes[0], liars, plan, chance, leaves=node.peer_id in leaving)
            )
            for node in receivers
        ]
        ended = await asyncio.gather(*tasks)
        took = sorted(one - begun for one in ended if one is not None)
        staying = plan.receivers - plan.leaving
        return Outcome(
            took,
            staying - len(took),
            nodes.world.network.delivered_bytes - sent_before,
            staying * plan.file_bytes,
        )


def _shape(nodes: testing.Nodes, plan: Plan) -> None:
    for number in range(len(nodes)):
        up = plan.up_bytes_per_s if number else plan.source_up_bytes_per_s
        nodes.world.network.set_access(
            nodes.host(number), up_bytes_per_s=up, down_bytes_per_s=plan.down_bytes_per_s
        )


async def _share(nodes: testing.Nodes, plan: Plan, chance: random.Random) -> Cid:
    """The same file at node 0 and at those who lie about it."""
    data = chance.randbytes(plan.file_bytes)
    shared: Share | None = None
    for number in (0, *range(1 + plan.receivers, len(nodes))):
        disk = nodes.runtime(number).disk
        disk.make_dirs("/films")
        file = disk.open_write("/films/film.bin", create=True)
        file.pwrite(0, data)
        file.close()
        shared = await nodes[number].share("/films/film.bin", "public")
    assert shared is not None
    _make_liars(nodes, plan)
    return shared.cid


def _make_liars(nodes: testing.Nodes, plan: Plan) -> None:
    """Let their reading change what it read; one function serves all nodes of the process."""
    disks = {id(nodes.runtime(number).disk) for number in range(1 + plan.receivers, len(nodes))}
    honest = serving.read

    def read(disk: Disk, job: ReadChunks) -> list[Part]:
        parts = honest(disk, job)
        if id(disk) not in disks:
            return parts
        return [
            part._replace(payload=bytes([part.payload[0] ^ 1]) + part.payload[1:]) if part.payload else part
            for part in parts
        ]

    if disks:
        serving.read = read


async def _fetch(
    node: Node, cid: Cid, source: Node, liars: list[Node], plan: Plan, chance: random.Random, *, leaves: bool
) -> float | None:
    """When it had all of it; None where it left, or failed."""
    loop = asyncio.get_running_loop()
    for other in (source, *liars):
        await node.connect(other.addresses()[0])
    holders = [other.peer_id for other in (*liars, source)]
    transfer = node.get(cid, holders=holders)
    if leaves:
        await asyncio.sleep(chance.uniform(0, plan.optimum_s))
        await node.close()
        with suppress(WarrenError):
            await transfer.result()
        return None
    with suppress(WarrenError, TimeoutError):
        async with asyncio.timeout(TIMES_MAX * plan.optimum_s):
            await transfer.result()
            return loop.time()
    return None
