"""A chat room over broadcasts: whoever joins with the code hears what everybody types.

python examples/chat_room.py             opens a room and prints a code
python examples/chat_room.py CODE        enters it
"""

from __future__ import annotations

import asyncio
import sys

from warren import Config, Node
from warren.services.contacts.model import ContactAdded
from warren.services.discovery.config import DiscoveryConfig

PROTOCOL = "/example/room/1.0.0"


async def main() -> None:
    # The code says where the room is: nobody is looked for on the local network.
    alone = DiscoveryConfig(mdns=False)
    async with Node(Config(listen=("/ip4/0.0.0.0/tcp/0",), discovery=alone)) as node:

        def hear(peer, payload: bytes) -> None:
            contact = node.contacts.get(peer)
            print(
                f"{contact.petname if contact else peer.short}: {payload.decode(errors='replace')}",
                flush=True,
            )

        node.handle(PROTOCOL, hear)
        if len(sys.argv) > 1:
            host = await node.join(sys.argv[1])
            print(f"you are in the room of {host.petname}", flush=True)
        else:
            print(await node.invite(uses=20), flush=True)
        welcoming = asyncio.create_task(welcome(node))
        while line := await asyncio.to_thread(sys.stdin.readline):
            await node.broadcast(PROTOCOL, line.strip().encode())
        welcoming.cancel()


async def welcome(node: Node) -> None:
    async for event in node.events():
        if isinstance(event, ContactAdded):
            print(f"{event.contact.petname} comes in", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
