"""`Directory`: what this node shares and knows to be shared, and searching it, here and elsewhere.

In:  the network, an index, a catalog; queries of the user. Out: searches; registrations of this node
elsewhere and of others here, as its role says. Only wiring: what is decided is decided in the modules beside.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation
from warren.core.found import Counts, Found
from warren.core.matching import matches
from warren.network.allowance import Seldom
from warren.network.events import PeerDisconnected
from warren.protocols.directory.messages import (
    PRESENCE_PEERS_MAX,
    End,
    OnlineAnswer,
    PresenceCall,
    QueryCall,
    RefusedAnswer,
)
from warren.protocols.directory.protocol import DirectoryProtocol
from warren.services.directory.answering import Answering
from warren.services.directory.budgets import NAMED_EVERY_S, NAMED_MAX
from warren.services.directory.merging import Merging
from warren.services.directory.neighbours import Neighbours
from warren.services.directory.own import OwnEntries
from warren.services.directory.registrar import Registrar
from warren.services.directory.role import Role
from warren.services.directory.search import Search, Source
from warren.services.directory.super_peer import SuperPeer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.core.query import Query
    from warren.network.network import Network
    from warren.services.directory.answering import Overlay
    from warren.services.directory.catalog import Catalog
    from warren.services.directory.config import DirectoryConfig
    from warren.services.directory.fleet.fleet import Fleet
    from warren.services.directory.index.interface import Index
    from warren.services.directory.registrar import Find

    Work = Callable[[], Awaitable[None]]

SEARCH_S: Final = 10.0
ASKED_MAX: Final = 32
"""Peers asked directly by one search. Fault: a node with a thousand connections wakes them all."""
_log = logging.getLogger(__name__)


class Directory:
    """Answers from now on; runs what is in `background` as long as the node lives, then `close`."""

    def __init__(
        self,
        network: Network,
        index: Index,
        catalog: Catalog,
        key: PrivateKey,
        config: DirectoryConfig,
        *,
        is_contact: Callable[[PeerId], bool],
        is_public: Callable[[], bool],
        find: Find | None,
    ) -> None:
        """is_public: whether anybody can reach this node. find: see `Registrar`."""
        self._network = network
        self.index = index
        """What is found here."""
        self.catalog = catalog
        """What this node lets others find."""
        self.fleet: Fleet | None = None
        """By which the index is shared with other super-peers, where it is."""
        self._config = config
        self._is_contact = is_contact
        me = network.peer_id
        self.protocol = DirectoryProtocol(network)
        self.neighbours = Neighbours(network)
        self.super_peer = SuperPeer(index, config, me, network.clock)
        self.role = Role(network, self.protocol, self.neighbours, self.super_peer, config, is_public)
        self.registrar = Registrar(
            network,
            self.protocol,
            self.neighbours,
            catalog,
            key,
            config,
            is_super=lambda: self.super_peer.active,
            find=find,
        )
        self._own = OwnEntries(index, catalog, me)
        self._answering = Answering(index, self.super_peer, self.role, me, network.clock)
        self._searches: set[Search] = set()
        self.is_silent: Callable[[PeerId], bool] = lambda _: False
        """Whether a peer does not answer this node, although it is connected."""
        self.on_found: Callable[[Found], None] = lambda _: None
        """Called with each entry that another peer answers a search with."""
        self._named: Seldom[PeerId] = Seldom(NAMED_EVERY_S, NAMED_MAX)
        index.set_admits(self._admits)
        network.events.on(PeerDisconnected, lambda event: self.super_peer.disconnected(event.peer))
        if config.role != "off":
            self.role.on_changed.append(self.registrar.wake)
            self.protocol.serve(self._answering)

    @property
    def background(self) -> list[tuple[str, Work]]:
        """What runs as long as the node lives, by name."""
        works: list[tuple[str, Work]] = [("keeping the own entries", self._own.run)]
        if self._config.role != "off":
            works += [
                ("letting leases end", self.super_peer.run),
                ("registering", self.registrar.run),
                ("being a super-peer", self.role.run),
            ]
        return works

    @property
    def is_super(self) -> bool:
        """Whether this node is a super-peer now."""
        return self.super_peer.active

    def set_overlay(self, overlay: Overlay | None) -> None:
        """Who is asked besides, while this node is a super-peer."""
        self._answering.overlay = overlay

    async def close(self) -> None:
        """End all searches, and say goodbye."""
        for search in list(self._searches):
            await search.close()
        await self.registrar.close()
        self.super_peer.close()

    # --- searching ------------------------------------------------------------------------------------------

    def search(self, query: Query, *, ttl: int | None = None, timeout_s: float = SEARCH_S) -> Search:
        """Look here, at connected peers and at super-peers. Everybody is asked from now on.

        ttl: how often super-peers pass it on; 0: not at all, None: as they see fit. They never do who holds a
        content: others are found for that in the DHT.
        """
        ttl = ttl if query.cid is None else 0
        merging = Merging(query.limit, is_here=self._is_here, latency=self.neighbours.rtt_s)
        sources = [Source(self._network.peer_id, lambda: self._ask_self(query))]
        overlay = self._answering.overlay
        if overlay is not None and self.is_super and ttl != 0:
            sources.append(Source(None, lambda: overlay(query, ttl)))
        far = self._whom_to_let_pass_on()
        sources += [self._source(peer, query, ttl if peer in far else 0) for peer in self._whom_to_ask()]
        search = Search(sources, merging, timeout_s)
        self._searches.add(search)
        search.on_end(lambda: self._searches.discard(search))
        return search

    async def online(self, peers: Sequence[PeerId]) -> dict[PeerId, bool]:
        """Who of these is there, as the super-peers say with which this node is registered, or by a
        connection of its own. Raises what asking raises.
        """
        found = {peer: self._is_here(peer) or self.super_peer.is_online(peer) for peer in peers}
        for super_peer in self.registrar.registered():
            asked = [peer for peer, is_there in found.items() if not is_there]
            for start in range(0, len(asked), PRESENCE_PEERS_MAX):
                some = tuple(asked[start : start + PRESENCE_PEERS_MAX])
                found.update(zip(some, await self._ask_online(super_peer, some), strict=True))
        return found

    async def _ask_online(self, super_peer: PeerId, peers: tuple[PeerId, ...]) -> tuple[bool, ...]:
        answer = await self.protocol.ask(super_peer, PresenceCall(peers))
        if isinstance(answer, RefusedAnswer):
            raise answer.to_error(super_peer)
        if not isinstance(answer, OnlineAnswer) or len(answer.online) != len(peers):
            raise ProtocolViolation(f"{super_peer} answers what it was not asked")
        return answer.online

    def _whom_to_ask(self) -> list[PeerId]:
        """Super-peers, and contacts for what super-peers may not see; without a super-peer all neighbours."""
        if self._config.role == "off":
            return []
        neighbours = self.neighbours.all()
        covered = bool(self.registrar.registered()) or self.is_super
        order = {
            peer: (not one.is_super, not self._is_contact(peer), not one.is_local)
            for peer, one in neighbours.items()
            if one.is_super or not covered or self._is_contact(peer)
        }
        return sorted(order, key=lambda peer: (order[peer], peer))[:ASKED_MAX]

    def _whom_to_let_pass_on(self) -> Sequence[PeerId]:
        """Super-peers that shall ask others in turn: those of this node, or all would ask the same ones. A
        super-peer asks the others itself.
        """
        if self.is_super:
            return ()
        supers = [peer for peer, one in self.neighbours.all().items() if one.is_super]
        return self.registrar.registered() or supers[:1]

    def _source(self, peer: PeerId, query: Query, ttl: int | None) -> Source:
        return Source(peer, lambda: self._ask(peer, query, ttl))

    async def _ask_self(self, query: Query) -> AsyncGenerator[Found | Counts, None]:
        for one in (await self.index.search(query, self._network.peer_id)).hits:
            yield Found(*one)

    async def _ask(self, peer: PeerId, query: Query, ttl: int | None) -> AsyncGenerator[Found | Counts, None]:
        """What a peer finds. Nobody but a super-peer may speak for others, and none for this node; what does
        not fit is dropped.
        """
        one = self.neighbours.get(peer)
        is_super = one is not None and one.is_super
        strays = 0
        answers = self.protocol.query(peer, QueryCall(query, ttl if is_super else 0))
        try:
            async with contextlib.aclosing(answers):
                async for answer in answers:
                    if isinstance(answer, End):
                        yield answer.counts
                    elif isinstance(answer, Counts):
                        yield answer
                    elif answer.owner == self._network.peer_id:
                        continue
                    elif (is_super or answer.owner == peer) and matches(query, answer.entry):
                        self.on_found(answer)
                        yield answer
                    else:
                        strays += 1
        except ProtocolViolation as error:
            self._name(peer, f"answers what is no answer: {error}")
            raise
        finally:
            if strays:
                self._name(peer, f"named {strays} hits that nobody asked for, or of others")

    def _name(self, peer: PeerId, what: str) -> None:
        """Tell in the log who does what no honest peer does, once in a while."""
        if self._named.is_due(peer, self._network.clock()):
            _log.warning("%s %s", peer, what)

    # --- inside ---------------------------------------------------------------------------------------------

    def _admits(self, owner: PeerId, audience: int, asker: PeerId) -> bool:
        if owner == self._network.peer_id:
            return self.catalog.admits(audience, asker)
        return self.super_peer.admits(owner, audience, asker)

    def _is_here(self, peer: PeerId) -> bool:
        connected = self._network.is_connected(peer) and not self.is_silent(peer)
        return connected or peer == self._network.peer_id
