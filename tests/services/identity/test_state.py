"""Damage to the real file of a state: the node starts, says so, and has what could be read."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import run
from warren import Config, Node
from warren.core.errors import StorageError
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.events import PeerConnected
from warren.runtime.real.runtime import RealRuntime
from warren.services.discovery.config import DiscoveryConfig
from warren.services.identity.state import open_state

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096
PEERS = [PrivateKey.from_seed(n.to_bytes(32)).peer_id for n in range(1, 401)]
NAMES = {peer: f"contact-{n:03}" for n, peer in enumerate(PEERS[:60])}


def config(home: Path) -> Config:
    return Config(home=home, listen=("/ip4/127.0.0.1/tcp/0",), name="me")


async def _fill(home: Path) -> None:
    async with Node(config(home)) as node:
        for number, (peer, name) in enumerate(NAMES.items()):
            address = Multiaddr.tcp("127.0.0.1", 1 + number).with_peer(peer)
            await node.add_contact(address, name=name)
        for number, peer in enumerate(PEERS):
            await node.peers.heard(peer, [Multiaddr.tcp("192.0.2.1", 1 + number)], "exchange")
        await node.peers.block(PEERS[-1])
        await node.peers.own.set("region", "north")
        (home / "shared").mkdir()
        (home / "shared" / "file").write_text("content")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A state.db with contacts, peers and metadata, with nothing in its log."""
    home = tmp_path_factory.mktemp("filled")
    run(_fill(home))
    with sqlite3.connect(home / "state.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return (home / "state.db").read_bytes()


async def _look(home: Path) -> dict[str, Any]:
    async with Node(config(home)) as node:
        return {
            "damage": node.damage,
            "contacts": {one.petname for one in node.contacts.all()},
            "peers": await node.peers.count(),
            "blocked": node.peers.is_blocked(PEERS[-1]),
            "metadata": dict(node.peers.own.entries),
        }


def started_on(home: Path, data: bytes) -> dict[str, Any]:
    home.mkdir()
    (home / "state.db").write_bytes(data)
    return run(_look(home))


def root_page(data: bytes, table: str, tmp: Path) -> int:
    tmp.write_bytes(data)
    with sqlite3.connect(tmp) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    db.close()
    return int(page)


def schema_pages(data: bytes) -> set[int]:
    """The pages of `sqlite_master`: https://www.sqlite.org/fileformat2.html#b_tree_pages."""
    if data[100] != 5:
        return {1}
    cells = struct.unpack_from(f">{int.from_bytes(data[103:105])}H", data, 112)
    children = [int.from_bytes(data[at : at + 4]) for at in cells]
    return {1, int.from_bytes(data[108:112]), *children}


def with_page(data: bytes, page: int, content: bytes) -> bytes:
    return data[: (page - 1) * PAGE] + content + data[page * PAGE :]


def test_a_sound_file_is_opened_as_it_is(tmp_path: Path, filled: bytes) -> None:
    found = started_on(tmp_path / "home", filled)
    assert found["damage"] == ""
    assert found["contacts"] == set(NAMES.values())
    assert (found["peers"], found["blocked"], found["metadata"]) == (400, True, {"region": "north"})
    assert not list((tmp_path / "home").glob("*damaged*"))


@pytest.mark.parametrize("seed", range(8))
def test_any_damaged_page_costs_no_more_than_what_is_on_it(tmp_path: Path, filled: bytes, seed: int) -> None:
    chance = random.Random(seed)
    page = chance.choice(sorted({*range(2, len(filled) // PAGE)} - schema_pages(filled)))
    data = with_page(filled, page, chance.randbytes(PAGE))
    found = started_on(tmp_path / "home", data)
    assert "damaged" in found["damage"]
    assert len(found["contacts"]) == 60  # each stands in two tables
    [aside] = (tmp_path / "home").glob("state.db.damaged-*[0-9]")
    assert aside.stat().st_size >= len(data) - PAGE
    assert str(aside) in found["damage"]
    again = run(_look(tmp_path / "home"))
    assert again == {**found, "damage": ""}


def test_a_lost_schema_leaves_a_node_that_starts(tmp_path: Path, filled: bytes) -> None:
    for number, page in enumerate(sorted(schema_pages(filled))):
        found = started_on(tmp_path / f"home{number}", with_page(filled, page, bytes(PAGE)))
        assert found["damage"]
        assert "nothing" in found["damage"]
        assert (found["contacts"], found["peers"]) == (set(), 0)


@pytest.mark.parametrize(
    "table", ["contacts", "contact_addresses", "peers", "peer_addresses", "own_metadata"]
)
def test_a_lost_table_leaves_the_others(tmp_path: Path, filled: bytes, table: str) -> None:
    page = root_page(filled, table, tmp_path / "look.db")
    found = started_on(tmp_path / "home", with_page(filled, page, bytes(PAGE)))
    assert found["damage"]
    if table == "contacts":  # by the peer table, which knows their names
        assert found["contacts"] == set(NAMES.values())
    assert len(found["contacts"]) == 60
    assert found["peers"] == (60 if table == "peers" else 400)
    assert found["blocked"] == (table != "peers")
    assert found["metadata"] == ({} if table == "own_metadata" else {"region": "north"})


@pytest.mark.parametrize("keep", [0, 100, 3 * PAGE, 20 * PAGE + 17])
def test_a_file_that_was_cut_short_is_set_aside(tmp_path: Path, filled: bytes, keep: int) -> None:
    found = started_on(tmp_path / "home", filled[:keep])
    if keep:
        assert found["damage"]
    assert run(_look(tmp_path / "home"))["damage"] == ""


def test_what_is_no_database_is_set_aside_each_time_under_another_name(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert started_on(home, b"no database at all" * 1000)["damage"]
    for _ in range(2):
        (home / "state.db").write_bytes(b"again" * 5000)
        for ending in ("-wal", "-shm"):
            (home / f"state.db{ending}").unlink(missing_ok=True)
        assert run(_look(home))["damage"]
    assert len(list(home.glob("state.db.damaged-*"))) >= 3


def test_a_node_whose_state_is_garbage_says_so_and_meets_its_bootstrap_peer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home, garbage = tmp_path / "ben", random.Random(1).randbytes(50_000)

    async def main() -> None:
        async with Node(config(tmp_path / "anna")) as anna:
            met = anna.network.events.subscribe(PeerConnected)
            (where,) = anna.addresses()
            found = DiscoveryConfig(mdns=False, bootstrap=(str(where),))
            async with Node(replace(config(home), discovery=found)) as ben:
                me = ben.peer_id
                assert await anext(met) == PeerConnected(me)
            for path in home.glob("state.db*"):
                path.write_bytes(garbage)
            async with Node(replace(config(home), discovery=found)) as ben:
                [aside] = home.glob("state.db.damaged-*[0-9]")
                assert aside.read_bytes() == garbage
                assert f"it lies in {aside}; read again: nothing" in ben.damage
                assert ben.damage in [record.getMessage() for record in caplog.records]
                assert await anext(met) == PeerConnected(me)
                # The identity is a file of its own.
                assert ben.peer_id == me
                assert await ben.ping(anna.peer_id)
                assert await ben.peers.get(anna.peer_id) is not None
            async with Node(replace(config(home), discovery=found)) as ben:
                assert ben.damage == ""

    with caplog.at_level(logging.ERROR):
        run(main())


def test_a_newer_or_forbidden_file_is_no_damage(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    async def main() -> None:
        runtime = RealRuntime()
        with pytest.raises(StorageError, match="newer version"):
            await open_state(runtime, tmp_path / "state.db", [], lambda _: None)
        await runtime.close()

    asyncio.run(main())
    assert not list(tmp_path.glob("*damaged*"))
