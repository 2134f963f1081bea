"""`DhtRouting`: under a namespace in the DHT, by provider records.

In:  a namespace; the DHT. Out: a provider record that names this node; `Found` for the providers that others
are. The key is the sha2-256 multihash of the namespace, as other libp2p nodes have it. A record cannot be
taken back: it ends by itself, two days after it was last said.
https://github.com/libp2p/specs/blob/master/kad-dht/README.md#content-provider-advertisement-and-discovery
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.core import multihash
from warren.core.errors import ConnectionFailed
from warren.services.discovery.looking import LookPolicy, look_again
from warren.services.discovery.model import Found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.services.discovery.looking import Chance

NAME: Final = "dht"
POLICY: Final = LookPolicy(every_s=300.0, first_s=5.0)
PROVIDED_S: Final = 22 * 3600.0
"""Said again after so long; records live for 48 hours."""
KEEPERS_ENOUGH: Final = 10
SOON_S: Final = 1200.0
"""The same where fewer keep it: while this node knows a part of the DHT only, it tells the wrong ones."""
PROVIDERS_MAX: Final = 20
"""Of one look-up."""


class Provider(Protocol):
    """Somebody who provides a key."""

    @property
    def peer(self) -> PeerId: ...

    @property
    def addresses(self) -> Sequence[Multiaddr]: ...


class Stored(Protocol):
    """What came of saying so."""

    @property
    def stored(self) -> int:
        """How many others keep it."""
        ...


class Located(Protocol):
    """A peer that was looked up."""

    @property
    def addresses(self) -> Sequence[Multiaddr]: ...


class Providing(Protocol):
    """What is needed of the DHT."""

    async def find_peer(self, peer: PeerId) -> Located | None:
        """Where a peer is. Raises WarrenError."""
        ...

    async def provide(self, key: bytes) -> Stored:
        """Say that this node provides `key`. Raises WarrenError."""
        ...

    def find_providers(self, key: bytes, count: int = PROVIDERS_MAX) -> AsyncIterator[Provider]:
        """Who does, up to `count`. Raises WarrenError."""
        ...


def key_of(namespace: str) -> bytes:
    """The key of its provider records."""
    return multihash.sha2_256(namespace.encode())


class DhtRouting:
    """An `Advertiser` and a `Discoverer`. me: who is not told of."""

    __slots__ = ("_chance", "_dht", "_me")

    name = NAME
    separates = True

    def __init__(self, dht: Providing, me: PeerId, chance: Chance) -> None:
        self._dht = dht
        self._me = me
        self._chance = chance

    @property
    def activity(self) -> tuple[bool, str]:
        return True, "provider records"

    async def advertise(self, namespace: str) -> float:
        """Raises ConnectionFailed where nobody keeps it: a node that has just started knows no others yet."""
        stored = (await self._dht.provide(key_of(namespace))).stored
        if not stored:
            raise ConnectionFailed("no peer of the DHT keeps it", hint="it is tried again soon")
        return PROVIDED_S if stored >= KEEPERS_ENOUGH else SOON_S

    async def withdraw(self, namespace: str) -> None:
        """Nothing can be taken back; it is not said again."""

    def find(self, namespace: str) -> AsyncIterator[Found]:
        key = key_of(namespace)

        async def look() -> AsyncIterator[Found]:
            async for provider in self._dht.find_providers(key, PROVIDERS_MAX):
                if provider.peer != self._me and (addresses := await self._addresses(provider)):
                    yield Found(provider.peer, addresses, NAME)

        return look_again(look, POLICY, self._chance, "looking for providers")

    async def _addresses(self, provider: Provider) -> tuple[Multiaddr, ...]:
        """Where it is: records keep addresses for half an hour only, and then just say who."""
        told: Sequence[Multiaddr] = provider.addresses
        if not told:
            located = await self._dht.find_peer(provider.peer)
            told = located.addresses if located is not None else ()
        return tuple(one.without_peer() for one in told)
