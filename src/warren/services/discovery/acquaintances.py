"""`Acquaintances`: peers that the peer table knows, from before or because others told of them.

In:  the peer table, which peer exchange, identify and earlier runs fill, with what is believed of them. Out:
`Found` for peers that are worth a dial, drawn at random, and those that became known meanwhile. What others
tell has no namespace. Left out are those whom nobody but a discovery has named and nobody has met: what a
liar announces shall not come back from the table as if it were known there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.services.discovery.looking import LookPolicy, look_again
from warren.services.discovery.model import Found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.services.discovery.looking import Chance

NAME: Final = "peers"
POLICY: Final = LookPolicy(every_s=10.0, first_s=2.0)
AT_ONCE: Final = 64
"""Of one look: more than are dialled before the next."""


DISCOVERIES: Final = frozenset({"", "bootstrap", "dns", "mdns", "dht"})


class Acquaintance(Protocol):
    """A peer, and where it may be."""

    @property
    def peer_id(self) -> PeerId: ...

    @property
    def addresses(self) -> Sequence[Multiaddr]: ...

    @property
    def first_hand(self) -> Sequence[Multiaddr]:
        """Those that the user gave, or where it was met."""
        ...

    @property
    def last_seen(self) -> float | None:
        """When it was last met; None: never."""
        ...

    @property
    def sources(self) -> Sequence[str]:
        """How it became known."""
        ...


class Known(Protocol):
    """What is needed of the peer table."""

    async def candidates(self, limit: int, *, at_random: bool = False) -> Sequence[Acquaintance]:
        """Some that are worth a dial, none of them blocked. Raises WarrenError."""
        ...


class Acquaintances:
    """A `Discoverer`."""

    __slots__ = ("_chance", "_table")

    name = NAME
    separates = False

    def __init__(self, table: Known, chance: Chance) -> None:
        self._table = table
        self._chance = chance

    @property
    def activity(self) -> tuple[bool, str]:
        return True, "who is known"

    def find(self, namespace: str) -> AsyncIterator[Found]:  # noqa: ARG002  see the module
        return look_again(self._look, POLICY, self._chance, "looking at known peers")

    async def _look(self) -> AsyncIterator[Found]:
        for peer in await self._table.candidates(AT_ONCE, at_random=True):
            if peer.addresses and is_vouched_for(peer):
                yield Found(peer.peer_id, tuple(peer.addresses), NAME, tuple(peer.first_hand))


def is_vouched_for(peer: Acquaintance) -> bool:
    """Whether it was met, or somebody told of it who is no discovery."""
    return peer.last_seen is not None or not set(peer.sources) <= DISCOVERIES
