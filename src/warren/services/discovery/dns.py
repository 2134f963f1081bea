"""`Dns`: peers that DNS names list, or that a name has the addresses of.

In:  names, each with a port or without; name servers. Out: `Found`. A name without a port lists addresses in
its dnsaddr records; one with a port stands for whoever listens on that port of each of its A and AAAA
records, as the pods behind a headless Service of Kubernetes do, and says of nobody which peer it is.
Looked up again every now and then, because pods come and go. A name says nothing of namespaces.
https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.core.multiaddr import Multiaddr
from warren.services.discovery.bootstrap import found_at
from warren.services.discovery.dnsaddr import resolve
from warren.services.discovery.looking import LookPolicy, look_again
from warren.services.discovery.model import Found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warren.runtime.seam import Family
    from warren.services.discovery.looking import Chance

NAME: Final = "dns"
POLICY: Final = LookPolicy(every_s=30.0, first_s=1.0)
ADDRESSES_MAX: Final = 64
"""Taken from one name. Attack: who owns it makes us a scanner. A larger Service is found by and by, as name
servers give its addresses in changing order."""


class Names(Protocol):
    """What is asked of name servers."""

    async def resolve(self, name: str, family: Family = 0) -> list[str]:
        """Numeric addresses. Raises `OSError`."""
        ...

    async def resolve_txt(self, name: str) -> list[bytes]:
        """TXT records. Raises `OSError`."""
        ...


class Dns:
    """A `Discoverer`. names: each with its port, or None for its dnsaddr records."""

    __slots__ = ("_chance", "_listed", "_resolver")

    name = NAME
    separates = False

    def __init__(self, names: Sequence[tuple[str, int | None]], resolver: Names, chance: Chance) -> None:
        self._listed = tuple(names)
        self._resolver = resolver
        self._chance = chance

    @property
    def activity(self) -> tuple[bool, str]:
        return bool(self._listed), ", ".join(name for name, _ in self._listed) or "no name given"

    def find(self, namespace: str) -> AsyncIterator[Found]:  # noqa: ARG002  see the module
        return look_again(self._look, POLICY, self._chance, "looking up names")

    async def _look(self) -> AsyncIterator[Found]:
        failure: OSError | None = None
        for name, port in self._listed:
            try:
                found = await (self._listed_at(name) if port is None else self._living_at(name, port))
            except OSError as error:
                failure = error
                continue
            for one in found:
                yield one
        if failure is not None:
            raise failure

    async def _listed_at(self, name: str) -> list[Found]:
        entries = await resolve(Multiaddr.parse(f"/dnsaddr/{name}"), self._resolver)
        return [found_at(entry, NAME) for entry in entries]

    async def _living_at(self, name: str, port: int) -> list[Found]:
        addresses = (await self._resolver.resolve(name))[:ADDRESSES_MAX]
        return [Found(None, (Multiaddr.tcp(one, port),), NAME) for one in addresses]
