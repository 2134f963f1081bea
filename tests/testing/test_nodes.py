"""`warren.testing` itself: shapes of networks, and refusals that say what to do."""

from __future__ import annotations

import asyncio

import pytest

from warren import testing
from warren.core.errors import DialFailed, InputError, MisuseError
from warren.network.events import PeerDisconnected


@pytest.mark.parametrize(("n", "degree"), [(1, 0), (2, 1), (5, 4), (6, 3), (10, 2), (10, 5), (12, None)])
def test_each_node_has_as_many_neighbours_as_asked(n: int, degree: int | None) -> None:
    async def main() -> None:
        async with testing.network(n, degree=degree) as nodes:
            assert len(nodes) == n
            expected = 8 if degree is None else degree
            assert [len(node.network.peers()) for node in nodes] == [expected] * n
            assert len({node.peer_id for node in nodes[:]}) == n

    testing.run(main())


@pytest.mark.parametrize(("n", "degree"), [(0, 0), (3, 3), (5, 3), (4, -1)])
def test_impossible_shapes_are_refused(n: int, degree: int) -> None:
    async def main() -> None:
        async with testing.network(n, degree=degree):
            pass

    with pytest.raises(InputError, match="neighbours"):
        testing.run(main())


def test_a_real_loop_is_refused_with_the_cure() -> None:
    async def main() -> None:
        async with testing.network(2):
            pass

    with pytest.raises(MisuseError) as caught:
        asyncio.run(main())
    assert "testing.run" in caught.value.hint


def test_one_seed_gives_the_same_peers_and_the_same_run() -> None:
    async def main(seed: int) -> tuple[str, str]:
        async with testing.network(3, seed=seed) as nodes:
            await nodes[0].ping(nodes[1].peer_id, 3)
            return str(nodes[0].peer_id), nodes.world.trace_digest()

    first, again, other = (testing.run(main(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first[0] != other[0]


def test_two_networks_live_side_by_side() -> None:
    async def main() -> None:
        async with testing.network(2, seed=1) as one, testing.network(2, seed=2) as other:
            assert one[0].peer_id != other[0].peer_id
            for nodes in (one, other):
                assert await nodes[0].ping(nodes[1].peer_id)

    testing.run(main())


def test_a_killed_node_says_nothing_and_keeps_what_it_had_committed() -> None:
    async def main() -> None:
        async with testing.network(2) as nodes:
            me, where = nodes[0].peer_id, str(nodes[0].addresses()[0])
            nodes.runtime(0).disk.make_dirs("/shared")
            await nodes[0].share("/shared", "public")
            ended = nodes[1].events()
            nodes.world.crash(nodes.host(0))
            await nodes[0].unshare("shared")  # of the dead
            event = await anext(one async for one in ended if isinstance(one, PeerDisconnected))
            assert "reset" in event.reason
            with pytest.raises(DialFailed, match="nobody listens"):
                await nodes[1].connect(where)
            await nodes.kill(0)
            await nodes.start(0)
            assert [share.name for share in nodes[0].shares()] == ["shared"]
            assert (await nodes[1].connect(where)).peer_id == me

    testing.run(main())
