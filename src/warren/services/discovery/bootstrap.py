"""`Bootstrap`: peers that somebody wrote down to begin with.

In:  addresses, with or without the peer id; name servers. Out: `Found` for each. Names in them (`/dns4/...`)
are looked up by the dial itself; `/dnsaddr/...` is looked up here, again and again, with back-off.
A list says nothing of namespaces: whoever is on it is in the node's own network.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warren.services.discovery.dnsaddr import is_dnsaddr, resolve
from warren.services.discovery.looking import LookPolicy, look_again
from warren.services.discovery.model import Found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.services.discovery.dnsaddr import Texts
    from warren.services.discovery.looking import Chance

NAME: Final = "bootstrap"
POLICY: Final = LookPolicy(every_s=600.0, first_s=2.0)


class Bootstrap:
    """A `Discoverer`."""

    __slots__ = ("_addresses", "_chance", "_names")

    name = NAME
    separates = False

    def __init__(self, addresses: Sequence[Multiaddr], names: Texts, chance: Chance) -> None:
        self._addresses = tuple(addresses)
        self._names = names
        self._chance = chance

    @property
    def activity(self) -> tuple[bool, str]:
        number = len(self._addresses)
        return bool(number), f"{number} address{'' if number == 1 else 'es'}" if number else "none given"

    async def find(self, namespace: str) -> AsyncIterator[Found]:  # noqa: ARG002  see the module
        for address in self._addresses:
            if not is_dnsaddr(address):
                yield found_at(address, NAME)
        if any(is_dnsaddr(address) for address in self._addresses):
            async for found in look_again(self._look, POLICY, self._chance, "looking up the bootstrap list"):
                yield found
        await asyncio.get_running_loop().create_future()  # nothing else will come

    async def _look(self) -> AsyncIterator[Found]:
        failure: OSError | None = None
        for address in self._addresses:
            if is_dnsaddr(address):
                try:
                    entries = await resolve(address, self._names)
                except OSError as error:
                    failure = error
                    continue
                for entry in entries:
                    yield found_at(entry, NAME)
        if failure is not None:
            raise failure


def found_at(address: Multiaddr, source: str) -> Found:
    """Whoever the address names, there."""
    return Found(address.peer_id, (address.without_peer(),), source)
