"""How much a network has and did, also of sockets that are gone and newcomers that were turned away."""

from __future__ import annotations

import pytest

from tests.network.nodes import LOOPBACK, closed, connect, make, nodes
from tests.support import run
from warren.core.errors import WarrenError


def test_what_there_is_is_counted_and_what_was_stays_counted() -> None:
    async def main() -> None:
        async with nodes(2) as (alice, bob):
            before = alice.counts()
            assert (before.peers, before.inbound, before.outbound, before.streams) == (0, 0, 0, 0)
            near, far = await connect(alice, bob)
            stream = near.open_stream(("/none/1",))
            now, theirs = alice.counts(), bob.counts()
            assert (now.peers, now.inbound, now.outbound, now.opened) == (1, 0, 1, {"outbound": 1})
            assert (theirs.peers, theirs.inbound, theirs.outbound, theirs.opened) == (1, 1, 0, {"inbound": 1})
            assert now.streams >= 1
            assert now.bytes_in == near.bytes_in > 0
            stream.reset()
            await near.close()
            await closed(far)
            after = alice.counts()
            assert (after.peers, after.outbound, after.streams) == (0, 0, 0)
            assert after.opened == {"outbound": 1}
            assert (after.bytes_in, after.bytes_out) == (near.bytes_in, near.bytes_out)
            assert after.bytes_out >= bob.counts().bytes_in > 0

    run(main())


def test_who_was_turned_away_is_counted_by_limit() -> None:
    async def main() -> None:
        async with nodes(1) as (alice,):
            full = make(2, alice.runtime, inbound_max=0)
            await full.listen([LOOPBACK])
            with pytest.raises(WarrenError):
                await alice.connect(full.peer_id, full.listen_addrs)
            assert full.counts().refused == {"inbound_max": 1}
            assert full.load == 1.0
            assert alice.load == 0.0
            await full.stop()

    run(main())
