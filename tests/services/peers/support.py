"""Peers, and a table over a real SQLite in memory, for the tests beside."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_metadata import PeerMetadata
from warren.core.peer_record import PeerRecord
from warren.parts import OWNERS_OF_STATE
from warren.runtime.migrations import numbered_scripts
from warren.runtime.simulated import World
from warren.services.peers.table import PeerTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.runtime.simulated import VirtualLoop

KEYS = [PrivateKey.from_seed(bytes([n]) * 32) for n in range(1, 9)]
ME, *OTHERS = KEYS
ANNA, BOB, CEM, DAN, EVE = (key.peer_id for key in OTHERS[:5])
HOME, CAFE, OFFICE = (Multiaddr.parse(f"/ip4/192.0.2.{n}/tcp/4101") for n in (1, 2, 3))
SCRIPTS = numbered_scripts(*OWNERS_OF_STATE)


def key_of(peer: object) -> PrivateKey:
    return next(key for key in KEYS if key.peer_id == peer)


def record(key: PrivateKey, seq: int, *addresses: Multiaddr) -> bytes:
    return PeerRecord(key.peer_id, seq, addresses).seal(key)


def metadata(key: PrivateKey, seq: int, **entries: str) -> bytes:
    return PeerMetadata(key.peer_id, seq, entries).seal(key)


async def records(peers: PeerTable) -> list[tuple[bytes | None, bytes | None]]:
    """What each peer of the table signed of where it is and of itself."""
    kept, _ = await peers.kept_after(0, 10_000)
    return [(one.record, one.metadata) for one in kept]


def database() -> sqlite3.Connection:
    """A connection with all tables, in a transaction that never ends."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    for script in SCRIPTS:
        connection.executescript(script)
    return connection


class Events(list[object]):
    """What a table emitted, and whom it expelled."""

    def __init__(self) -> None:
        super().__init__()
        self.expelled: list[object] = []


@asynccontextmanager
async def table(
    world: World | None = None, events: Events | None = None, *, peers_max: int = 1000
) -> AsyncIterator[PeerTable]:
    """A table in a world of its own, or again in one that has it."""
    loop = cast("VirtualLoop", asyncio.get_running_loop())
    here = world or World(0, loop=loop)
    events = Events() if events is None else events
    runtime = here.runtime("node")
    opened = await runtime.open_database("/state.db", SCRIPTS)
    emit, expel = events.append, events.expelled.append
    clock, entropy = runtime.clock, runtime.entropy
    table = PeerTable(opened, clock, entropy, ME, emit=emit, expel=expel, peers_max=peers_max)
    await table.load()
    yield table
    await table.close()
    await opened.close()
    if world is None:
        here.close()
