"""`Discovery`: all discoveries of a node together.

In:  advertisers and discoverers, a namespace. Out: this node can be found under the namespace by all of them;
whoever they find goes to the finder, which dials; searches and advertisements of others' services, for who
embeds a node. Each source runs on its own: one that fails is begun again and holds up no other.

Whoever is found under a namespace has said to be there, but for the node's own: lists and known peers, which
know of no namespaces, count for that one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol, cast

from warren.core.errors import InputError, WarrenError
from warren.services.discovery.config import NAMESPACE_BYTES_MAX
from warren.services.discovery.model import DiscoveryStatus, PeerVanished, Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from warren.core.peer_id import PeerId
    from warren.services.discovery.finder import Finder
    from warren.services.discovery.interfaces import Advertiser, Discoverer
    from warren.services.discovery.model import Found

AGAIN_S: Final = 30.0
"""After a failure: to advertise, or of a source."""
UNTAKEN_MAX: Final = 256
"""What a search has found and nobody has taken: then its sources wait."""
_SWITCHED_OFF: Final = "switch on discovery.mdns, or the DHT (dht.mode)"
_log = logging.getLogger(__name__)


class Runs(Protocol):
    """Something that works in the background."""

    async def run(self) -> None:
        """Until cancelled."""
        ...


class Discovery:
    """Of one node. `run` as long as the node lives."""

    def __init__(
        self,
        namespace: str,
        finder: Finder,
        *,
        discoverers: Sequence[Discoverer] = (),
        followed: Sequence[Discoverer] | None = None,
        advertisers: Sequence[Advertiser] = (),
        background: Iterable[Runs] = (),
        emit: Callable[[object], None] = lambda _: None,
    ) -> None:
        """followed: those whose finds go to the finder by themselves, all unless said; others serve `find`.
        background: what must run for them to work. emit takes the events.
        """
        self._namespace = namespace
        self._finder = finder
        self._discoverers = list(discoverers)
        self._followed = self._discoverers if followed is None else list(followed)
        self._advertisers = list(advertisers)
        self._background = list(background)
        self._emit = emit
        self._advertised: dict[str, list[asyncio.Task[None]]] = {}
        self._kept: set[str] = set()
        """Namespaces of `advertise`, until `withdraw`."""
        self._held: Counter[str] = Counter()
        """Those of `advertised`, and how many hold each."""

    # --- for who embeds a node ----------------------------------------------------------------------------

    async def advertise(self, namespace: str) -> None:
        """Let this node be found under `namespace`, by all that can, until `withdraw` or its end.

        Raises InputError for what is no namespace.
        """
        _check(namespace)
        self._kept.add(namespace)
        await asyncio.gather(*(first.wait() for first in self._begin(namespace)))

    async def withdraw(self, namespace: str) -> None:
        """Be found there no more. One that is not advertised is no error."""
        self._kept.discard(namespace)
        await self._end_unless_wanted(namespace)

    @asynccontextmanager
    async def advertised(self, namespace: str) -> AsyncIterator[None]:
        """Let this node be found under `namespace` as long as the context lasts, whoever else wants that too.

        Raises InputError for what is no namespace, or where nothing can say it.
        """
        _check(namespace)
        if not self._advertisers:
            raise InputError(f"nothing here lets this node be found under {namespace!r}", hint=_SWITCHED_OFF)
        self._held[namespace] += 1
        self._begin(namespace)
        try:
            yield
        finally:
            self._held[namespace] -= 1
            await self._end_unless_wanted(namespace)

    def sources(self, namespace: str) -> tuple[Source, ...]:
        """What looks for `namespace`, and whether it can. Raises what `find` raises."""
        return tuple(_source(one) for one in self._looking_for(namespace))

    async def find(self, namespace: str) -> AsyncIterator[Found]:
        """Who is found under `namespace`, by all sources as they come; for as long as the caller iterates.

        Nobody is dialled by this. Raises InputError for what is no namespace, or where nothing can look.
        """
        looking = self._looking_for(namespace)
        queue: asyncio.Queue[Found] = asyncio.Queue(UNTAKEN_MAX)
        tasks = [asyncio.ensure_future(_follow(one, namespace, queue.put)) for one in looking]
        try:
            while True:
                yield await queue.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def status(self) -> DiscoveryStatus:
        """What it does at the moment."""
        finder = self._finder
        sources = tuple(_source(one) for one in self._discoverers)
        return DiscoveryStatus(
            self._namespace, sources, finder.found, finder.tried, finder.met, finder.wanted
        )

    # --- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Find and be found until cancelled. May be run again after a fault."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for one in (self._finder, *self._background):
                    tasks.create_task(one.run())
                for source in self._followed:
                    tasks.create_task(_follow(source, self._namespace, self._finder.take))
                for namespace in sorted({*self._kept, *self._held}):  # of before a fault
                    self._begin(namespace)
                await self.advertise(self._namespace)
        finally:
            await self._stop_advertising()

    def vanished(self, peer: PeerId, source: str) -> None:
        """A source says that a peer is gone."""
        self._finder.vanished(peer, source)
        self._emit(PeerVanished(peer, source))

    # --- inside -------------------------------------------------------------------------------------------

    def _looking_for(self, namespace: str) -> list[Discoverer]:
        _check(namespace)
        looking = [one for one in self._discoverers if one.separates or namespace == self._namespace]
        if not looking:
            raise InputError(f"nothing here can look for {namespace!r}", hint=_SWITCHED_OFF)
        return looking

    def _begin(self, namespace: str) -> list[asyncio.Event]:
        """Say it from now on, unless that is done already; what tells when each said it, or tried to."""
        if namespace in self._advertised:
            return []
        said = [asyncio.Event() for _ in self._advertisers]
        self._advertised[namespace] = [
            asyncio.ensure_future(self._keep_advertised(one, namespace, first))
            for one, first in zip(self._advertisers, said, strict=True)
        ]
        return said

    async def _end_unless_wanted(self, namespace: str) -> None:
        if namespace in self._kept or self._held[namespace]:
            return
        del self._held[namespace]
        tasks = self._advertised.pop(namespace, [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in self._advertisers:
            if tasks and namespace not in self._advertised:  # somebody may want it again meanwhile
                await _tried(one.withdraw(namespace), "withdrawing")

    async def _keep_advertised(self, one: Advertiser, namespace: str, said: asyncio.Event) -> None:
        while True:
            try:
                holds_s = await one.advertise(namespace)
            except (OSError, WarrenError) as error:
                _log.debug("advertising %r failed: %s", namespace, error)
                holds_s = 2 * AGAIN_S
            finally:
                said.set()
            await asyncio.sleep(holds_s / 2)

    async def _stop_advertising(self) -> None:
        """At the end of a node; its goodbyes are said by who runs in the background."""
        tasks = [task for tasks in self._advertised.values() for task in tasks]
        self._advertised.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(source: Discoverer, namespace: str, take: Callable[[Found], Awaitable[object]]) -> None:
    """Hand on what one source finds; begin again when it fails."""
    while True:
        # Every source is an async generator: closing it is what ends a search.
        search = cast("AsyncGenerator[Found, None]", source.find(namespace))
        try:
            async with aclosing(search):
                async for found in search:
                    await take(found)
        except (OSError, WarrenError) as error:
            _log.debug("finding by %s failed: %s", source.name, error)
        await asyncio.sleep(AGAIN_S)


def _source(one: Discoverer) -> Source:
    return Source(one.name, *one.activity)


async def _tried(work: Awaitable[object], doing: str) -> None:
    try:
        await work
    except (OSError, WarrenError) as error:
        _log.debug("%s failed: %s", doing, error)


def _check(namespace: str) -> None:
    try:
        size_bytes = len(namespace.strip() and namespace.encode())
    except UnicodeEncodeError:  # half a character
        size_bytes = 0
    if not 0 < size_bytes <= NAMESPACE_BYTES_MAX:
        raise InputError(
            f"a namespace has 1 to {NAMESPACE_BYTES_MAX} bytes, not {namespace[:80]!r}", hint="name a service"
        )
