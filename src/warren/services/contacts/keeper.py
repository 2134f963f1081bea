"""`Keeper`: keeps the contacts connected, and learns where they are while they are.

In:  events of the network and of the contacts; time and chance of the runtime. Out: dials, when `Reconnect`
says so; addresses, told or proven, to `Contacts`; protection of contacts' sockets from being closed to make
room.

Addresses are learnt only from sockets whose key was expected or came to us: a socket to an address of which
nobody knew the peer teaches nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from warren.core.errors import Closed, WarrenError
from warren.core.reach import teller_at
from warren.network.events import PeerConnected, PeerDisconnected, PeerIdentified
from warren.network.yamux.frames import GO_AWAY_NORMAL
from warren.services.contacts.model import ContactAdded, ContactRemoved
from warren.services.contacts.reconnect import Dial, Reconnect, ReconnectPolicy, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.runtime.seam import Clock, Entropy
    from warren.services.contacts.contacts import Contacts
    from warren.services.contacts.model import Contact

_TAG = "contact"
_HEEDED = (PeerConnected, PeerDisconnected, PeerIdentified, ContactAdded, ContactRemoved)
_log = logging.getLogger(__name__)


class Keeper:
    """Runs as one task, from `run` until that is cancelled."""

    __slots__ = ("_changed", "_clock", "_contacts", "_entropy", "_network", "_policy", "_schedule")

    def __init__(
        self,
        network: Network,
        contacts: Contacts,
        clock: Clock,
        entropy: Entropy,
        policy: ReconnectPolicy | None = None,
    ) -> None:
        self._network = network
        self._contacts = contacts
        self._clock = clock
        self._entropy = entropy
        self._policy = policy or ReconnectPolicy()
        self._schedule = Reconnect(self._policy, entropy)
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Keep every contact connected until cancelled. May be run again after a fault."""
        self._schedule = Reconnect(self._policy, self._entropy)
        events = self._network.events.subscribe(*_HEEDED, where=self._concerns)
        try:
            self._look_at_all()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._dial_when_due(tasks))
                async for event in events:
                    await self._on_event(event)
                    if events.missed():
                        self._look_at_all()
        finally:
            events.close()

    def _look_at_all(self) -> None:
        """Bring the schedule in line with what is, at the start and after events were lost."""
        now = self._clock.now()
        for contact in self._contacts.all():
            self._keep(contact)
            if self._network.is_connected(contact.peer_id):
                self._schedule.connected(contact.peer_id, now)
            else:
                self._schedule.lost(contact.peer_id, now)
        self._changed.set()

    def _concerns(self, event: object) -> bool:
        """Whether it is about a contact: connections of strangers come and go by the thousand."""
        match event:
            case PeerConnected(peer) | PeerDisconnected(peer, _) | PeerIdentified(peer, _, _):
                return self._contacts.get(peer) is not None
        return True

    async def _on_event(self, event: object) -> None:
        now = self._clock.now()
        match event:
            case PeerConnected(peer):
                self._schedule.connected(peer, now)
                await self._prove(peer)
            case PeerDisconnected(peer, _):
                self._schedule.lost(peer, now)
                self._changed.set()
            case PeerIdentified(peer, socket, info):
                await self._learn(peer, socket, getattr(info, "listen_addrs", ()))
            case ContactAdded(contact):
                self._keep(contact)
                if self._network.is_connected(contact.peer_id):
                    self._schedule.connected(contact.peer_id, now)
                    await self._prove(contact.peer_id)
                self._changed.set()
            case ContactRemoved(peer):
                self._leave(peer)
            case _:
                pass

    def _keep(self, contact: Contact) -> None:
        self._network.protect(contact.peer_id, _TAG)
        self._schedule.add(contact.peer_id, self._clock.now())

    def _leave(self, peer: PeerId) -> None:
        """Who is no contact any more loses its connection, and with it what only contacts may do on it."""
        self._schedule.remove(peer)
        self._network.unprotect(peer, _TAG)
        for socket in self._network.sockets(peer):
            socket.shut(Closed("no longer a contact"), GO_AWAY_NORMAL)

    async def _prove(self, peer: PeerId) -> None:
        for socket in self._network.sockets(peer):
            if socket.outbound and socket.proven and socket.remote_addr is not None:
                with _logged("storing where a contact was met"):
                    await self._contacts.proved(peer, socket.remote_addr)

    async def _learn(self, peer: PeerId, socket: Socket, addresses: Iterable[Multiaddr]) -> None:
        if socket.proven:
            with _logged("storing the addresses of a contact"):
                await self._contacts.told(peer, addresses, teller_at(socket.remote_addr))

    async def _dial_when_due(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._changed.clear()
            match self._schedule.next(self._clock.now()):
                case Dial(peer):
                    tasks.create_task(self._dial(peer))
                case Wait(until):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout_at(until):
                            await self._changed.wait()

    async def _dial(self, peer: PeerId) -> None:
        contact = self._contacts.get(peer)
        try:
            # The schedule is the back-off: the network's own would turn down a dial that is due. Its address
            # book forgets; strangers without end could make it forget the contacts.
            await self._network.connect(peer, contact.addresses if contact else (), forced=True)
        except WarrenError as error:
            _log.debug("contact %s is not reachable: %s", peer, error)
            self._schedule.failed(peer, self._clock.now())
        else:
            self._schedule.connected(peer, self._clock.now())
        self._changed.set()


@contextlib.contextmanager
def _logged(doing: str) -> Iterator[None]:
    """A full disk must not end the keeping of connections: what was learnt is lost, the next event says it
    again.
    """
    try:
        yield
    except WarrenError as error:
        _log.warning("%s failed: %s", doing, error)
