"""What goes on in a town while somebody lies: honest peers search, and the log is read."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.services.directory.town import names
from warren.node import Node
from warren.services.directory.config import DirectoryConfig
from warren.testing.plaintext import plaintext_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    import pytest

    from tests.services.directory.town import Town
    from warren.core.peer_id import PeerId

EVERY_S = 0.1
"""Between two searches of an honest peer."""


async def honest_town(place: Town) -> None:
    """Node 1 shares a map with super-peer 0, where the others are, too."""
    numbers = range(1, len(place.roles))
    await place.connect(*((number, 0) for number in numbers))
    await place.share(1, "map.txt")
    for number in numbers:
        await place.registered(number, 0)


async def while_others_search(place: Town, asker: int, attack: Coroutine[None, None, None]) -> int:
    """Run an attack to its end; return how often an honest peer has searched meanwhile, and found."""
    task, searches = asyncio.create_task(attack), 0
    while not task.done():
        assert await names(place[asker], "map", online=True) == ["map.txt"]
        searches += 1
        await asyncio.sleep(EVERY_S)
    await task
    assert await names(place[asker], "map", online=True) == ["map.txt"]
    return searches


def named(caplog: pytest.LogCaptureFixture, peer: PeerId) -> list[str]:
    """What the log says of a peer."""
    return [record.getMessage() for record in caplog.records if str(peer) in record.getMessage()]


@asynccontextmanager
async def crowd(place: Town, host_of: int, count: int) -> AsyncIterator[list[Node]]:
    """So many identities on the host of a node, each connected with super-peer 0."""
    async with AsyncExitStack() as stack:
        made = []
        for number in range(count):
            runtime = place.world.runtime(place.nodes.host(host_of))
            home, listen = Path(f"/home/liar-{number}"), (f"/ip4/0.0.0.0/tcp/{5000 + number}",)
            config = replace(place.nodes._config, directory=DirectoryConfig(role="weak"))
            node = Node(replace(config, home=home, listen=listen), runtime=runtime, stack=plaintext_stack())
            await node.start()
            stack.push_async_callback(node.close)
            await node.connect(place[0].addresses()[0])
            made.append(node)
        yield made
