"""Share a folder with one friend, who fetches it; both live in this program, as two nodes.

python examples/share_folder.py FOLDER DESTINATION
"""

from __future__ import annotations

import asyncio
import sys

from warren import Config, Node

ANYWHERE = ("/ip4/127.0.0.1/tcp/0",)


async def main(folder: str, destination: str) -> None:
    async with Node(Config(listen=ANYWHERE, name="anna")) as anna, Node(Config(listen=ANYWHERE)) as bob:
        share = await anna.share(folder)
        for skipped in share.skipped:
            print(f"left out {skipped.path}: {skipped.reason}")
        await bob.join(await anna.invite())
        async with bob.get(f"anna/{share.name}", output=destination) as transfer:
            path = await transfer.result()
        print(f"{share.files} files, {share.bytes} bytes, {share.cid}")
        print(path)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
