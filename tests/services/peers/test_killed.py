"""A process that is killed while it writes the table, on a real disk: what it acknowledged is there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.peers.support import records
from tests.support import run
from warren import Config, Node
from warren.core.errors import StorageError
from warren.core.keys import PrivateKey
from warren.core.peer_record import PeerRecord

WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from tests.services.peers.test_killed import config, key_of, sealed
from warren import Node

async def main(home, start):
    async with Node(config(home)) as node:
        print("ready", flush=True)
        for number in itertools.count(start):
            key = key_of(number)
            await node.peers.seen(key.peer_id)
            await node.peers.note_latency(key.peer_id, number / 1e6, None)
            await node.peers.note_record(sealed(number), "exchange")
            await node.peers.commit()
            if number % 3 == 0:
                await node.peers.block(key.peer_id)
            if number % 5 == 0:
                await node.peers.own.set("count", str(number))
            print(number, flush=True)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def config(home: Path) -> Config:
    return Config(home=home, listen=("/ip4/127.0.0.1/tcp/0",), name="me")


def key_of(number: int) -> PrivateKey:
    return PrivateKey.from_seed(number.to_bytes(32))


def sealed(number: int) -> bytes:
    key = key_of(number)
    return PeerRecord(key.peer_id, number + 1, ()).seal(key)


def acknowledged_until_killed(home: Path, start: int, count: int) -> int:
    """The last number that the writer said it had written, when it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), str(start)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        last = start
        for _ in range(count):
            last = int(writer.stdout.readline())
        writer.kill()
        said = writer.stdout.read().split("\n")
        return max([last, *(int(word) for word in said[:-1])])


async def _check(home: Path, last: int) -> None:
    async with Node(config(home)) as node:
        assert node.damage == ""
        for number in range(last + 1):
            key = key_of(number)
            found = await node.peers.get(key.peer_id)
            assert found is not None, number
            assert found.blocked == node.peers.is_blocked(key.peer_id)
            if number % 3 == 0:
                assert found.blocked
            # Written by the same commit as the record that was acknowledged.
            assert found.latency is not None
            assert found.latency.value == number / 1e6
        kept = {record for record, _ in await records(node.peers)}
        assert kept >= {sealed(number) for number in range(last + 1)}
        assert int(node.peers.own.entries["count"]) >= last - last % 5


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    start = 0
    for count in (7, 40, 23):
        last = acknowledged_until_killed(tmp_path / "home", start, count)
        run(_check(tmp_path / "home", last))
        start = last + 1


def second(home: Path) -> subprocess.CompletedProcess[str]:
    """A writer where another node runs."""
    return subprocess.run(
        [sys.executable, "-c", WRITER, str(home), "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=Path(__file__).parents[3],
    )


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with Node(config(tmp_path / "home")) as node:
            done = await asyncio.to_thread(second, tmp_path / "home")
            assert done.returncode != 0
            assert "a node already runs" in done.stderr
            with pytest.raises(StorageError, match="already runs"):
                await Node(config(tmp_path / "home")).start()
            await node.peers.seen(key_of(1).peer_id)
            assert await node.peers.count() == 1

    run(main())
