"""A fetcher and holders that a test steers, on simulated hosts, without all else of a node."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.protocols.transfer.fakes import FakeSource
from tests.services.files.parts import add_block, add_chunk
from warren.core.cid import Cid
from warren.core.errors import ContentUnknown, ProtocolNotSupported
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.transfer.messages import PROTOCOL_ID, Listing
from warren.protocols.transfer.server import ServerLimits, TransferServer
from warren.runtime.simulated import Quality, World
from warren.services.files.config import FilesConfig
from warren.services.files.dag import pb, unixfs
from warren.services.files.fetcher import Fetcher
from warren.services.files.swarm.bits import Bits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.protocols.transfer.server import Part, ReadJob
    from warren.runtime.simulated.world import SimulatedRuntime
    from warren.services.files.dag.pb import Link
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.types import Audience, Fetched

MIB = 1024 * 1024


class Content:
    """A file of random chunks: its root, and what serves it. `leaves`: digests, by number."""

    def __init__(self, chunks: int, size: int = MIB, seed: int = 1) -> None:
        chance = random.Random(seed)
        self.chunks = [chance.randbytes(size) for _ in range(chunks)]
        self.data = b"".join(self.chunks)
        source = FakeSource()
        links = [add_chunk(source, chunk) for chunk in self.chunks]
        self.leaves = [link.cid[4:] for link in links]
        data = unixfs.encode_file([len(chunk) for chunk in self.chunks])
        self.root: Link = add_block(source, pb.encode_block(links, data))
        self.cid = Cid.from_bytes(self.root.cid)
        self._parts, self._nodes = source.chunks, source.nodes

    def source(self) -> HolderSource:
        made = HolderSource()
        made.listing = Listing(None, ())
        made.chunks, made.nodes = dict(self._parts), dict(self._nodes)
        return made


class HolderSource(FakeSource):
    """What one holder serves; `sent` counts chunks, `on_read` is called before each."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.on_read: Callable[[], None] = lambda: None

    async def read_chunks(self, job: ReadJob) -> list[Part]:
        self.on_read()
        parts = await super().read_chunks(job)
        self.sent += len(parts)
        return parts


@dataclass
class Told:
    """What an exchange says; see `interfaces.Holding`."""

    complete: bool
    bits: Bits = field(default_factory=Bits)
    word: Audience | None = None
    gained: Sequence[int] = ()
    lost: Sequence[int] = ()
    fellows: Sequence[PeerId] = ()
    lead: int | None = None


@dataclass
class Holder:
    network: Network
    source: HolderSource
    told: Told | None = None

    @property
    def peer(self) -> PeerId:
        return self.network.peer_id

    def has(self, *numbers: int) -> None:
        """Tell of these leaves as well, the next time it is asked."""
        assert self.told is not None
        self.told.gained = [number for number in numbers if self.told.bits.add(number)]

    def corrupt(self, content: Content, number: int) -> None:
        """Serve something else for this chunk."""
        part = self.source.chunks[content.leaves[number]]
        data = bytes(len(part.payload))
        self.source.chunks[content.leaves[number]] = type(part)(part.status, (len(data),), data)


