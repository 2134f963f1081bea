"""The DHT with js-libp2p and py-libp2p: put, get, find and provide through a third node, both ways."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.interop.kad_node import ForeignKad, WarrenKad
from tests.support import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PUBLIC, OURS = "/ipfs/kad/1.0.0", "/warren/kad/1.0.0"
KEY, VALUE = b"/v/a name", bytes(range(256))
TIMEOUT_S = 120

with_each = pytest.mark.parametrize(
    ("name", "protocol"),
    [
        pytest.param("js", PUBLIC, marks=pytest.mark.interop_js, id="js"),
        pytest.param("js", OURS, marks=pytest.mark.interop_js, id="js, on our protocol id"),
        pytest.param("py", PUBLIC, marks=pytest.mark.interop_py, id="py"),
    ],
)


def content(name: str) -> bytes:
    """The multihash of some content."""
    return b"\x12\x20" + hashlib.sha256(name.encode()).digest()


def through_ours(name: str, protocol: str, test: Callable[[WarrenKad, ForeignKad], Awaitable[None]]) -> None:
    """A Warren node and a foreign one that know a second Warren node, and not each other."""

    async def main() -> None:
        async with (
            WarrenKad(protocol) as hub,
            WarrenKad(protocol) as ours,
            ForeignKad.start(name, protocol, hub.address) as theirs,
        ):
            await ours.meet(hub.address)
            await hub.until_known(theirs.peer_id)
            await theirs.until_known(hub)
            assert not ours.network.is_connected(theirs.peer_id)
            await test(ours, theirs)

    run(main(), timeout_s=TIMEOUT_S)


@with_each
def test_values_through_our_node(name: str, protocol: str) -> None:
    async def test(ours: WarrenKad, theirs: ForeignKad) -> None:
        await theirs.put(KEY, VALUE)
        assert await ours.kad.get_value(KEY) == VALUE
        put = await ours.kad.put_value(b"/v/other", VALUE[::-1])
        assert put.stored == put.asked >= 1
        assert await theirs.get(b"/v/other") == VALUE[::-1]

    through_ours(name, protocol, test)


@with_each
def test_providers_through_our_node(name: str, protocol: str) -> None:
    async def test(ours: WarrenKad, theirs: ForeignKad) -> None:
        await theirs.provide(content("theirs"))
        found = [provider async for provider in ours.kad.find_providers(content("theirs"))]
        assert [provider.peer for provider in found] == [theirs.peer_id]
        assert theirs.address.without_peer() in found[0].addresses
        put = await ours.kad.provide(content("ours"))
        assert put.stored == put.asked >= 1
        assert await theirs.providers(content("ours")) == {ours.network.peer_id}

    through_ours(name, protocol, test)


@with_each
def test_peers_through_our_node(name: str, protocol: str) -> None:
    async def test(ours: WarrenKad, theirs: ForeignKad) -> None:
        found = await ours.kad.find_peer(theirs.peer_id)
        assert found is not None
        assert found.reached
        assert theirs.address.without_peer() in found.addresses

    through_ours(name, protocol, test)


@with_each
def test_they_find_us_through_our_node(name: str, protocol: str) -> None:
    async def test(ours: WarrenKad, theirs: ForeignKad) -> None:
        assert ours.address.without_peer() in await theirs.find(ours.network.peer_id)

    through_ours(name, protocol, test)


@with_each
def test_everything_through_their_node(name: str, protocol: str) -> None:
    async def main() -> None:
        async with (
            ForeignKad.start(name, protocol) as hub,
            WarrenKad(protocol) as one,
            WarrenKad(protocol) as other,
        ):
            for node in (one, other):
                await node.meet(hub.address)
            await hub.until_known(one, other)
            assert not one.network.is_connected(other.network.peer_id)
            found = await one.kad.find_peer(other.network.peer_id)
            assert found is not None
            assert found.reached
            assert other.address.without_peer() in found.addresses
            assert (await one.kad.put_value(KEY, VALUE)).stored >= 1
            assert await other.kad.get_value(KEY) == VALUE
            assert await hub.get(KEY) == VALUE
            assert (await one.kad.provide(content("one"))).stored >= 1
            async with asyncio.timeout(TIMEOUT_S):
                providers = [provider.peer async for provider in other.kad.find_providers(content("one"))]
            assert providers == [one.network.peer_id]

    run(main(), timeout_s=TIMEOUT_S)
