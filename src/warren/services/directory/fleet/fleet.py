"""`Fleet`: a super-peer among others that share one index and one presence through a store.

In:  a shared index, a connection, the part of a super-peer: leases it takes, who goes. Out: the same at all
others, and what they take here. `run` as long as the node lives, then `close`. Only wiring, and one line in
the log when the store cannot be reached.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.services.directory.fleet.keys import SHARDS, shard_of
from warren.services.directory.fleet.shard import Shard
from warren.services.directory.fleet.store import Store

if TYPE_CHECKING:
    from warren.core.errors import WarrenError
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.registration import Registration
    from warren.runtime.seam import Runtime
    from warren.services.directory.fleet.connection import Connection
    from warren.services.directory.fleet.index import SharedIndex
    from warren.services.directory.super_peer import SuperPeer

GOODBYE_S: Final = 2.0
"""For saying at the end that all leases here are over."""
RENEWALS: Final = 3
"""Of this super-peer's own lease, in the time that one is good for."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """How sharing goes. store: where, without a password. waiting: owners whose changes are not in the store
    yet. elsewhere: peers that are there at other super-peers. problem: why the store cannot be used; empty
    where it can.
    """

    store: str
    waiting: int
    elsewhere: int
    problem: str


class Fleet:
    """Of one super-peer. See `index.Outbox` and `shard.Around`."""

    def __init__(
        self,
        index: SharedIndex,
        connection: Connection,
        shown: str,
        me: PeerId,
        runtime: Runtime,
        lease_s: float,
    ) -> None:
        """shown: where the store is, for messages. lease_s: for which this super-peer itself counts as there
        when nothing is heard of it any more.
        """
        self.me = me
        self.index = index
        self._shown = shown
        self._runtime = runtime
        self._lease_s = lease_s
        self._super_peer: SuperPeer | None = None
        self._problems: dict[int, str] = {}
        self._shards = [Shard(number, Store(connection, number, me), self) for number in range(SHARDS)]
        index.outbox = self

    def follow(self, super_peer: SuperPeer) -> None:
        """Share the leases that it takes, and tell it of those that others take."""
        self._super_peer = super_peer
        self.index.is_here = super_peer.leases.__contains__
        super_peer.on_valid.append(self.lease)
        super_peer.on_over.append(self.leave)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for shard in self._shards:
                tasks.create_task(shard.run())
            while True:
                self.lease(self.me, self._lease_s)
                await asyncio.sleep(self._lease_s / RENEWALS)

    async def close(self) -> None:
        """Say that all leases here are over. Not while `run` goes on."""
        self._shard(self.me).leave(self.me)
        try:
            async with asyncio.timeout(GOODBYE_S), asyncio.TaskGroup() as tasks:
                for shard in self._shards if not self._problems else ():
                    tasks.create_task(shard.close())
        except (TimeoutError, ExceptionGroup) as error:
            _log.info("the store is not told that this super-peer goes: %s", error)

    @property
    def status(self) -> FleetStatus:
        """How it goes."""
        return FleetStatus(
            store=self._shown,
            waiting=sum(shard.waiting for shard in self._shards),
            elsewhere=sum(len(shard.elsewhere) for shard in self._shards),
            problem=next(iter(self._problems.values()), ""),
        )

    # --- what happens here ----------------------------------------------------------------------------------

    def delta(self, owner: PeerId, registration: Registration) -> None:
        """See `Outbox`."""
        self._shard(owner).delta(owner, registration)

    def snapshot(self, owner: PeerId) -> None:
        """See `Outbox`."""
        self._shard(owner).snapshot(owner)

    def forgotten(self, owner: PeerId) -> None:
        """See `Outbox`."""
        self._shard(owner).forgotten(owner)

    def lease(self, owner: PeerId, valid_s: float) -> None:
        """A lease was taken here, or renewed."""
        self._shard(owner).lease(owner, valid_s)

    def leave(self, owner: PeerId) -> None:
        """A lease here is over."""
        self._shard(owner).leave(owner)

    def _shard(self, owner: PeerId) -> Shard:
        return self._shards[shard_of(owner)]

    # --- what parts need ------------------------------------------------------------------------------------

    def now(self) -> float:
        """See `Around`."""
        return self._runtime.clock.now()

    def token(self) -> str:
        """See `Around`."""
        return self._runtime.entropy.bytes(8).hex()

    def set_elsewhere(self, owner: PeerId, there: bool) -> None:
        """See `Around`."""
        if self._super_peer is not None and owner != self.me:
            self._super_peer.set_elsewhere(owner, there)

    def failed(self, shard: int, error: WarrenError) -> None:
        """See `Around`. One outage is one line."""
        message = str(error)
        if message not in self._problems.values():
            _log.warning("%s; what is registered here is shared when that is over", message)
        self._problems[shard] = message

    def went_on(self, shard: int) -> None:
        """See `Around`."""
        if self._problems.pop(shard, None) is not None and not self._problems:
            _log.info("%s: all that is registered here is shared again", self._shown)
