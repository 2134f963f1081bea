"""Imported addresses are dialled until somebody is met there."""

from __future__ import annotations

import asyncio
import json

from warren import testing
from warren.services.peers.leads import RETRY_FIRST_S


def classic(*hosts: str) -> bytes:
    entries = [{"ipv4": host, "latency": 5, "download": 8, "upload": 4, "port no": 4101} for host in hosts]
    return json.dumps({"ip_address": entries}).encode()


def ipv4(node: object) -> str:
    return next(one.host for one in node.addresses() if ":" not in one.host)  # type: ignore[attr-defined, no-any-return]


def test_whoever_is_there_is_met_and_let_go() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as (one, other):
            report = await one.peer_lists.import_bytes(classic(ipv4(other)))
            assert report.leads == 1
            await asyncio.sleep(2)
            found = await one.peers.get(other.peer_id)
            assert found is not None
            assert found.latency is not None
            assert found.download is not None
            assert (found.latency.value, found.download.value) == (0.005, 1e6)
            assert found.agent.startswith("warren/")
            assert "import" in found.sources
            assert await one.peers.leads.count() == 0
            await asyncio.sleep(5)
            assert one.network.peers() == []
            assert await one.ping(other.peer_id)

    testing.run(main())


def test_whoever_comes_later_is_met_later() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            one, other = nodes
            host = ipv4(other)
            await other.close()
            await one.peer_lists.import_bytes(classic(host, "192.0.2.200"))
            await asyncio.sleep(RETRY_FIRST_S / 2)
            assert await one.peers.leads.count() == 2
            one = await nodes.restart(0)
            other = await nodes.start(1)
            await asyncio.sleep(4 * RETRY_FIRST_S)
            assert await one.peers.leads.count() == 1
            assert await one.peers.get(other.peer_id) is not None

    testing.run(main())


def test_an_address_that_is_our_own_harms_nobody() -> None:
    async def main() -> None:
        async with testing.network(1, degree=0) as (one,):
            await one.peer_lists.import_bytes(classic(ipv4(one)))
            await asyncio.sleep(300)
            assert await one.peers.count() == 0
            assert await one.peers.leads.count() == 1

    testing.run(main())
