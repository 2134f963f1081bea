"""Two nodes in one program: one asks, the other answers.

python examples/requests.py
"""

from __future__ import annotations

import asyncio

from warren import Config, Node

PROTOCOL = "/example/shout/1.0.0"
ANYWHERE = ("/ip4/127.0.0.1/tcp/0",)


def shout(_peer, payload: bytes) -> bytes:
    return payload.upper()


async def main() -> None:
    async with Node(Config(listen=ANYWHERE, name="anna")) as anna, Node(Config(listen=ANYWHERE)) as bob:
        anna.handle(PROTOCOL, shout)
        await bob.join(await anna.invite())
        answer = await bob.request("anna", PROTOCOL, b"is anybody there?")
        (round_trip,) = await bob.ping("anna")
        print(answer.decode(), f"({round_trip * 1000:.2f} ms away)")


if __name__ == "__main__":
    asyncio.run(main())
