"""How the overlay is tied to the directory, the DHT and the peer table. Only wiring.

In:  the parts that do not know each other. Out: an `Overlay`, which takes part while the node is a
super-peer.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from warren.core.errors import ConnectionFailed
from warren.services.overlay.interfaces import Holder
from warren.services.overlay.overlay import Overlay
from warren.services.overlay.rare import key_of
from warren.services.peers.diversity import group_of_address
from warren.services.peers.with_role import SUPER_ROLE, with_role

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from warren.config import Config
    from warren.core.found import Found
    from warren.core.query import Query
    from warren.network.network import Network
    from warren.protocols.kad.kad import Kad
    from warren.services.directory.directory import Directory
    from warren.services.directory.index.interface import Index
    from warren.services.peers.table import PeerTable

_HOLDERS_MAX = 20


class PublicEntries:
    """What the index shows to everybody; see `services.overlay.interfaces.PublicIndex`."""

    def __init__(self, index: Index) -> None:
        self._index = index

    async def find(self, query: Query) -> Sequence[Found]:
        """Public entries alone."""
        return (await self._index.search(query, None)).hits


class RareInDht:
    """Rare words in the DHT; see `services.overlay.interfaces.Rare`."""

    def __init__(self, kad: Kad) -> None:
        self._kad = kad

    async def provide(self, word: str) -> None:
        """Say so. Raises `ConnectionFailed` where nobody took it."""
        if not (await self._kad.provide(key_of(word))).stored:
            raise ConnectionFailed("nobody in the DHT took the record")

    def withdraw(self, word: str) -> None:
        """Say so no more, when this node is asked."""
        self._kad.withdraw(key_of(word))

    async def find(self, word: str) -> AsyncGenerator[Holder, None]:
        """Who says so."""
        providers = self._kad.find_providers(key_of(word), _HOLDERS_MAX)
        async with aclosing(providers) as found:  # type: ignore[type-var]
            async for provider in found:
                yield Holder(provider.peer, provider.addresses)


def assemble_overlay(
    network: Network, config: Config, directory: Directory, kad: Kad | None, peers: PeerTable
) -> Overlay:
    """An overlay that follows the role of `directory`."""
    overlay = Overlay(
        network,
        config.overlay,
        PublicEntries(directory.index),
        directory.index.public_words,
        RareInDht(kad) if kad is not None else None,
        group_of=group_of_address,
        find=partial(with_role, peers, network, SUPER_ROLE) if config.discovery.connections else None,
    )
    directory.set_overlay(overlay.search)
    directory.role.on_changed.append(lambda: overlay.set_active(directory.is_super))
    overlay.set_active(directory.is_super)
    return overlay
