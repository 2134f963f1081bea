"""`Mdns`: finds, and lets be found, on the local links.

In:  where this node listens; what is heard on the links. Out: announcements and questions; `Found`; a call of
`on_gone` for who is there no more. What is said and understood is decided in `protocols.mdns`, pure.

Takes part only on interfaces that this node listens on, and on none that is a machine's own (loopback), so a
node on loopback says nothing to anybody. Of global addresses only IPv6 ones count, and those only on a
machine without a global IPv4 address: one that has that stands in a data centre, among strangers, where
multicast finds nobody and earns complaints. Machines move: the interfaces are looked at every now and then.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warren.core.errors import LimitReached
from warren.protocols.mdns.presence import Ask, Gone, Presence, PresencePolicy, Wait
from warren.protocols.mdns.records import ADDRESSES_MAX, instance_name, kind_of, read_texts, texts_of
from warren.runtime.seam import LocalService
from warren.services.discovery.model import DEFAULT_NAMESPACE, Found
from warren.services.discovery.purse import Purse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.protocols.mdns.records import Announcement
    from warren.runtime.seam import Clock, Entropy, Heard, LocalLinks, Multicast

NAME: Final = "mdns"
LOOK_EVERY_S: Final = 10.0
"""Between looks at the interfaces, and at what is said of this node."""
HOLDS_S: Final = 3600.0
NAMESPACES_MAX: Final = 64
"""Fault: a program that searches under ever new names, each of which is asked for on the link."""
UNTAKEN_MAX: Final = 256
"""What a search has found and nobody has taken. The oldest is dropped."""
INTERFACES_MAX: Final = 16
NEWCOMERS_BURST: Final = 256
"""Names, and changes of what a name says, that are read at once. Attack: packets without end, each of which
costs half a millisecond to look at; what was said before costs a few microseconds."""
NEWCOMERS_EVERY_S: Final = 0.2
_log = logging.getLogger(__name__)


class _Search:
    """One iteration of `find`."""

    __slots__ = ("queue", "wake")

    def __init__(self) -> None:
        self.queue: deque[Found] = deque(maxlen=UNTAKEN_MAX)
        self.wake = asyncio.Event()

    def put(self, found: Found) -> None:
        self.queue.append(found)
        self.wake.set()


class _Kind:
    """What is known of one kind of service. own: the name under which this node announces it."""

    __slots__ = ("here", "newcomers", "own", "presence", "searches", "texts")

    def __init__(self, presence: Presence, now: float) -> None:
        self.presence = presence
        self.newcomers = Purse(NEWCOMERS_BURST, NEWCOMERS_EVERY_S, now)
        self.texts: dict[str, tuple[bytes, ...]] = {}
        self.own: str | None = None
        self.here: dict[str, Announcement] = {}
        self.searches: list[_Search] = []


class Mdns:
    """An `Advertiser` and a `Discoverer`. It does something while `run` runs.

    where: the addresses at which others reach this node, without its id.
    """

    name = NAME
    separates = True

    def __init__(
        self,
        multicast: Multicast,
        clock: Clock,
        entropy: Entropy,
        me: PeerId,
        where: Callable[[], Sequence[Multiaddr]],
        *,
        on_gone: Callable[[PeerId], None] = lambda _: None,
        policy: PresencePolicy | None = None,
    ) -> None:
        self._multicast = multicast
        self._clock = clock
        self._entropy = entropy
        self._me = me
        self._where = where
        self._on_gone = on_gone
        self._policy = policy or PresencePolicy()
        self._kinds: dict[str, _Kind] = {}
        self._links: LocalLinks | None = None
        self._said: list[Multiaddr] = []
        self._changed = asyncio.Event()
        self._trouble = "not started"

    # --- Advertiser and Discoverer ------------------------------------------------------------------------

    @property
    def activity(self) -> tuple[bool, str]:
        if self._links is None:
            return False, self._trouble
        return True, "on " + ", ".join(dict.fromkeys(str(one.host) for one in self._said))

    async def advertise(self, namespace: str) -> float:
        """Raises LimitReached. Where there is no link to say it on, it is said once there is one."""
        kind = kind_of_namespace(namespace)
        state = self._kind(kind)
        if state.own is None:
            state.own = instance_name(self._entropy.bytes)
            await self._announce(kind, state.own)
        return HOLDS_S

    async def withdraw(self, namespace: str) -> None:
        kind = kind_of_namespace(namespace)
        state = self._kinds.get(kind)
        if state is not None and state.own is not None:
            name, state.own = state.own, None
            self._drop_if_unused(kind)
            if self._links is not None:
                await self._links.withdraw(kind, name)

    async def find(self, namespace: str) -> AsyncIterator[Found]:
        """Raises LimitReached."""
        kind = kind_of_namespace(namespace)
        state, search = self._kind(kind), _Search()
        state.searches.append(search)
        try:
            for said in state.here.values():
                search.put(_found(said))
            while True:
                while search.queue:
                    yield search.queue.popleft()
                search.wake.clear()
                await search.wake.wait()
        finally:
            state.searches.remove(search)
            self._drop_if_unused(kind)

    # --- what else is known of peers ----------------------------------------------------------------------

    def met(self, peer: PeerId) -> None:
        """A handshake proved that a peer exists: names that nobody has met make room for it, not it for
        them.
        """
        for state in self._kinds.values():
            for name in _names_of(peer, state):
                state.presence.met(name)

    def doubt(self, peer: PeerId) -> None:
        """A connection with it broke, or a dial failed: if it was on the link, ask whether it still is."""
        for state in self._kinds.values():
            for name in _names_of(peer, state):
                state.presence.doubt(name, self._clock.now())
                self._changed.set()

    # --- life ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take part until cancelled; then say goodbye. May be run again after a fault."""
        try:
            while True:
                await self._look_at_interfaces()
                await self._follow(self._clock.now() + LOOK_EVERY_S)
        finally:
            await self._leave("stopped")

    async def _look_at_interfaces(self) -> None:
        """Be on the links that this node listens on now, and say what is true now."""
        wanted = on_links(self._where())
        if wanted == self._said and self._links is not None:
            return
        await self._leave("listens on no local link")
        if not wanted:
            return
        hosts = list(dict.fromkeys(str(one.host) for one in wanted))[:INTERFACES_MAX]
        try:
            self._links = await self._multicast.join(hosts, self._hear)
        except OSError as error:
            self._trouble = f"no multicast here: {error.strerror or error}"
            _log.info("mDNS: %s", self._trouble)
            return
        self._said = wanted
        for kind, state in list(self._kinds.items()):
            if state.own is not None:
                await self._announce(kind, state.own)

    async def _leave(self, why: str) -> None:
        links, self._links, self._trouble, self._said = self._links, None, why, []
        if links is not None:
            with suppress(OSError):
                await links.close()

    async def _follow(self, until: float) -> None:
        """Ask when it is time to, and notice who is gone."""
        while (now := self._clock.now()) < until:
            self._changed.clear()
            wake = min([self._step(kind, state, now) for kind, state in list(self._kinds.items())] + [until])
            with suppress(TimeoutError):
                async with asyncio.timeout_at(wake):
                    await self._changed.wait()

    def _step(self, kind: str, state: _Kind, now: float) -> float:
        """What one kind has to do now; returns when it has to again."""
        while self._links is not None:
            match state.presence.next(now):
                case Ask():
                    self._links.ask(kind)
                case Gone(name):
                    self._forget(state, name)
                case Wait(until):
                    return until
        return now + LOOK_EVERY_S

    # --- what is heard ------------------------------------------------------------------------------------

    def _hear(self, heard: Heard) -> None:
        state = self._kinds.get(heard.kind)
        if state is None or heard.name == state.own:
            return
        now = self._clock.now()
        if heard.gone:
            state.presence.goodbye(heard.name, now)
            self._changed.set()
        elif state.texts.get(heard.name) == heard.texts:
            state.presence.heard(heard.name, now)
        elif state.newcomers.left(now):
            state.newcomers.pay(1)
            said = read_texts(heard.texts)
            if said is not None and said.peer != self._me:
                self._take(state, heard.name, said, now)
                state.texts[heard.name] = heard.texts

    def _take(self, state: _Kind, name: str, said: Announcement, now: float) -> None:
        removed = state.presence.heard(name, now)
        if removed is not None:
            self._forget(state, removed)
        before = state.here.get(name)
        state.here[name] = said = merged(before, said)
        if said != before:
            for search in state.searches:
                search.put(_found(said))
        self._changed.set()

    def _forget(self, state: _Kind, name: str) -> None:
        state.texts.pop(name, None)
        said = state.here.pop(name, None)
        if said is not None and not any(_names_of(said.peer, one) for one in self._kinds.values()):
            self._on_gone(said.peer)

    # --- inside -------------------------------------------------------------------------------------------

    def _kind(self, kind: str) -> _Kind:
        if kind not in self._kinds:
            if len(self._kinds) >= NAMESPACES_MAX:
                raise LimitReached(
                    "namespaces_max", f"{NAMESPACES_MAX} namespaces are in use", hint="end a search"
                )
            self._kinds[kind] = _Kind(Presence(self._policy, self._entropy), self._clock.now())
            self._changed.set()
        return self._kinds[kind]

    def _drop_if_unused(self, kind: str) -> None:
        state = self._kinds[kind]
        if state.own is None and not state.searches:
            del self._kinds[kind]

    async def _announce(self, kind: str, name: str) -> None:
        if self._links is None:
            return
        port = next((one.port for one in self._said if one.port), 0)
        hosts = tuple(dict.fromkeys(str(one.host) for one in self._said))
        try:
            await self._links.announce(LocalService(kind, name, port, texts_of(self._me, self._said), hosts))
        except OSError as error:
            _log.info("mDNS: cannot announce: %s", error)


