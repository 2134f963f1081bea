"""The part of a weak peer: with which super-peers it is registered.

In:  who of the connected peers is a super-peer, where others may be met. Out: sessions with the chosen ones;
a new one at once when one is lost. What is decided is in choosing.py, what is said in session.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.protocols.directory.messages import Bye
from warren.services.directory.choosing import Choosing
from warren.services.directory.session import LeaseNumbers, NotTaken, Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.directory.protocol import DirectoryProtocol
    from warren.services.directory.catalog import Catalog
    from warren.services.directory.config import DirectoryConfig
    from warren.services.directory.neighbours import Neighbours

    Find = Callable[[], Awaitable[Sequence[PeerId]]]

SEEK_FIRST_S: Final = 0.5
"""Until the first attempt to meet super-peers that are not connected. The next ones are each twice as far
apart; each wait is drawn from nothing to twice of that. Fault: ten thousand peers of a super-peer that is
started again come in the same moment."""
SEEK_ALONE_MAX_S: Final = 15.0
"""So far apart at most while this node is registered with nobody, and so found by nobody..."""
SEEK_MAX_S: Final = 300.0
"""...and so far while it is registered, but with too few."""
SEEK_DIAL_S: Final = 3.0
HEAD_START_S: Final = 0.5
"""For those that had the registration to be met again, before others are dialled: they need not be sent it
anew."""
FORMER_MAX: Final = 4
"""Super-peers that are dialled again because they had the registration."""
BYE_S: Final = 0.5
"""For a goodbye to be heard. Fault: a node that does not end for one who does not listen."""
TAG: Final = "directory"
_log = logging.getLogger(__name__)


class Registrar:
    """`run` as long as the node lives, then `close`."""

    def __init__(
        self,
        network: Network,
        protocol: DirectoryProtocol,
        neighbours: Neighbours,
        catalog: Catalog,
        key: PrivateKey,
        config: DirectoryConfig,
        *,
        is_super: Callable[[], bool],
        find: Find | None,
    ) -> None:
        """is_super: whether this node is a super-peer itself, which registers with nobody. find: names
        super-peers that may be dialled, in the order in which to try them; None: nobody is dialled.
        """
        self._network = network
        self._protocol = protocol
        self._neighbours = neighbours
        self._chance = network.runtime.entropy
        self._catalog = catalog
        self._key = key
        self._lease_s = config.lease_s
        self._is_super = is_super
        self._find = find
        self._choosing = Choosing(config.super_peers, self._chance)
        self._numbers = LeaseNumbers(network.runtime.clock)
        self._sessions: dict[PeerId, Session] = {}
        self._tasks: dict[PeerId, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._wanting = asyncio.Event()
        self._seek_s = SEEK_FIRST_S
        self._former: dict[PeerId, tuple[Multiaddr, ...]] = {}
        """Super-peers that had the registration, the last ones first, and where they were met."""
        self.on_registered: Callable[[], None] = lambda: None
        """Called when a super-peer has had all there was that is none of the former ones."""
        neighbours.on_changed.append(self._on_changed)

    def sealed_lease(self, super_peer: PeerId) -> bytes:
        """The next lease of this node for a super-peer."""
        return self._numbers.seal(self._key, super_peer, self._lease_s)

    def renew(self, super_peer: PeerId) -> None:
        """Show a super-peer a fresh lease now."""
        session = self._sessions.get(super_peer)
        if session is not None:
            session.renew()

    def registered(self) -> list[PeerId]:
        """The super-peers that have had all there was."""
        return [peer for peer, session in self._sessions.items() if session.is_registered]

    def wake(self) -> None:
        """Look again: this node became a super-peer or is one no more, or audiences have other members."""
        self._wake.set()
        for session in self._sessions.values():
            session.wake()

    async def run(self) -> None:
        """Stay registered with so many super-peers as are wanted, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                if self._find is not None:
                    tasks.create_task(self._seek(self._find))
                while True:
                    self._wake.clear()
                    look_at = self._look(tasks)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout_at(look_at):
                            await self._wake.wait()
        finally:
            self._tasks.clear()

    async def close(self) -> None:
        """Say goodbye to those who have our registration."""
        sessions, self._sessions = self._sessions, {}
        await asyncio.gather(*map(self._say_bye, sessions))

    # --- choosing -------------------------------------------------------------------------------------------

    def _look(self, tasks: asyncio.TaskGroup) -> float | None:
        self._offer()
        for peer in [one for one in self._tasks if one not in self._choosing.chosen]:
            self._end(peer, tasks)
        plan = self._choosing.plan(self._network.clock())
        for peer in plan.leave:
            self._end(peer, tasks)
        for peer in plan.begin:
            self._begin(peer, tasks)
        if plan.wanting > 0 and not self._is_super():
            self._wanting.set()
        else:
            self._wanting.clear()
            self._seek_s = SEEK_FIRST_S
        return plan.look_at

    def _offer(self) -> None:
        candidates = {} if self._is_super() else self._neighbours.all()
        for peer, one in candidates.items():
            if one.is_super:
                rtt_s = self._neighbours.rtt_s(peer)
                self._choosing.offer(peer, is_elected=one.is_elected, rtt_s=rtt_s)
        for peer in self._choosing.candidates:
            if peer not in candidates or not candidates[peer].is_super:
                self._choosing.withdraw(peer)

    def _on_changed(self, peer: PeerId) -> None:
        one = self._neighbours.get(peer)
        if (one is not None and one.is_super) or peer in self._tasks:
            self._seek_s = SEEK_FIRST_S
            self._wake.set()

    # --- sessions -------------------------------------------------------------------------------------------

    def _begin(self, peer: PeerId, tasks: asyncio.TaskGroup) -> None:
        session = Session(
            peer,
            self._protocol,
            self._catalog,
            self._key,
            self._numbers,
            self._lease_s,
            self._chance,
            partial(self._succeeded, peer),
        )
        self._sessions[peer] = session
        self._tasks[peer] = tasks.create_task(self._keep(peer, session))
        self._network.protect(peer, TAG)

    def _end(self, peer: PeerId, tasks: asyncio.TaskGroup) -> None:
        """Leave it. One with which it did not work hears no goodbye: this node is there, whatever it
        refused.
        """
        task = self._tasks.pop(peer)
        is_well = not task.done()
        task.cancel()
        self._sessions.pop(peer, None)
        self._network.unprotect(peer, TAG)
        if is_well and self._network.is_connected(peer):
            tasks.create_task(self._say_bye(peer))

    def _succeeded(self, peer: PeerId) -> None:
        self._choosing.succeeded(peer)
        is_former = peer in self._former
        met_at = [one.remote_addr for one in self._network.sockets(peer) if one.outbound and one.remote_addr]
        self._former = {peer: tuple(met_at)} | {one: at for one, at in self._former.items() if one != peer}
        while len(self._former) > FORMER_MAX:
            self._former.popitem()
        if not is_former:
            self.on_registered()

    async def _keep(self, peer: PeerId, session: Session) -> None:
        try:
            await session.run()
        except NotTaken as error:
            _log.debug("registering with %s: %s", peer, error)
            self._choosing.succeeded(
                peer
            )  # it took the lease, which is to be renewed if nobody else is there
        except WarrenError as error:
            _log.debug("registering with %s: %s", peer, error)
        except Exception:  # noqa: BLE001  the boundary of supervision: one super-peer stops no other
            _log.exception("registering with %s failed", peer)
        self._choosing.failed(peer, self._network.clock())
        self._wake.set()

    async def _say_bye(self, peer: PeerId) -> None:
        with contextlib.suppress(WarrenError):
            await self._protocol.ask(peer, Bye(), BYE_S)

    # --- meeting others -------------------------------------------------------------------------------------

    async def _seek(self, find: Find) -> None:
        """Dial super-peers that are known of, while there are too few; those that had the registration at
        once, whatever became of them since.
        """
        while True:
            await self._wanting.wait()
            await asyncio.sleep(self._chance.uniform(0.0, self._seek_s * 2))
            self._seek_s = min(self._seek_s * 2, SEEK_MAX_S if self.registered() else SEEK_ALONE_MAX_S)
            async with asyncio.TaskGroup() as tasks:
                for peer, met_at in self._former.items():
                    tasks.create_task(self._meet(peer, met_at, forced=True))
                if self._former:
                    await asyncio.sleep(HEAD_START_S)
                for peer in await find() if self._wanting.is_set() else ():
                    if not self._wanting.is_set():
                        break
                    await self._meet(peer)

    async def _meet(self, peer: PeerId, met_at: Sequence[Multiaddr] = (), *, forced: bool = False) -> None:
        """Try to connect. met_at: where it was met. forced: the schedule of who calls is the back-off."""
        if not self._network.is_connected(peer):
            with contextlib.suppress(WarrenError):
                await self._network.connect(peer, met_at, timeout_s=SEEK_DIAL_S, hearsay=(), forced=forced)
