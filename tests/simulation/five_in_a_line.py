"""Five nodes in a line, each started with one neighbour only: whom each comes to know.

The same function runs over any runtime: `play` is given started nodes and says what came of it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warren.core.peer_record import PeerRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.node import Node

LOOK_EVERY_S = 0.05


async def play(nodes: Sequence[Node], limit_s: float) -> list[set[int]]:
    """Connect each node with the one before it, by address, and wait until all know all."""
    for one, other in zip(nodes[1:], nodes, strict=False):
        await one.connect(other.addresses()[0])
    return await until_all_know_all(nodes, limit_s)


async def until_all_know_all(nodes: Sequence[Node], limit_s: float) -> list[set[int]]:
    """Return for each node the numbers of those of whom its table holds a signed record with addresses.

    Raises TimeoutError after `limit_s` seconds, with what was known by then.
    """
    everybody = set(range(len(nodes)))
    wanted = [everybody - {number} for number in everybody]
    known: list[set[int]] = []
    try:
        async with asyncio.timeout(limit_s):
            while known != wanted:
                await asyncio.sleep(LOOK_EVERY_S)
                known = [await _known(node, nodes) for node in nodes]
    except TimeoutError as error:
        raise TimeoutError(f"known after {limit_s} s: {known}") from error
    return known


async def _known(node: Node, nodes: Sequence[Node]) -> set[int]:
    numbers = {one.peer_id: number for number, one in enumerate(nodes)}
    found = set()
    kept, _ = await node.peers.kept_after(0, 100)
    for one in kept:
        addresses = PeerRecord.open(one.record).addrs if one.record is not None else ()
        if _dialable(addresses) and set(addresses) <= set(one.peer.addresses):
            found.add(numbers[one.peer.peer_id])
    return found


def _dialable(addresses: Sequence[Multiaddr]) -> bool:
    return bool(addresses) and all(one.port and not one.is_unspecified for one in addresses)
