"""Nodes with a DHT on loopback: Warren's own, and foreign ones that are told line by line what to do.

What they can be told is written in the headers of `peers/js/kad.mjs` and `peers/py/kad.py`.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from tests.interop.foreign import READY_TIMEOUT_S, RUN_TIMEOUT_S, ForeignError, environment
from tests.interop.install import command, how_to_get
from tests.interop.node import Node
from tests.support import require
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.kad import Kad
from warren.protocols.kad.messages import Kind, Message, PeerInfo
from warren.protocols.kad.records import Namespaces
from warren.protocols.kad.store import Providers, Records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class AnyValue:
    """The validator of the namespace `/v`, which takes everything; the foreign nodes have its like."""

    def validate(self, key: bytes, value: bytes) -> None:
        """Everything proves itself."""

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return 0


class WarrenKad(Node):
    """A Warren node with a DHT."""

    def __init__(self, protocol: str) -> None:
        super().__init__()
        # On loopback no address is public, but whoever is here can reach it.
        config = KadConfig(mode="server", protocol=protocol)
        namespaces = Namespaces({"v": AnyValue()})
        self.kad = Kad(
            self.network, config, Records(), Providers(), namespaces, lambda: self.network.listen_addrs
        )

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        # Without the upkeep that `run` does: the nodes meet only by what the tests ask for.
        self.kad._server.switch(on=True)
        return self

    async def meet(self, address: Multiaddr) -> None:
        """Connect, and wait until the other side is known in the DHT."""
        await (await self.dial(address)).wait_open()
        assert address.peer_id is not None
        await self.until_known(address.peer_id)

    async def until_known(self, peer: PeerId) -> None:
        """Wait until `peer` is in the routing table."""
        async with asyncio.timeout(READY_TIMEOUT_S):
            while peer not in self.kad.table:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.02)


class ForeignKad:
    """A foreign node with a DHT."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.address = Multiaddr.parse("/ip4/127.0.0.1/tcp/1")

    @classmethod
    @asynccontextmanager
    async def start(cls, name: str, protocol: str, *known: Multiaddr) -> AsyncIterator[Self]:
        """The library `name`, connected to `known`. Where it is missing: skipped, or failed in CI."""
        argv = command(name, "kad")
        require(argv, f"{name}-libp2p; get it with `{how_to_get(name)}`")
        assert argv is not None
        process = await asyncio.create_subprocess_exec(
            *argv,
            protocol,
            *map(str, known),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
        node = cls(process)
        try:
            node.address = Multiaddr.parse((await node._result(READY_TIMEOUT_S))["addr"])
            yield node
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    @property
    def peer_id(self) -> PeerId:
        assert self.address.peer_id is not None
        return self.address.peer_id

    async def do(self, operation: str, **fields: str) -> dict[str, Any]:
        """Let it do one thing. Raises ForeignError when it tells of a failure."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"op": operation, **fields}).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._result(RUN_TIMEOUT_S)

    async def until_known(self, *nodes: WarrenKad) -> None:
        """Wait until its routing table holds as many peers as these.

        They say a word to it until then: py-libp2p takes only those in who ask it something, and only when
        identify is done on its side.
        """
        async with asyncio.timeout(READY_TIMEOUT_S):
            while (await self.do("size"))["size"] < len(nodes):
                for node in nodes:
                    await node.kad._queries.ask(PeerInfo(self.peer_id), Message(Kind.PING))
                await asyncio.sleep(0.05)

    async def put(self, key: bytes, value: bytes) -> None:
        await self.do("put", key=key.hex(), value=value.hex())

    async def get(self, key: bytes) -> bytes:
        return bytes.fromhex((await self.do("get", key=key.hex()))["value"])

    async def provide(self, key: bytes) -> None:
        await self.do("provide", key=key.hex())

    async def providers(self, key: bytes) -> set[PeerId]:
        return {PeerId.parse(one["id"]) for one in (await self.do("providers", key=key.hex()))["peers"]}

    async def find(self, peer: PeerId) -> set[Multiaddr]:
        found = (await self.do("find", peer=str(peer)))["addrs"]
        return {Multiaddr.parse(text).without_peer() for text in found}

    async def _result(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout_s):
            line = await self._process.stdout.readline()
        if not line:
            raise ForeignError(f"no answer; exit code {await self._process.wait()}")
        result: dict[str, Any] = json.loads(line)
        if not result["ok"]:
            raise ForeignError(result["error"])
        return result
