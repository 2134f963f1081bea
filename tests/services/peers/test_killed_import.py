"""A process that is killed while it imports a list of peers, on a real disk: no entry is there by half."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.services.peers.support import metadata
from tests.support import run
from warren import Node, testing
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.services.peers import full_form
from warren.services.peers.lists import _BATCH
from warren.services.peers.model import Figure, Kept, Peer

if TYPE_CHECKING:
    from warren import Config
    from warren.core.peer_id import PeerId

PEERS = 2500
KILLS = 4
MEASURED_AT = 1_767_225_600.0
IMPORTER = """
import asyncio, sys
from pathlib import Path
from tests.services.peers.test_killed_import import config
from warren import Node
from warren.services.peers.lists import PeerLists

take_in = PeerLists._take_in

async def told(*given):
    await take_in(*given)
    print("batch", flush=True)

async def main(home, path):
    async with Node(config(home)) as node:
        print("ready", flush=True)
        PeerLists._take_in = told
        await node.peer_lists.import_file(path)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def config(home: Path) -> Config:
    return replace(testing.QUIET, home=home, listen=("/ip4/127.0.0.1/tcp/0",), name="me")


def entry(number: int) -> Kept:
    """A peer with something in each table, which another peer's list says of it."""
    key = PrivateKey.from_seed(b"listed" + number.to_bytes(26))
    addresses = tuple(Multiaddr.tcp(f"198.18.{number // 250}.{number % 250}", port) for port in (1, 2, 3))
    peer = Peer(
        peer_id=key.peer_id,
        addresses=addresses,
        first_seen=MEASURED_AT - number,
        last_seen=MEASURED_AT,
        latency=Figure(number / 1e5, MEASURED_AT),
        download=Figure(number * 1e3, MEASURED_AT),
        metadata={"number": str(number)},
        agent=f"agent/{number}",
        roles=("dht",),
    )
    signed = PeerRecord(key.peer_id, number + 1, addresses[2:]).seal(key)
    return Kept(peer, {addresses[0]: MEASURED_AT}, signed, metadata(key, number + 1, number=str(number)))


def import_until_killed(home: Path, path: Path, batches: int, longer_s: float) -> int:
    """Kill an import so long after so many of its batches were written; how many it said there were."""
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTER, str(home), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as importer:
        assert importer.stdout is not None
        assert importer.stdout.readline() == "ready\n"
        for _ in range(batches):
            assert importer.stdout.readline() == "batch\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            importer.wait(longer_s)
        importer.kill()
        return batches + importer.stdout.read().count("\n")


async def whole(node: Node, entries: dict[PeerId, Kept]) -> int:
    """How many entries the table holds; each has all that the list says."""
    number = count = 0
    while (page := await node.peers.kept_after(number, 500))[0]:
        some, number = page
        for one in some:
            told = entries[one.peer.peer_id]
            assert one.peer == replace(
                told.peer, sources=("import",), addresses=one.peer.addresses, first_hand=one.peer.first_hand
            )
            assert set(one.peer.addresses) == set(told.peer.addresses)
            assert (one.proven, one.record, one.metadata) == (told.proven, told.record, told.metadata)
        count += len(some)
    return count


def test_a_kill_amid_an_import_leaves_whole_entries_and_it_can_be_done_again(tmp_path: Path) -> None:
    chance = random.Random()
    home, path = tmp_path / "home", tmp_path / "peers.json"
    entries = {one.peer.peer_id: one for one in map(entry, range(PEERS))}
    listed = [full_form.write_entry(one) for one in entries.values()]
    path.write_text(json.dumps({full_form.HEAD: full_form.VERSION, full_form.NAME: listed}))

    async def counted() -> int:
        async with Node(config(home)) as node:
            assert node.damage == ""
            return await whole(node, entries)

    async def imported() -> tuple[int, int, int]:
        async with Node(config(home)) as node:
            report = await node.peer_lists.import_file(path)
            assert await whole(node, entries) == PEERS
            return report.added, report.known, report.problem_count

    before = 0
    for _ in range(KILLS):
        batches, longer_s = chance.randrange(PEERS // _BATCH), chance.uniform(0, 0.1)
        written = import_until_killed(home, path, batches, longer_s)
        found = run(counted())
        assert found >= max(before, written * _BATCH), (batches, longer_s)
        assert found % _BATCH == 0, (batches, longer_s)
        before = found
    assert run(imported()) == (PEERS - before, before, 0)
