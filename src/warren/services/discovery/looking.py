"""Looking again and again, and naming only what is new.

In:  a look, which yields who is there at the moment. Out: `Found` for what has not been named yet, for ever.
What fails is tried again with back-off.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import WarrenError
from warren.services.discovery.model import Found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId

NAMED_MAX: Final = 4096
"""Peers and addresses that one search remembers to have named. Attack: names without end."""
_log = logging.getLogger(__name__)


class Chance(Protocol):
    """Where jitter comes from."""

    def uniform(self, low: float, high: float) -> float: ...


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """Seconds. every_s: between looks that succeed. first_s: after a first failure, doubled up to every_s."""

    every_s: float
    first_s: float = 1.0


async def look_again(
    look: Callable[[], AsyncIterator[Found]], policy: LookPolicy, chance: Chance, what: str
) -> AsyncIterator[Found]:
    """What each look finds that was not found before. what: whose look it is, for the log."""
    news = News()
    wait_s = policy.first_s
    while True:
        try:
            async for found in look():
                fresh = news.of(found)
                if fresh is not None:
                    yield fresh
            wait_s = policy.first_s
            pause_s = policy.every_s
        except (OSError, WarrenError) as error:
            _log.debug("%s: %s", what, error)
            pause_s = wait_s
            wait_s = min(wait_s * 2, policy.every_s)
        await asyncio.sleep(chance.uniform(pause_s * 0.75, pause_s * 1.25))


class News:
    """Tells what was not named before from what was."""

    __slots__ = ("_named",)

    def __init__(self) -> None:
        self._named: dict[PeerId | Multiaddr, tuple[Multiaddr, ...]] = {}

    def of(self, found: Found) -> Found | None:
        """What of it is new; None if nothing is. A peer with a new address is named with all that it has."""
        if found.peer is None:
            fresh = tuple(one for one in dict.fromkeys(found.addresses) if one not in self._named)
            for address in fresh:
                self._remember(address, ())
            return Found(None, fresh, found.source) if fresh else None
        known = self._named.get(found.peer, ())
        if set(found.addresses) <= set(known):
            return None
        self._remember(found.peer, found.addresses)
        return found

    def _remember(self, key: PeerId | Multiaddr, addresses: tuple[Multiaddr, ...]) -> None:
        self._named.pop(key, None)
        while len(self._named) >= NAMED_MAX:
            del self._named[next(iter(self._named))]
        self._named[key] = addresses
