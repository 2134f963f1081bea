"""Simulated hosts that share files, fetch by hand and tell each other what they have.

    def main(town: Town) -> None: ...
    play(main)

`hold` begins a fetch whose leaves are stored when the test says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.services.files.dag.trees import build, content
from tests.services.files.pair import open_state
from warren.core.cid import Cid
from warren.core.errors import ContentUnknown
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.core.reach import Reach
from warren.network.network import Network
from warren.protocols.swarm.protocol import PROTOCOL
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import PROTOCOL_ID, Status
from warren.runtime.simulated import Quality, World
from warren.services.files.config import FilesConfig
from warren.services.files.dag.build import CHUNK_BYTES
from warren.services.files.dag.pb import NODE_CID_PREFIX
from warren.services.files.library import Library
from warren.services.files.names import NameRules
from warren.services.files.swarm.admission import Admission
from warren.services.files.swarm.partial import Partial
from warren.services.files.swarm.swarms import Swarms
from warren.services.files.swarm.tickets import Tickets
from warren.services.files.walk import MakeFile, Walk
from warren.testing.plaintext import plaintext_stack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.protocols.swarm.messages import Answer
    from warren.runtime.seam import Disk
    from warren.services.files.dag.pb import Block
    from warren.services.files.swarm.swarms import PeerHolding
    from warren.services.files.types import Audience, Share

PORT = 4101
FILES = {"a": (CHUNK_BYTES + 5, 1), "b": (700, 2), "sub": (3, 3)}
"""Name -> bytes and seed of what all of them are about: the leaves of b, of sub, and two of a."""
TREE = {"folder": {name: {"bytes": size, "seed": seed} for name, (size, seed) in FILES.items()}}


class Content:
    """The tree: its root, its nodes by content id, its leaves by number as (digest, path, offset, bytes)."""

    def __init__(self) -> None:
        blocks: list[Block] = []
        root = build(TREE, blocks)
        self.root = Cid.from_bytes(root.cid)
        self.nodes = {block.cid: block.data for block in blocks}
        self.leaves: list[tuple[bytes, str, int, bytes]] = []
        walk = Walk(root.cid, NameRules(windows=False))
        steps = walk.take_steps()
        while not walk.done:
            walk.receive(self.nodes[walk.wanted(1)[0]])
            steps += walk.take_steps()
        for step in steps:
            if isinstance(step, MakeFile):
                size, seed = FILES[step.file.path]
                whole = content(0, size, seed)
                self.leaves += [
                    (one.digest, step.file.path, one.offset, whole[one.offset : one.offset + one.length])
                    for one in step.leaves
                ]


CONTENT = Content()
ROOT = CONTENT.root
ABSENT = Cid.from_bytes(NODE_CID_PREFIX + hashlib.sha256(b"nowhere").digest())


class Told:
    """Records of peers, as a peer table would have them."""

    def __init__(self) -> None:
        self.records: dict[PeerId, tuple[bytes, int]] = {}

    async def of(self, peers: Sequence[PeerId]) -> dict[PeerId, tuple[bytes, int]]:
        return {peer: self.records[peer] for peer in peers if peer in self.records}


class Wallet(Tickets):
    """Tickets of a member, which may show any."""

    shows: tuple[bytes, ...] | None = None

    def held(self, root: Cid) -> tuple[bytes, ...]:
        return super().held(root) if self.shows is None else self.shows


class Member:
    """One host. contacts: its own, by id."""

    def __init__(self, world: World, number: int) -> None:
        self.key = PrivateKey.from_seed(bytes([number]) * 32)
        self.peer_id = self.key.peer_id
        host = f"93.184.216.{number}"
        self.address = Multiaddr.tcp(host, PORT)
        self.runtime = world.runtime(f"n{number}", host)
        self.network = Network(self.runtime, self.key, None, plaintext_stack())
        self.contacts: set[PeerId] = set()
        self.told = Told()
        self.wall_off_s = 0.0
        self.tickets = Wallet(self.key, lambda: self.runtime.clock.wall() + self.wall_off_s)
        admission = Admission(lambda peer: peer in self.contacts, lambda _: (), self.tickets)
        self.swarms = Swarms(self.network, admission, self.told)
        self.heard: list[tuple[Cid, PeerId, PeerHolding]] = []
        self.swarms.on_heard(lambda *one: self.heard.append(one))
        self.library: Library | None = None
        self._lie = b""

    def lies(self, answer: Answer | bytes) -> None:
        """From now on it answers so, whatever it is asked."""

        async def lie(*_: object) -> bytes:
            return self._lie

        self._lie = answer if isinstance(answer, bytes) else answer.to_bytes()
        self.network.remove_handler(PROTOCOL)
        self.network.handle_request(PROTOCOL, lie)

    async def start(self, stack: contextlib.AsyncExitStack) -> None:
        self.runtime.disk.make_dirs("/home")
        state = await open_state(self.runtime, Path("/home"))
        stack.push_async_callback(state.close)
        self.library = await Library.open(
            self.runtime, self.network, FilesConfig(), state, "/home/index.db", self.swarms
        )
        stack.push_async_callback(self.library.close)
        await self.network.listen([self.address])
        stack.push_async_callback(self.network.stop)

    @property
    def record(self) -> bytes:
        """Where it is, in its own words."""
        return PeerRecord(self.peer_id, 1, (self.address,)).seal(self.key)

    # --- having -------------------------------------------------------------------------------------------

    async def share(self, audience: Audience, name: str = "papers") -> Share:
        """Share the tree."""
        for path, (size, seed) in FILES.items():
            write(self.runtime.disk, f"/{name}/{path}", content(0, size, seed))
        assert self.library is not None
        share = await self.library.share(f"/{name}", audience)
        assert share.cid == ROOT
        return share

    def hold(self, audience: Audience | None, *stored: int) -> Partial:
        """Fetch the tree by hand; so far it has all nodes and these leaves."""
        folder = "/down/.warren-x.partial"
        self.runtime.disk.make_dirs(f"{folder}/content")
        partial = Partial(ROOT, self.runtime.disk, folder)
        if audience is not None:
            partial.use(audience)
        self.swarms.begin(partial)
        for cid, block in CONTENT.nodes.items():
            partial.on_node(cid, block)
        for number, (digest, path, offset, data) in enumerate(CONTENT.leaves):
            partial.on_leaf(number, digest, len(data), path, offset)
        self.store(partial, *stored)
        return partial

    def store(self, partial: Partial, *numbers: int) -> None:
        for number in numbers:
            _, path, offset, data = CONTENT.leaves[number]
            write(self.runtime.disk, f"/down/.warren-x.partial/content/{path}", data, offset)
            partial.on_stored(number)

    # --- asking -------------------------------------------------------------------------------------------

    async def connect(self, other: Member) -> None:
        await self.network.connect(other.peer_id, [other.address])

    async def exchange(self, other: Member, root: Cid = ROOT) -> PeerHolding:
        return await self.swarms.exchange(other.peer_id, root)

    async def tells(self, other: Member, root: Cid = ROOT) -> PeerHolding | None:
        """What it says that it has; None: nothing that is for us."""
        try:
            return await self.exchange(other, root)
        except ContentUnknown:
            return None

    async def lists(self, other: Member, path: str = "") -> list[str] | None:
        """The names at a path; None where nothing is shown."""
        client = await self._client(other)
        found = await client.list_path(path)
        client.close()
        return None if found is None else [entry.name for entry in found.entries]

    async def nodes(self, other: Member, *roots: bytes) -> list[bytes | Status]:
        """The nodes below, in order, and why there are no more."""
        client = await self._client(other)
        await client.ask_tree(roots)
        return await _answers(client)

    async def chunks(self, other: Member, *digests: bytes, check: bool = False) -> list[bytes | Status]:
        client = await self._client(other)
        await client.ask_chunks(digests, check=check)
        return await _answers(client)

    async def _client(self, other: Member) -> TransferClient:
        return TransferClient(await self.network.open_stream(other.peer_id, PROTOCOL_ID))


async def _answers(client: TransferClient) -> list[bytes | Status]:
    found: list[bytes | Status] = []
    last = False
    while not last:
        answer = await client.next_answer(60)
        header, start = answer.header, 0
        if header.status is not Status.OK:
            found.append(header.status)
        for length in header.lengths:
            found.append(bytes(answer.buffer[start : start + length]))
            start += length
        last = header.last
        client.release(answer)
    client.close()
    return found


def write(disk: Disk, path: str, data: bytes, offset: int = 0) -> None:
    disk.make_dirs(path.rpartition("/")[0])
    try:
        file = disk.open_write(path, create=True)
    except FileExistsError:
        file = disk.open_write(path, create=False)
    file.pwrite(offset, data)
    file.close()


class Town:
    """Members on the internet; each can reach each by its address."""

    def __init__(self, world: World, stack: contextlib.AsyncExitStack) -> None:
        self.world = world
        self._stack = stack
        self._members: list[Member] = []

    async def members(self, count: int, *, apart_from: Sequence[Member] = ()) -> list[Member]:
        """So many new ones, all connected with each other, and with those before but some."""
        first = len(self._members) + 1
        made = [Member(self.world, number) for number in range(first, first + count)]
        for one in made:
            await one.start(self._stack)
            for other in self._members:
                if other not in apart_from:
                    await one.connect(other)
            self._members.append(one)
        await asyncio.sleep(1)  # until those who were dialled know it
        return made

    def knows(self, member: Member, *others: Member, told_from: Reach = Reach.PUBLIC) -> None:
        """It has the signed records of others."""
        member.told.records |= {one.peer_id: (one.record, told_from) for one in others}


def play(main: Callable[[Town], Awaitable[None]]) -> None:
    """Run a test in virtual time."""

    async def running(world: World) -> None:
        world.network.set_default(Quality(latency_s=0.02))
        async with contextlib.AsyncExitStack() as stack:
            await main(Town(world, stack))

    with World() as world:
        world.run(running(world))
