"""A fetcher and a peer that serves whatever a test makes up, over a real socket on loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.protocols.transfer.fakes import FakeSource
from tests.services.files.pair import FETCHER, LOOPBACK, SHARER
from warren.network.network import Network
from warren.protocols.transfer.messages import PROTOCOL_ID, Entry, Kind, Listing
from warren.protocols.transfer.server import ServerLimits, TransferServer
from warren.runtime.real import RealRuntime
from warren.services.files.config import FilesConfig
from warren.services.files.fetcher import Fetcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.services.files.dag.pb import Link
    from warren.services.files.types import Fetched

PEER = SHARER.peer_id


class Liar(FakeSource):
    """Lists `root` under any path, unless `pages` makes pages up."""

    def __init__(self) -> None:
        super().__init__()
        self.root: Link | None = None
        self.name = "top"
        self.size = 0
        self.kind = Kind.DIR
        self.pages: Callable[[str], Listing] | None = None

    def offer(self, root: Link, size: int, name: str = "top") -> None:
        """List this as the thing to be fetched, of `size` bytes of content."""
        self.root, self.size, self.name = root, size, name
        self.kind = Kind.FILE if root.is_raw else Kind.DIR

    async def list_path(self, peer: PeerId, path: str, after: str, limit: int) -> Listing | None:
        if self.pages is not None and limit:
            return self.pages(after)
        if self.root is None:
            return None
        entry = Entry(self.name, self.kind, self.size, self.root.cid)
        return Listing(entry if path else None, () if path else (entry,))


@dataclass
class Lied:
    """What a test holds of it."""

    fetcher: Fetcher
    networks: list[Network]

    async def fetch(self, folder: Path) -> Fetched:
        """Fetch what is offered; what went wrong is raised."""
        async with self.fetcher.get("top", folder, peers=[PEER]) as transfer:
            await transfer.result()
            assert transfer.outcome is not None
            return transfer.outcome


@asynccontextmanager
async def lying(source: Liar, limits: ServerLimits | None = None) -> AsyncIterator[Lied]:
    runtimes = [RealRuntime(), RealRuntime()]
    networks = [Network(runtime, key) for runtime, key in zip(runtimes, [SHARER, FETCHER], strict=True)]
    await networks[0].listen([LOOPBACK])
    networks[0].handle_stream(PROTOCOL_ID, TransferServer(source, limits or ServerLimits()).serve)
    fetcher = Fetcher(runtimes[1], networks[1], FilesConfig())
    try:
        await networks[1].connect(PEER, networks[0].listen_addrs)
        yield Lied(fetcher, networks)
    finally:
        await fetcher.close()
        for network in networks:
            await network.stop()
        for runtime in runtimes:
            await runtime.close()
