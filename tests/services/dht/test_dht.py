"""The DHT as a user asks for it, between whole nodes in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from warren import testing
from warren.core.cid import DAG_PB, Cid
from warren.core.errors import (
    ConfigError,
    ConnectionFailed,
    ContentUnknown,
    InputError,
    InvalidCid,
    PeerUnknown,
)
from warren.core.keys import PrivateKey
from warren.core.multihash import sha2_256
from warren.protocols.kad.config import KadConfig
from warren.protocols.kad.ipns import IpnsRecord
from warren.protocols.kad.signed import CONTENT_BYTES_MAX
from warren.protocols.kad.store import StoreConfig
from warren.runtime.simulated.world import SimulatedClock
from warren.services.dht.keys import shown
from warren.services.discovery.model import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.node import Node

HASH = sha2_256(b"content")
OTHER = PrivateKey.from_seed(b"o" * 32)
DAY = 86400.0


def two(main: Any, *, protocol: str = "/warren/kad/1.0.0", n: int = 2, limit_s: float = 90 * DAY) -> None:
    """Run `main` with connected nodes."""

    async def inside() -> None:
        async with testing.network(n, dht=KadConfig(protocol=protocol, mode="server")) as nodes:
            await main(*nodes) if n < 4 else await main(nodes)

    testing.run(inside(), limit_s=limit_s)


def provided(node: Node) -> int:
    """How many providers a node keeps, without those who say by that only that they are there."""
    there = node.dht._on.providers.get(sha2_256(DEFAULT_NAMESPACE.encode()), node.network.clock())
    return node.dht.status.providers - len(there)


@asynccontextmanager
async def alone(**dht: Any) -> AsyncIterator[Node]:
    async with testing.network(1, dht=KadConfig(**dht)) as nodes:
        yield nodes[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("greeting", "hello"),
        ("with spaces and / slashes", "a value\nof two lines"),
        ("äöü 🐇", "ß"),
        (b"\x00\xff\xfe binary", bytes(range(256))),
        ("empty", b""),
        (b"n" * 512, bytes(CONTENT_BYTES_MAX)),
    ],
)
def test_what_one_puts_the_other_gets_at_the_first_try(name: str | bytes, value: str | bytes) -> None:
    async def main(anna: Node, ben: Node) -> None:
        put = await anna.dht.put(name, value)
        assert (put.stored, put.asked) == (1, 1)
        found = await ben.dht.get(put.key)
        assert found.value == (value.encode() if isinstance(value, str) else value)
        assert (found.peer, found.sequence) == (anna.peer_id, put.sequence)
        if isinstance(name, str):
            assert await ben.dht.get(f"/warren/{anna.peer_id}/{name}") == found

    two(main)


def test_a_later_value_replaces_the_one_before() -> None:
    async def main(anna: Node, ben: Node) -> None:
        for value in (b"one", b"two", b"three"):
            put = await anna.dht.put("n", value)
            assert (await ben.dht.get(put.key)).value == value

    two(main)


def test_lost_counts_are_made_up_for_by_what_is_kept() -> None:
    async def main(anna: Node, ben: Node) -> None:
        first = await anna.dht.put("n", b"one")
        parts = anna.dht._on
        await parts.publisher._state.run(lambda db: db.execute("DELETE FROM dht_sequences"))
        parts.publisher._clock = _Early(parts.publisher._clock)
        second = await anna.dht.put("n", b"two")
        assert second.sequence == (first.sequence or 0) + 1
        assert (await ben.dht.get(first.key)).value == b"two"

    two(main)


class _Early:
    """A clock that was set back."""

    def __init__(self, clock: Any) -> None:
        self.now = clock.now

    def wall(self) -> float:
        return 0.0


def test_clocks_that_are_set_ahead_cost_nothing_that_is_kept_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall, ahead_s = SimulatedClock.wall, 0.0
    monkeypatch.setattr(SimulatedClock, "wall", lambda clock: wall(clock) + ahead_s)

    async def main(anna: Node, ben: Node) -> None:
        nonlocal ahead_s
        put = await anna.dht.put("n", b"v")
        await anna.dht.provide(Cid(0, DAG_PB, HASH))
        ahead_s = 30 * DAY
        await asyncio.sleep(3600)  # they look for what is too old every ten minutes
        assert ben.dht.status.records == provided(ben) == 1
        assert (await anna.dht.get(put.key)).value == b"v"

    two(main)


def test_what_is_published_outlives_its_expiry_and_a_restart_of_all() -> None:
    async def inside() -> None:
        store = StoreConfig(record_expiry_s=0.95 * DAY, provider_expiry_s=0.95 * DAY)
        config = KadConfig(mode="server", self_every_s=DAY, store=store)
        async with testing.network(2, dht=config) as nodes:
            put = await nodes[0].dht.put("n", b"v")
            await nodes[0].dht.provide(Cid(0, DAG_PB, HASH))
            await asyncio.sleep(DAY)
            for _ in range(2):
                assert nodes[1].dht.status.records == provided(nodes[1]) == 1
                assert (await nodes[1].dht.get(put.key)).value == b"v"
                assert [one.peer async for one in nodes[1].dht.find_providers(HASH)] == [nodes[0].peer_id]
                for number in range(2):
                    await nodes.restart(number)

    testing.run(inside())


def test_what_was_put_by_a_process_that_was_killed_is_there_again() -> None:
    """Nothing was written at the end: the databases are as they were when the value was acknowledged."""

    async def inside() -> None:
        async with testing.network(2, dht=KadConfig()) as nodes:
            put = await nodes[0].dht.put("n", b"v")
            nodes[0].dht._on.records.remove(put.key)
            nodes[1].dht._on.records.remove(put.key)
            await nodes.restart(0)
            await nodes[0].connect(nodes[1].addresses()[0])
            await asyncio.sleep(1)
            assert (await nodes[1].dht.get(put.key)).value == b"v"

    testing.run(inside())


def test_each_id_of_the_same_content_finds_its_providers() -> None:
    forms: list[Cid] = [Cid(0, DAG_PB, HASH), Cid(1, DAG_PB, HASH), Cid.raw_sha256(HASH[2:])]

    async def main(anna: Node, ben: Node) -> None:
        put = await anna.dht.provide(forms[0])
        assert (put.key, put.stored) == (HASH, 1)
        given: list[Cid | str | bytes] = [*forms, *map(str, forms), HASH]
        for form in given:
            found = [one async for one in ben.dht.find_providers(form)]
            assert [one.peer for one in found] == [anna.peer_id]
            assert found[0].addresses
        assert [one.cid for one in anna.dht.published()] == [forms[0]]

    two(main)


def test_a_peer_is_found_through_a_third() -> None:
    async def inside() -> None:
        async with testing.network(3, degree=0, dht=KadConfig(mode="server")) as (anna, ben, cara):
            await anna.connect(ben.addresses()[0])
            await cara.connect(ben.addresses()[0])
            await asyncio.sleep(1)
            found = await anna.dht.find_peer(cara.peer_id)
            assert found.peer == cara.peer_id
            assert cara.addresses()[0].without_peer() in found.addresses
            assert (await anna.dht.find_peer(anna.peer_id)).addresses
            with pytest.raises(PeerUnknown, match=str(OTHER.peer_id)):
                await anna.dht.find_peer(OTHER.peer_id)

    testing.run(inside())


def test_what_cannot_be_found_is_told_apart_from_nobody_there() -> None:
    async def main(anna: Node, ben: Node) -> None:
        key = f"/warren/{ben.peer_id}/nothing"
        with pytest.raises(ContentUnknown, match="nobody has a value under /warren/"):
            await anna.dht.get(key)
        assert [one async for one in anna.dht.find_providers(HASH)] == []

    two(main)

    async def lonely() -> None:
        async with alone() as anna:
            key = f"/warren/{OTHER.peer_id}/nothing"
            for asking in (anna.dht.get(key), anna.dht.find_peer(OTHER.peer_id), _all(anna)):
                with pytest.raises(ConnectionFailed, match="no peer of the DHT /warren/kad"):
                    await asking
            with pytest.raises(ConnectionFailed, match="known yet"):
                await anna.dht.put("n", b"v")
            assert (await anna.dht.get(anna.dht.published()[0].key)).value == b"v"

    testing.run(lonely())


async def _all(node: Node) -> list[object]:
    return [one async for one in node.dht.find_providers(HASH)]


def test_what_was_put_alone_is_there_soon_after_somebody_came() -> None:
    async def inside() -> None:
        async with testing.network(2, degree=0, dht=KadConfig()) as (anna, ben):
            with pytest.raises(ConnectionFailed):
                await anna.dht.put("n", b"v")
            await asyncio.sleep(DAY)
            await ben.connect(anna.addresses()[0])
            await asyncio.sleep(5)
            assert ben.dht.status.records == 1

    testing.run(inside())


def test_the_dht_can_be_switched_off() -> None:
    async def inside() -> None:
        async with alone(mode="off") as anna:
            assert anna.dht.status == ("off", "/warren/kad/1.0.0", 0, 0, 0, 0)
            for asking in (
                anna.dht.put("n", b"v"),
                anna.dht.get("/warren/x/n"),
                anna.dht.provide(HASH),
                anna.dht.find_peer(anna.peer_id),
                anna.dht.take_back("n"),
                _all(anna),
            ):
                with pytest.raises(ConfigError, match="switched off") as caught:
                    await asking
                assert "dht.mode" in caught.value.hint

    testing.run(inside())


def test_what_cannot_be_put_is_refused_and_not_kept() -> None:
    async def main(anna: Node, ben: Node) -> None:
        for name, value in (("", b"v"), (b"n" * 513, b"v"), ("n", bytes(CONTENT_BYTES_MAX + 1))):
            with pytest.raises(InputError):
                await anna.dht.put(name, value)
        for key, record in (
            ("/ipns/x", b"v"),
            (f"/warren/{anna.peer_id}/n", b"unsigned"),
            ("/pk/x", bytes(65537)),
        ):
            with pytest.raises(InputError):
                await anna.dht.put_record(key, record)
        with pytest.raises(InvalidCid):
            await anna.dht.provide("no content id")
        with pytest.raises(InputError, match="in no namespace"):
            await ben.dht.get("/other/key")
        with pytest.raises(InputError, match="at least one"):
            _ = [one async for one in ben.dht.find_providers(HASH, 0)]
        for gone in (anna.dht.take_back("n"), anna.dht.stop_providing(HASH)):
            with pytest.raises(ContentUnknown, match="not published"):
                await gone
        assert anna.dht.published() == []

    two(main)


def test_the_public_dht_takes_finished_records_and_no_names_of_ours() -> None:
    async def main(anna: Node, ben: Node) -> None:
        with pytest.raises(InputError, match="keeps no names of ours"):
            await anna.dht.put("n", b"v")
        ends_ns = 2**62
        record = IpnsRecord(b"/ipfs/bafkqaaa", 1, ends_ns).seal(OTHER)
        key = f"/ipns/{OTHER.peer_id}"
        assert (await anna.dht.put_record(key, record)).stored == 1
        found = await ben.dht.get(key)
        assert (found.value, found.peer, found.sequence) == (record, None, None)
        assert shown(found.key).startswith("/ipns/k51")
        assert (await anna.dht.put_record(f"/pk/{OTHER.peer_id}", OTHER.public_key.to_protobuf())).stored == 1
        older = IpnsRecord(b"/ipfs/bafkqaab", 0, ends_ns).seal(OTHER)
        with pytest.raises(InputError, match="a better one is known"):
            await anna.dht.put_record(key, older)
        assert anna.dht._on.publisher._values[found.key] == record
        await anna.dht.take_back(found.key)

    two(main, protocol="/ipfs/kad/1.0.0")


def test_a_node_keeps_for_others_what_it_does_not_publish_itself() -> None:
    async def main(anna: Node, ben: Node) -> None:
        await anna.dht.put("n", b"v")
        await anna.dht.provide(HASH)
        for node, published in ((ben, 0), (anna, 2)):
            status = node.dht.status
            assert status == ("server", "/warren/kad/1.0.0", 1, 1, status.providers, published)
            assert provided(node) == 1
        assert ben.dht.kad.table is not None

    two(main)