class Finder:
    """Names whom the test puts in."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[PeerId] = asyncio.Queue()
        self.struck: list[PeerId] = []

    async def find(self, _: Cid) -> AsyncIterator[PeerId]:
        while True:
            yield await self.queue.get()

    def gone(self, _: Cid, peer: PeerId) -> None:
        self.struck.append(peer)


class Hosts:
    """`holders` on hosts named `holder0` and so on; the fetcher on `fetcher`."""

    def __init__(self, world: World, content: Content, config: FilesConfig) -> None:
        self.world = world
        self.content = content
        self.holders: list[Holder] = []
        self.finder = Finder()
        self.partials: list[Partial] = []
        self.asked: list[PeerId] = []
        self.turns = 0
        self.keeps_telling = False
        self.heard_of: Callable[[PeerId, Told], None] = lambda *_: None
        self._stack = AsyncExitStack()
        self.runtime: SimulatedRuntime = world.runtime("fetcher")
        self.network = Network(self.runtime, PrivateKey.from_seed(bytes([99]) * 32))
        self.fetcher = Fetcher(
            self.runtime,
            self.network,
            config,
            swarms=self,  # type: ignore[arg-type]
            holders=self.finder,
        )

    async def add(self, *, told: Told | None = None, limits: ServerLimits | None = None) -> Holder:
        number = len(self.holders)
        runtime = self.world.runtime(f"holder{number}")
        network = Network(runtime, PrivateKey.from_seed(bytes([number + 1]) * 32))
        await network.listen([Multiaddr.parse("/ip4/0.0.0.0/tcp/4001")])
        source = self.content.source()
        network.handle_stream(PROTOCOL_ID, TransferServer(source, limits or ServerLimits()).serve)
        self._stack.push_async_callback(network.stop)
        self.network.add_addresses(network.peer_id, [self._address(number)], 1e9)
        holder = Holder(network, source, told)
        self.holders.append(holder)
        return holder

    def _address(self, number: int) -> Multiaddr:
        host = self.world.network.host(f"holder{number}")
        return Multiaddr.parse(f"/ip4/{host.address(4)}/tcp/4001")

    @property
    def peers(self) -> list[PeerId]:
        return [holder.peer for holder in self.holders]

    async def fetch(self, **options: object) -> tuple[Fetched, float]:
        """Fetch the content, by default from all holders; with the seconds that it took."""
        asked: dict[str, object] = {"peers": self.peers, "name": "file", **options}
        begun = self.world.clock.now()
        async with self.fetcher.get(self.content.cid, "/downloads", **asked) as transfer:  # type: ignore[arg-type]
            path = await transfer.result()
            assert transfer.outcome is not None
            assert self.read(path) == self.content.data
            return transfer.outcome, self.world.clock.now() - begun

    def read(self, path: Path) -> bytes:
        file = self.runtime.disk.open_read(path)
        return file.pread(0, 1 << 30)

    # --- the exchange -------------------------------------------------------------------------------------

    async def exchange(self, peer: PeerId, _: Cid, *, turn: bool = False) -> Told:
        self.asked.append(peer)
        self.turns += turn
        (holder,) = [one for one in self.holders if one.peer == peer]
        await asyncio.sleep(0.01)
        if holder.told is None:
            raise ProtocolNotSupported("it is older than that")
        if not holder.told.complete and not holder.source.chunks:
            raise ContentUnknown("it has nothing any more")
        if self.keeps_telling:
            return holder.told
        told, holder.told = holder.told, Told(holder.told.complete, holder.told.bits, holder.told.word)
        return told

    def on_heard(self, callback: Callable[[Cid, PeerId, Told], None]) -> None:
        """`heard_of` then does as if a peer had asked."""
        self.heard_of = lambda peer, told: callback(self.content.cid, peer, told)

    def begin(self, partial: Partial) -> None:
        self.partials.append(partial)

    def end(self, partial: Partial) -> None:
        self.partials.remove(partial)

    async def close(self) -> None:
        await self.fetcher.close()
        await self.network.stop()
        await self._stack.aclose()


@asynccontextmanager
async def hosts(
    content: Content,
    count: int,
    *,
    bytes_per_s: float | None = None,
    config: FilesConfig | None = None,
    told: bool = False,
) -> AsyncIterator[Hosts]:
    """`count` holders that have all of it and send so many bytes a second each; told: and say so."""
    world = World("swarm", loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    world.network.set_default(Quality(latency_s=0.01))
    made = Hosts(world, content, config or FilesConfig())
    try:
        for number in range(count):
            await made.add(told=Told(complete=True) if told else None)
            if bytes_per_s is not None:
                world.network.set_access(f"holder{number}", up_bytes_per_s=bytes_per_s)
        yield made
    finally:
        await made.close()
        world.close()
