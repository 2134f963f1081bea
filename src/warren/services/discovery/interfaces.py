"""The two interfaces of discovery: to be found under a name, and to find who is.

A namespace is any text; it names a service, a room, a network. Everything that finds peers stands behind
these: bootstrap lists, DNS, multicast DNS, the DHT, peer exchange. One conformance suite holds them to what
is written here (`tests/services/discovery/conformance.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.services.discovery.model import Found


class Advertiser(Protocol):
    """Lets others find this node."""

    async def advertise(self, namespace: str) -> float:
        """Let this node be found under `namespace`. Returns for how many seconds that holds at least: whoever
        wants it to go on calls again before. Raises WarrenError where it cannot be said to anybody now.
        """
        ...

    async def withdraw(self, namespace: str) -> None:
        """Say so no more. What others keep of it ends by itself where it cannot be taken back."""
        ...


class Discoverer(Protocol):
    """Finds others."""

    @property
    def name(self) -> str:
        """The word for it that stands in `Found.source`."""
        ...

    @property
    def separates(self) -> bool:
        """Whether it tells namespaces apart: whom it finds has said to be there under that very name. Lists
        of addresses do not; whom they name is in the node's own network, and nothing more is known.
        """
        ...

    @property
    def activity(self) -> tuple[bool, str]:
        """Whether it does anything, and what, or why not, in words for the status of a node."""
        ...

    def find(self, namespace: str) -> AsyncIterator[Found]:
        """Who is found under `namespace`: at first all that are there, then each that comes, for as long as
        the caller iterates; it never ends by itself, and a failure on the way is tried again with back-off.

        Whoever was named before is named again only with what has changed. One that does not separate
        namespaces names everybody under each, and so is asked for the node's own alone.
        """
        ...
