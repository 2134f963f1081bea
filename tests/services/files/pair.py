"""Two nodes' worth of files service over a real socket on loopback: one shares, the other fetches."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.services.files.swarms import swarms_of
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.runtime.migrations import numbered_scripts
from warren.runtime.real import RealRuntime
from warren.services.files.config import FilesConfig
from warren.services.files.fetcher import Fetcher
from warren.services.files.library import Library

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Database, Runtime
    from warren.services.files.types import Fetched, Progress

SHARER = PrivateKey.from_seed(b"\1" * 32)
FETCHER = PrivateKey.from_seed(b"\2" * 32)
LOOPBACK = Multiaddr.parse("/ip4/127.0.0.1/tcp/0")


@dataclass
class Pair:
    """`library` belongs to the sharer, `fetcher` to the other; `contacts` are the sharer's.

    groups: the names of those that the fetcher is in.
    """

    library: Library
    fetcher: Fetcher
    sharer: PeerId
    contacts: set[PeerId]
    networks: list[Network]
    runtime: Runtime
    groups: list[str]
    seen: list[Progress] = field(default_factory=list)

    async def fetch(self, ref: str, folder: Path) -> Fetched:
        """Fetch and wait; what went wrong is raised."""
        async with self.fetcher.get(ref, folder, peers=[self.sharer]) as transfer:
            self.seen = [progress async for progress in transfer]
            await transfer.result()
            assert transfer.outcome is not None
            return transfer.outcome


@asynccontextmanager
async def pair(home: Path, config: FilesConfig | None = None) -> AsyncIterator[Pair]:
    config = config or FilesConfig()
    contacts = {FETCHER.peer_id}
    groups: list[str] = []
    runtimes = [RealRuntime(), RealRuntime()]
    networks = [Network(runtime, key) for runtime, key in zip(runtimes, [SHARER, FETCHER], strict=True)]
    await networks[0].listen([LOOPBACK])
    state = await open_state(runtimes[0], home)
    swarms = swarms_of(
        networks[0],
        SHARER,
        is_contact=lambda peer: peer in contacts,
        groups_of=lambda peer: groups if peer == FETCHER.peer_id else (),
    )
    library = await Library.open(runtimes[0], networks[0], config, state, home / "index.db", swarms)
    fetcher = Fetcher(runtimes[1], networks[1], config)
    try:
        await networks[1].connect(SHARER.peer_id, networks[0].listen_addrs)
        yield Pair(library, fetcher, SHARER.peer_id, contacts, networks, runtimes[0], groups)
    finally:
        await fetcher.close()
        await library.close()
        await state.close()
        for network in networks:
            await network.stop()
        for runtime in runtimes:
            await runtime.close()


async def open_state(runtime: Runtime, home: Path) -> Database:
    """The durable database of a sharer, with the table of shares alone."""
    return await runtime.open_database(home / "state.db", numbered_scripts("warren.services.files"))


def write_tree(top: Path, files: dict[str, bytes]) -> Path:
    """Make files with their folders below `top`."""
    for name, data in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return top


def read_tree(top: Path) -> dict[str, bytes | str | None]:
    """All below `top`: files as bytes, symlinks as targets, folders as None."""
    found: dict[str, bytes | str | None] = {}
    for folder, folders, files in os.walk(top):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, top)
            if os.path.islink(path):
                found[key] = os.readlink(path)
            elif os.path.isdir(path):
                found[key] = None
            else:
                with open(path, "rb") as file:
                    found[key] = file.read()
    return found
