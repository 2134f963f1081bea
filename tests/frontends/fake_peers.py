"""A peer table that answers at once: contacts first, then whoever is connected, then strangers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from warren.core.errors import InputError, NotFound
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_metadata import PeerMetadata
from warren.services.peers.entries import Problem
from warren.services.peers.lists import ImportReport, LeftOut
from warren.services.peers.model import Figure, Peer

ADDRESS = Multiaddr.parse("/ip4/192.0.2.7/tcp/4101")
SEEN = 1_700_000_000.0


def stranger(number: int) -> Any:
    return PrivateKey.from_seed(b"s" * 28 + number.to_bytes(4)).peer_id


class FakeLeads:
    def __init__(self) -> None:
        self.addresses = [ADDRESS]

    async def count(self) -> int:
        return len(self.addresses)

    async def remove(self, address: Multiaddr) -> bool:
        if address not in self.addresses:
            return False
        self.addresses.remove(address)
        return True


class FakeOwn:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    async def set(self, key: str, value: str) -> None:
        self.entries = dict(PeerMetadata(stranger(0), 1, self.entries | {key: value}).entries)

    async def remove(self, key: str) -> None:
        if key not in self.entries:
            raise NotFound(f"this node says nothing of {key!r}", hint="warren metadata list")
        del self.entries[key]


class FakePeers:
    """Of a fake node; `strangers` says how many there are besides those whom it knows."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self.strangers = 0
        self.blocked: set[Any] = set()
        self.forgotten: set[Any] = set()
        self.leads, self.own = FakeLeads(), FakeOwn()

    def _all(self) -> list[Any]:
        contacts = [one.peer_id for one in self._node.contacts.all()]
        connected = [peer for peer in self._node.network.connected if peer not in contacts]
        known = [*contacts, *connected, *(stranger(number) for number in range(self.strangers))]
        return [peer for peer in known if peer not in self.forgotten]

    def _peer(self, peer: Any) -> Peer:
        return Peer(
            peer,
            (ADDRESS,),
            first_seen=SEEN,
            last_seen=SEEN,
            latency=Figure(0.02, SEEN),
            jitter_s=0.001,
            download=Figure(12_500_000.0, SEEN),
            state="suspect",
            roles=("dht",),
            metadata={"region": "north"},
            blocked=peer in self.blocked,
            sources=("dialled",),
        )

    async def page(self, sort: Any, offset: int, limit: int) -> Any:
        found = self._all()[offset : offset + limit]
        return [self._peer(peer) for peer in (found if sort in (None, "name") else reversed(found))]

    async def get(self, peer: Any) -> Any:
        return self._peer(peer) if peer in self._all() else None

    async def count(self) -> int:
        return len(self._all())

    def is_blocked(self, peer: Any) -> bool:
        return peer in self.blocked

    async def block(self, peer: Any) -> None:
        self.blocked.add(peer)

    async def unblock(self, peer: Any) -> bool:
        was = peer in self.blocked
        self.blocked.discard(peer)
        return was

    async def forget(self, peer: Any) -> bool:
        known = peer in self._all()
        self.forgotten.add(peer)
        return known


class FakeLists:
    """Lists that are read by their size, and written with one entry and one thing left out."""

    async def import_file(self, path: str) -> ImportReport:
        return await self.import_bytes(await asyncio.to_thread(Path(path).read_bytes))

    async def import_bytes(self, data: bytes) -> ImportReport:
        try:
            value = json.loads(data)
        except ValueError:
            raise InputError("this is no list of peers", hint="warren peer export writes one") from None
        problems = [Problem(3, "it is no JSON"), Problem(4, '"ipv4" is missing')]
        return ImportReport("full", added=len(value), leads=1, skipped=2, problems=problems, problem_count=5)

    async def export(self, form: str) -> Any:
        yield {"ipv4": "192.0.2.7", "form": form, "name": "ä"}
        yield LeftOut("12D3", "no IPv4 address, only IPv6")
