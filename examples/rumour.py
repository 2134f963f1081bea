"""A rumour in a simulated town: how long until fifty nodes have heard it, each telling whom it knows?

python examples/rumour.py [SEED]         the same seed tells the same story
"""

from __future__ import annotations

import asyncio
import sys

from warren import testing

PROTOCOL = "/example/rumour/1.0.0"
PEOPLE = 50


async def main(seed: str) -> None:
    async with testing.network(PEOPLE, degree=3, seed=seed, latency_s=0.08) as nodes:
        loop = asyncio.get_running_loop()
        heard: dict[int, float] = {}
        everybody = asyncio.Event()
        telling = set()

        def hear(number: int) -> None:
            if number in heard:
                return
            heard[number] = loop.time()
            if len(heard) == PEOPLE:
                everybody.set()
            task = loop.create_task(nodes[number].broadcast(PROTOCOL, b"have you heard?"))
            telling.add(task)
            task.add_done_callback(telling.discard)

        for number, node in enumerate(nodes):
            node.handle(PROTOCOL, lambda _peer, _payload, number=number: hear(number))
        began = loop.time()
        hear(0)
        await everybody.wait()
        await asyncio.gather(*telling)
        half = sorted(heard.values())[PEOPLE // 2] - began
        print(
            f"half of {PEOPLE} had heard it after {half:.2f} s, all after {max(heard.values()) - began:.2f} s"
        )


if __name__ == "__main__":
    testing.run(main(sys.argv[1] if len(sys.argv) > 1 else "1"))
