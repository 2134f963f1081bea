"""Runs look-ups over the network, and tells the routing table what came of each request.

In:  a look-up and the request to make. Out: the answers as they come. Whoever wants no more leaves the loop:
requests under way are cancelled, and nobody is blamed for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from warren.core.errors import LimitReached, ProtocolNotSupported, WarrenError
from warren.protocols.kad.addresses import believable, subnet
from warren.protocols.kad.keyspace import position
from warren.protocols.kad.lookup import Ask, Done, Lookup, Wait
from warren.protocols.kad.messages import ADDRESSES_MAX, PeerInfo

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.protocols.kad.client import Answer, Client
    from warren.protocols.kad.config import KadConfig
    from warren.protocols.kad.lookup import Action
    from warren.protocols.kad.messages import Kind, Message
    from warren.protocols.kad.routing_table import RoutingTable

_log = logging.getLogger(__name__)


class Queries:
    """Of one node; so many requests at once as there may be connections."""

    def __init__(self, network: Network, config: KadConfig, client: Client, table: RoutingTable) -> None:
        self._network = network
        self._config = config
        self._client = client
        self._table = table
        self._room = asyncio.Semaphore(config.connections_max)
        self.sent: Counter[Kind] = Counter()
        self.answered: Counter[Kind] = Counter()
        self.failed: Counter[Kind] = Counter()
        self.lookups = 0

    def begin(self, key: bytes, *, enough: int | None = None, paths: int = 1) -> Lookup:
        """A look-up of the place of `key`, from the peers that the table knows near it."""
        config, place, now = self._config.lookup, position(key), self._network.clock()
        self._table.looked_up(place, now)
        known = [entry.info for entry in self._table.closest(place, config.k)]
        return Lookup(place, known, config, own=self._network.peer_id, now=now, enough=enough, paths=paths)

    async def run(
        self, lookup: Lookup, message: Message
    ) -> AsyncGenerator[tuple[PeerId, Answer | None], None]:
        """Ask until the look-up is over; yield whoever was asked with the answer, None where there is none.

        The look-up knows what the answer named when it is yielded.
        """
        self.lookups += 1
        tasks: dict[asyncio.Task[Answer | None], PeerId] = {}
        try:
            while not isinstance(action := await self._next(lookup, busy=bool(tasks)), Done):
                if isinstance(action, Ask):
                    tasks[self._start(action, message)] = action.peer
                    continue
                for peer, answer in await self._collect(tasks, action):
                    self._report(lookup, peer, answer)
                    yield peer, answer
        finally:
            await _cancel(tasks)

    async def ask(self, info: PeerInfo, message: Message) -> Answer | None:
        """One request; None when it came to nothing."""
        async with self._room:
            return await self._ask(info, message)

    async def ask_all(self, peers: Sequence[PeerInfo], message: Message) -> int:
        """Make the same request to all, so many at once as a look-up does; return how many answered."""
        room = asyncio.Semaphore(self._config.lookup.alpha)

        async def one(info: PeerInfo) -> bool:
            async with room:
                return await self.ask(info, message) is not None

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(info)) for info in peers]
        return sum(task.result() for task in tasks)

    def met(self, peer: PeerId, socket: Socket, addresses: Sequence[Multiaddr]) -> None:
        """`peer` serves the DHT: it says so itself on this socket, or has just answered on it."""
        place = socket.remote_addr
        told = believable(addresses, place)[:ADDRESSES_MAX]
        if not told and socket.outbound and place is not None:
            told = (place.without_peer(),)
        self._table.useful(peer, told, subnet(place), self._network.clock())

    # --- inside ---------------------------------------------------------------------------------------------

    async def _next(self, lookup: Lookup, *, busy: bool) -> Action:
        """What to do now. With an `Ask` comes its place among the requests, which `_start` gives back.

        While there is none, a look-up that is busy waits for its own requests, so that none waits for ever.
        """
        if busy and self._room.locked():
            return Wait(self._network.clock() + self._config.lookup.request_timeout_s)
        await self._room.acquire()
        action = lookup.next(self._network.clock())
        if not isinstance(action, Ask):
            self._room.release()
        return action

    def _start(self, action: Ask, message: Message) -> asyncio.Task[Answer | None]:
        task = asyncio.create_task(self._ask(PeerInfo(*action), message))
        task.add_done_callback(lambda _: self._room.release())
        return task

    async def _ask(self, info: PeerInfo, message: Message) -> Answer | None:
        peer, addresses = info
        self.sent[message.kind] += 1
        try:
            answer = await self._client.request(
                peer, addresses, message, self._config.lookup.request_timeout_s
            )
        except WarrenError as error:
            _log.debug("%s of %s: %s", message.kind.name, peer, error)
            self.failed[message.kind] += 1
            if isinstance(error, ProtocolNotSupported):
                self._table.remove(peer)
            elif not isinstance(error, LimitReached):  # which is ours, and says nothing of the peer
                self._table.failed(peer)
            return None
        self.answered[message.kind] += 1
        self.met(peer, answer.socket, self._network.addresses(peer))
        return answer

    async def _collect(
        self, tasks: dict[asyncio.Task[Answer | None], PeerId], wait: Wait
    ) -> list[tuple[PeerId, Answer | None]]:
        """Who is done by now, in the order in which they were asked."""
        timeout_s = max(wait.until - self._network.clock(), 0.0)
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        done = [task for task in tasks if task.done()]
        return [(tasks.pop(task), task.result()) for task in done]

    def _report(self, lookup: Lookup, peer: PeerId, answer: Answer | None) -> None:
        if answer is None:
            lookup.on_failure(peer)
            return
        place = answer.socket.remote_addr
        told = (PeerInfo(info.peer, believable(info.addresses, place)) for info in answer.message.closer)
        closer = [info for info in told if info.addresses]
        lookup.on_success(peer, closer)
        for info in closer:
            self._table.heard_of(info)


async def _cancel(tasks: dict[asyncio.Task[Answer | None], PeerId]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
