"""Whole nodes in virtual time, for anyone's tests.

    from warren import testing

    def test_a_greeting():
        async def main():
            async with testing.network(2, latency_s=0.1) as (alice, bob):
                bob.handle("/hello/1", lambda peer, payload: b"hello " + payload)
                assert await alice.request(bob.peer_id, "/hello/1", b"you") == b"hello you"

        testing.run(main())

The nodes run the code of production; clock, chance, network and disk are simulated, so an hour passes in a
moment and the same seed gives the same run.
"""

from __future__ import annotations

from warren.runtime.simulated import Deadlock, Quality, SimulationError, World
from warren.testing.nodes import QUIET, Nodes, network, run

__all__ = ["QUIET", "Deadlock", "Nodes", "Quality", "SimulationError", "World", "network", "run"]