def kind_of_namespace(namespace: str) -> str:
    """The default namespace is that of libp2p on every link: its other implementations find us, and we
    them.
    """
    return kind_of("" if namespace == DEFAULT_NAMESPACE else namespace)


def on_links(addresses: Sequence[Multiaddr]) -> list[Multiaddr]:
    """Those of our addresses that are on a local link; private ones first. See the module."""
    ips = [(ipaddress.ip_address(one.host or ""), one) for one in addresses if _is_numeric(one)]
    private = [one for _, one in ips if one.is_private]
    in_data_centre = any(ip.version == 4 and one.is_global for ip, one in ips)
    shared = [] if in_data_centre else [one for ip, one in ips if ip.version == 6 and one.is_global]
    return (private + shared)[:ADDRESSES_MAX]


def merged(before: Announcement | None, said: Announcement) -> Announcement:
    """What is known after `said`. A record may come in pieces, one for each address, so the latest stand
    first and none is dropped that there is room for.
    """
    if before is None or before.peer != said.peer:
        return said
    news = [one for one in said.addresses if one not in before.addresses]
    if not news:
        return before
    return type(said)(said.peer, tuple(news + list(before.addresses))[:ADDRESSES_MAX])


def _is_numeric(address: Multiaddr) -> bool:
    return address.components[0][0] in {"ip4", "ip6"}


def _names_of(peer: PeerId, state: _Kind) -> list[str]:
    return [name for name, said in state.here.items() if said.peer == peer]


def _found(said: Announcement) -> Found:
    return Found(said.peer, said.addresses, NAME)
