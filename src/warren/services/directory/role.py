"""Whether this node is a super-peer, and telling others so.

In:  what the user set, who is in the local network and how fit they are. Out: the part of a super-peer taken
and given back; `on_changed` each time. Who is elected is decided in election.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import statistics
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.protocols.directory.messages import Standing
from warren.protocols.directory.protocol import ELECTED, SUPER_PEER
from warren.services.directory.election import Election, Verdict, rank

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.directory.protocol import DirectoryProtocol
    from warren.services.directory.config import DirectoryConfig
    from warren.services.directory.neighbours import Neighbours
    from warren.services.directory.super_peer import SuperPeer

TELL_EVERY_S: Final = 60.0
"""Between standings told to the same peer that are much the same..."""
TELL_AGAIN_S: Final = 0.3
"""...and between such as are not."""
PUBLIC_EVERY_S: Final = 30.0
"""Between looks at whether this node has a public address, where that decides."""
_UNKNOWN_US: Final = 1_000_000
_log = logging.getLogger(__name__)


class Role:
    """Of one node; `run` as long as it lives."""

    def __init__(
        self,
        network: Network,
        protocol: DirectoryProtocol,
        neighbours: Neighbours,
        super_peer: SuperPeer,
        config: DirectoryConfig,
        is_public: Callable[[], bool],
    ) -> None:
        """is_public: whether anybody can reach this node."""
        self._network = network
        self._protocol = protocol
        self._neighbours = neighbours
        self._super_peer = super_peer
        self._config = config
        self._is_public = is_public
        self._election = Election(network.peer_id, network.clock())
        self._told: dict[PeerId, tuple[float, Standing]] = {}
        self._counting: set[PeerId] = set()
        """Those who bear on what is decided: super-peers, and who is in the local network."""
        self._wake = asyncio.Event()
        self.on_changed: list[Callable[[], None]] = []
        """Called when this node became a super-peer, or is one no more."""
        neighbours.on_changed.append(self._on_neighbour)
        if config.role == "super":
            self._set(SUPER_PEER)

    def standing(self) -> Standing:
        """How fit this node is."""
        local = [peer for peer, one in self._neighbours.all().items() if one.is_local]
        trips = [trip for peer in local if (trip := self._neighbours.rtt_s(peer)) is not None]
        rtt_us = int(statistics.median(trips) * 1e6) if trips else _UNKNOWN_US
        return Standing(self._config.role == "auto", len(local), min(rtt_us, _UNKNOWN_US))

    def heard(self, peer: PeerId, standing: Standing) -> None:
        """A peer says how fit it is. It counts where the peer is in the local network."""
        one = self._neighbours.get(peer)
        if one is not None and one.is_local:
            self._election.heard(peer, standing, self._network.clock())
            self._wake.set()

    async def run(self) -> None:
        """Take the part and give it back, until cancelled."""
        if self._config.role != "auto":
            return
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                now = self._network.clock()
                look_at = self._tell_all(tasks, now)
                verdict = self._decide(now)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(min(look_at, verdict.look_at or look_at)):
                        await self._wake.wait()

    def _decide(self, now: float) -> Verdict:
        neighbours = self._neighbours.all()
        elected = frozenset(peer for peer, one in neighbours.items() if one.is_elected)
        appointed = any(one.is_super and not one.is_elected for one in neighbours.values())
        if self._config.auto_public and self._is_public():
            self._set(SUPER_PEER)
            return Verdict(elected=False, look_at=now + PUBLIC_EVERY_S)
        verdict = self._election.decide(self.standing(), now, elected=elected, appointed=appointed)
        self._set(*((SUPER_PEER, ELECTED) if verdict.elected else ()))
        if not self._config.auto_public:
            return verdict
        look_at = now + PUBLIC_EVERY_S
        return Verdict(verdict.elected, min(look_at, verdict.look_at or look_at))

    def _set(self, *protocols: str) -> None:
        is_super = SUPER_PEER in protocols
        changed = is_super != self._super_peer.active
        if changed and is_super:
            self._super_peer.active = True
            _log.info("this node is a super-peer now: others may register what they share")
        elif changed:
            self._super_peer.close()
            _log.info("this node is no super-peer any more")
        self._protocol.announce(*protocols)
        if changed:
            for tell in self.on_changed:
                tell()

    def _on_neighbour(self, peer: PeerId) -> None:
        one = self._neighbours.get(peer)
        if one is None or not one.is_local:
            self._election.left(peer, self._network.clock())
            self._told.pop(peer, None)
        # Of the many who are far away and no super-peers, none bears on what is decided.
        counts = one is not None and (one.is_local or one.is_super)
        if counts or peer in self._counting:
            self._wake.set()
        (self._counting.add if counts else self._counting.discard)(peer)

    def _tell_all(self, tasks: asyncio.TaskGroup, now: float) -> float:
        """Exchange standings with who of the local network do not know ours; return when to do so again."""
        own, look_at = self.standing(), now + TELL_EVERY_S
        for peer, one in self._neighbours.all().items():
            if not one.is_local:
                continue
            at, told = self._told.get(peer, (float("-inf"), own))
            due_at = at + (TELL_EVERY_S if rank(told) == rank(own) else TELL_AGAIN_S)
            if now >= due_at:
                self._told[peer] = now, own
                tasks.create_task(self._tell(peer))
            else:
                look_at = min(look_at, due_at)
        return look_at

    async def _tell(self, peer: PeerId) -> None:
        try:
            answer = await self._protocol.ask(peer, self.standing())
        except WarrenError as error:
            _log.debug("telling %s how fit this node is: %s", peer, error)
            return
        if isinstance(answer, Standing):
            self.heard(peer, answer)
