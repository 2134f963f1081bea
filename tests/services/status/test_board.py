"""What a node gathers of itself, what others may know of it, and how their answers are kept."""

from __future__ import annotations

import asyncio

from warren import testing


def test_a_snapshot_holds_what_the_parts_know() -> None:
    async def main() -> None:
        async with testing.network(3, latency_s=0.01) as nodes:
            await asyncio.sleep(5)
            node = nodes[0]
            now = await node.status.snapshot()
            assert now.peer_id == node.peer_id
            assert now.addresses == tuple(node.addresses())
            assert (now.counts.peers, now.peers_known) == (2, 2)
            assert now.uptime_s == node.uptime_s
            assert now.agent.startswith("warren/")
            assert now.listening
            assert now.dht.mode == node.dht.status.mode
            node.network.stop_listening()
            assert not node.status.listening

    testing.run(main())


def test_strangers_see_little_contacts_more_and_the_time_is_kept() -> None:
    async def main() -> None:
        async with testing.network(2, latency_s=0.02) as (anna, ben):
            facts, _ = await anna.ask_status(ben.peer_id)
            assert facts.agent.startswith("warren/")
            assert facts.load_percent == 0
            assert facts.details is None
            await ben.add_contact(anna.peer_id)
            await asyncio.sleep(1)
            facts, response_s = await anna.ask_status(ben.peer_id)
            assert facts.details is not None
            assert facts.details.peers_connected == 1
            assert facts.details.bytes_in > 0
            kept = await anna.peers.get(ben.peer_id)
            assert kept is not None
            assert kept.response is not None
            assert kept.response.value == response_s

    testing.run(main())
