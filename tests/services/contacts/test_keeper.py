"""The keeper: events in; dials, learnt addresses and protection out. Its schedule is test_reconnect.py's."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from tests.support import run
from warren.core.errors import DialFailed, DiskFull
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach
from warren.network.events import EventBus, PeerConnected, PeerDisconnected, PeerIdentified
from warren.services.contacts.keeper import Keeper
from warren.services.contacts.model import Contact, ContactAdded, ContactRemoved
from warren.services.contacts.reconnect import ReconnectPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.runtime.seam import Clock, Entropy
    from warren.services.contacts.contacts import Contacts

ANNA, BOB = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in (1, 2))
HOME, CAFE, LOOPBACK, ANY = (
    Multiaddr.parse(f"/ip4/{host}/tcp/1") for host in ("192.0.2.1", "192.0.2.2", "127.0.0.1", "0.0.0.0")
)
QUICK = ReconnectPolicy(start_s=0.001, first_s=0.001, longest_s=0.002)


@dataclass
class FakeSocket:
    outbound: bool = True
    proven: bool = True
    remote_addr: Multiaddr | None = HOME
    shut_with: list[object] = field(default_factory=list)

    def shut(self, error: Exception, code: int) -> None:
        self.shut_with.append((error, code))


@dataclass
class Info:
    listen_addrs: Sequence[Multiaddr]


class Fakes:
    """Network, contacts, clock and chance in one. `happened` says what the keeper did, in order."""

    def __init__(self, *contacts: Contact) -> None:
        self.events = EventBus()
        self.known = {contact.peer_id: contact for contact in contacts}
        self.of_peer: dict[PeerId, list[FakeSocket]] = {}
        self.happened: list[tuple[object, ...]] = []
        self.failure: Exception | None = None
        self.store_failure: Exception | None = None
        self._moved = asyncio.Event()

    # The network.
    def is_connected(self, peer: PeerId) -> bool:
        return bool(self.of_peer.get(peer))

    def sockets(self, peer: PeerId) -> list[FakeSocket]:
        return self.of_peer.get(peer, [])

    def protect(self, peer: PeerId, tag: str) -> None:
        self.note("protect", peer, tag)

    def unprotect(self, peer: PeerId, tag: str) -> None:
        self.note("unprotect", peer, tag)

    async def connect(self, peer: PeerId, addresses: Iterable[Multiaddr], *, forced: bool) -> None:
        self.note("dial", peer, tuple(addresses), forced)
        if self.failure is not None:
            raise self.failure
        self.of_peer[peer] = [FakeSocket()]

    # The contacts.
    def all(self) -> list[Contact]:
        return list(self.known.values())

    def get(self, peer: PeerId) -> Contact | None:
        return self.known.get(peer)

    async def proved(self, peer: PeerId, address: Multiaddr) -> None:
        self.note("proved", peer, address)
        if self.store_failure is not None:
            raise self.store_failure

    async def told(self, peer: PeerId, addresses: Sequence[Multiaddr], teller: Reach) -> None:
        self.note("told", peer, tuple(addresses), teller)
        if self.store_failure is not None:
            raise self.store_failure

    # Time and chance.
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    # The test.
    def note(self, *what: object) -> None:
        self.happened.append(what)
        self._moved.set()

    def did(self, verb: str, peer: PeerId = ANNA) -> list[tuple[object, ...]]:
        return [what[2:] for what in self.happened if what[:2] == (verb, peer)]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._moved.clear()
                await self._moved.wait()


@contextlib.asynccontextmanager
async def keeping(fakes: Fakes) -> AsyncIterator[None]:
    keeper = Keeper(
        cast("Network", fakes), cast("Contacts", fakes), cast("Clock", fakes), cast("Entropy", fakes), QUICK
    )
    task = asyncio.create_task(keeper.run())
    try:
        await asyncio.sleep(0)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not fakes.events.watched


def contact(peer: PeerId = ANNA) -> Contact:
    return Contact(peer, "anna", "Anna", 0.0, proven=(HOME,), told=(CAFE,))


def identified(socket: FakeSocket, *addresses: Multiaddr) -> PeerIdentified:
    return PeerIdentified(ANNA, cast("Socket", socket), Info(addresses))


def test_a_contact_is_protected_and_dialled_until_it_answers() -> None:
    async def main() -> None:
        fakes = Fakes(contact())
        fakes.failure = DialFailed("nobody there", [])
        async with keeping(fakes):
            assert fakes.did("protect") == [("contact",)]
            await fakes.until(lambda: len(fakes.did("dial")) == 3)
            fakes.failure = None
            await fakes.until(lambda: fakes.is_connected(ANNA))
            tried = len(fakes.did("dial"))
            assert fakes.did("dial")[0] == ((HOME, CAFE), True)
            fakes.of_peer.clear()
            fakes.events.emit(PeerDisconnected(ANNA, "gone"))
            await fakes.until(lambda: len(fakes.did("dial")) == tried + 1)

    run(main())


def test_who_is_connected_already_is_not_dialled() -> None:
    async def main() -> None:
        fakes = Fakes(contact(), contact(BOB))
        fakes.of_peer[ANNA] = [FakeSocket()]
        async with keeping(fakes):
            await fakes.until(lambda: fakes.did("dial", BOB))
            assert fakes.did("dial") == []

    run(main())


def test_who_becomes_a_contact_is_kept_and_where_it_was_met_is_proven() -> None:
    async def main() -> None:
        fakes = Fakes()
        async with keeping(fakes):
            fakes.known[ANNA] = contact()
            fakes.of_peer[ANNA] = [FakeSocket(), FakeSocket(outbound=False), FakeSocket(proven=False)]
            fakes.events.emit(ContactAdded(contact()))
            await fakes.until(lambda: fakes.did("proved"))
            assert fakes.did("protect") == [("contact",)]
            fakes.events.emit(PeerConnected(ANNA))
            await fakes.until(lambda: len(fakes.did("proved")) == 2)
            assert set(fakes.did("proved")) == {(HOME,)}
            fakes.known[BOB] = contact(BOB)
            fakes.events.emit(ContactAdded(contact(BOB)))
            await fakes.until(lambda: fakes.did("dial", BOB))

    run(main())


def test_who_is_no_contact_any_more_loses_its_connection() -> None:
    async def main() -> None:
        fakes = Fakes(contact())
        socket = FakeSocket()
        fakes.of_peer[ANNA] = [socket]
        async with keeping(fakes):
            del fakes.known[ANNA]
            fakes.events.emit(ContactRemoved(ANNA))
            await fakes.until(lambda: fakes.did("unprotect"))
            assert len(socket.shut_with) == 1
            fakes.events.emit(PeerDisconnected(ANNA, "shut"))
            fakes.events.emit(ContactRemoved(BOB))
            await fakes.until(lambda: fakes.did("unprotect", BOB))
            assert fakes.did("dial") == []

    run(main())


def test_addresses_are_learnt_from_proven_sockets_alone() -> None:
    async def main() -> None:
        fakes = Fakes(contact())
        fakes.of_peer[ANNA] = [FakeSocket()]
        async with keeping(fakes):
            fakes.events.emit(identified(FakeSocket(proven=False), CAFE))
            fakes.events.emit(identified(FakeSocket(), CAFE, LOOPBACK, ANY))
            fakes.events.emit(identified(FakeSocket(remote_addr=LOOPBACK), CAFE, LOOPBACK, ANY))
            await fakes.until(lambda: len(fakes.did("told")) == 2)
            said = CAFE, LOOPBACK, ANY
            assert fakes.did("told") == [(said, Reach.PRIVATE), (said, Reach.LOOPBACK)]

    run(main())


def test_a_full_disk_ends_no_connection() -> None:
    async def main() -> None:
        fakes = Fakes(contact())
        fakes.store_failure = DiskFull("the disk is full")
        fakes.of_peer[ANNA] = [FakeSocket()]
        async with keeping(fakes):
            fakes.events.emit(PeerConnected(ANNA))
            fakes.events.emit(identified(FakeSocket(), CAFE))
            await fakes.until(lambda: fakes.did("told"))
            fakes.of_peer.clear()
            fakes.events.emit(PeerDisconnected(ANNA, "gone"))
            await fakes.until(lambda: fakes.did("dial"))

    run(main())


def test_after_lost_events_all_contacts_are_looked_at() -> None:
    async def main() -> None:
        fakes = Fakes(contact())
        fakes.of_peer[ANNA] = [FakeSocket()]
        async with keeping(fakes):
            fakes.of_peer.clear()
            for _ in range(5000):  # more than a subscription holds: that Anna went is not told
                fakes.events.emit(ContactRemoved(BOB))
            await fakes.until(lambda: fakes.did("dial"))

    run(main())
