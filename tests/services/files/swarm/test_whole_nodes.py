"""Swarms as whole nodes have them: real peer tables, catalogs, super-peers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from warren import testing
from warren.core.errors import ContentUnknown
from warren.core.keys import PrivateKey
from warren.services.directory.config import DirectoryConfig
from warren.services.files.swarm.partial import Partial
from warren.services.files.types import Audience
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from warren.node import Node
    from warren.services.files.swarm.swarms import Swarms
    from warren.testing.nodes import Nodes

ELSEWHERE = PrivateKey.from_seed(b"e" * 32)


def swarms(node: Node) -> Swarms:
    return node._running.swarms


def put(nodes: Nodes, number: int, path: str, data: bytes) -> None:
    disk = nodes.world.runtime(nodes.host(number)).disk
    disk.make_dirs(path.rpartition("/")[0])
    disk.write_whole(path, data)


async def found(node: Node, text: str) -> list[str]:
    search = node.search(text)
    return sorted([path async for hit in search for path in hit.paths])


def test_a_replica_of_what_is_not_for_everyone_is_found_by_nobody_else() -> None:
    """Not by listing, search or what is said of it, not as a contact, nor by way of a super-peer."""

    async def main() -> None:
        config = replace(QUIET, directory=DirectoryConfig(role="super"))
        async with testing.network(3, config=config) as nodes:
            holder, friend, other = nodes
            for one in (friend, other):
                await holder.add_contact(one.peer_id)
                await one.add_contact(holder.peer_id)
            put(nodes, 0, "/secret/lighthouse.txt", b"a")
            put(nodes, 0, "/open/lantern.txt", b"b")
            await holder.share("/open", "contacts")
            share = await holder.share("/secret", Audience("origin", (ELSEWHERE.peer_id,)))
            assert holder.shares()[1].audience.origin == ELSEWHERE.peer_id
            await holder.resources.edit("secret/lighthouse.txt", title="Lighthouse")
            await asyncio.sleep(60)  # until it would have been registered
            assert await found(friend, "lantern") == ["open/lantern.txt"]
            assert await found(holder, "lighthouse") == ["secret/lighthouse.txt"]
            for one in (friend, other):
                assert await found(one, "lighthouse") == []
                assert [entry.name for entry in await one.list_files(holder.peer_id)] == ["open"]
                with pytest.raises(ContentUnknown):
                    await one.list_files(holder.peer_id, "secret")
                with pytest.raises(ContentUnknown):
                    await one.resource_of(holder.peer_id, "secret/lighthouse.txt")
                with pytest.raises(ContentUnknown):
                    await swarms(one).exchange(holder.peer_id, share.cid)

    testing.run(main())


def test_nodes_find_each_other_by_whom_they_ask() -> None:
    async def main() -> None:
        async with testing.network(3, degree=0) as nodes:
            origin, a, b = nodes
            for one in (a, b):
                await one.connect(origin.addresses()[0])
                await origin.add_contact(one.peer_id)
            await asyncio.sleep(5)  # until their records are in the table
            put(nodes, 0, "/papers/a.txt", b"abc")
            share = await origin.share("/papers")
            disk = nodes.world.runtime(nodes.host(1)).disk
            disk.make_dirs("/down/hidden")
            partial = Partial(share.cid, disk, "/down/hidden")
            swarms(a).begin(partial)
            told = await swarms(a).exchange(origin.peer_id, share.cid)
            assert (told.complete, told.fellows) == (True, ())
            assert told.word == Audience("origin", (origin.peer_id,))
            partial.use(told.word)
            partial.on_leaf(0, bytes(32), 3, "a.txt", 0)
            partial.on_stored(0)
            assert (await swarms(b).exchange(origin.peer_id, share.cid)).fellows == (a.peer_id,)
            assert not b.network.is_connected(a.peer_id)
            told = await swarms(b).exchange(a.peer_id, share.cid)
            assert list(told.bits) == [0]
            await origin.peers.block(b.peer_id)
            assert (await swarms(a).exchange(origin.peer_id, share.cid)).fellows == ()

    testing.run(main())
