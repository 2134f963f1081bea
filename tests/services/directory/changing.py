"""A process that changes a catalog as fast as it can, and says each change before it and after it is done.

python -m tests.services.directory.changing DATABASE SEED
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import TYPE_CHECKING

from tests.protocols.directory.made import entry
from tests.services.directory.weak_and_super import WEAK, Chance, Circles
from warren.runtime.migrations import numbered_scripts
from warren.runtime.real.runtime import RealRuntime
from warren.services.directory.catalog import Catalog

if TYPE_CHECKING:
    from warren.runtime.seam import Database


async def open_catalog(runtime: RealRuntime, path: str) -> tuple[Catalog, Database]:
    """The catalog in a file, with whatever a killed process left."""
    database = await runtime.open_database(path, numbered_scripts("warren.services.directory"))
    return await Catalog.open(database, Circles(), WEAK.peer_id, Chance(), runtime.clock), database


async def main(path: str, seed: str) -> None:
    """Change it until killed."""
    runtime, chance = RealRuntime(), random.Random(seed)
    catalog, _ = await open_catalog(runtime, path)
    while True:
        name, size = f"f{chance.randrange(20)}", chance.randrange(1000)
        gone = chance.random() < 0.3
        print("begin", name, -1 if gone else size, flush=True)
        if gone:
            await catalog.change("public", removed=[name])
        else:
            await catalog.change("public", [entry(name, size)])
        print("done", name, -1 if gone else size, catalog.position.seq, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
