"""Reading what grows, in the moments that whole nodes seldom meet."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from warren import testing
from warren.core.cid import Cid
from warren.core.errors import StorageError
from warren.runtime.simulated import World
from warren.services.files.ledger import Ledger, Wanted
from warren.services.files.names import NameRules
from warren.services.files.streaming.growing import Growing
from warren.services.files.swarm.partial import Partial
from warren.services.files.swarm.picker import Picker
from warren.services.files.walk import Walk

if TYPE_CHECKING:
    from warren.runtime.simulated import SimulatedRuntime

DATA = b"content"
ROOT = Cid.raw_sha256(hashlib.sha256(DATA).digest())
FOLDER = "/down/.warren-x.partial"


class Scene:
    """A fetch of `DATA` of which all is said to be stored."""

    def __init__(self) -> None:
        self.runtime: SimulatedRuntime = World().runtime("n")
        self.disk = self.runtime.disk
        self.partial = Partial(ROOT, self.disk, FOLDER)
        self.ledger = Ledger(Wanted(ROOT, "x", None), self.runtime.clock, lambda _: None)
        walk = Walk(ROOT.to_bytes(), NameRules())
        self.growing = Growing(self.runtime, walk, self.partial, self.ledger, Picker(sequential=True))
        self.partial.on_leaf(0, hashlib.sha256(DATA).digest(), len(DATA), "", 0)
        self.partial.on_stored(0)

    def write(self, path: str, data: bytes) -> None:
        self.disk.make_dirs(path.rpartition("/")[0])
        file = self.disk.open_write(path, create=True)
        file.pwrite(0, data)
        file.close()


def test_what_gets_its_final_name_in_this_moment_is_read_there() -> None:
    async def main() -> None:
        scene = Scene()
        scene.write("/down/film", DATA)  # renamed already, and nobody was told yet
        reading = asyncio.create_task(scene.growing.read(3, 2))
        await asyncio.sleep(1)
        assert not reading.done()
        scene.partial.on_moved("/down/film")
        scene.growing.wake()
        assert await reading == DATA[3:5]

    testing.run(main())


def test_what_fails_in_this_moment_ends_the_reading() -> None:
    async def main() -> None:
        scene = Scene()
        reading = asyncio.create_task(scene.growing.read(0, 2))
        await asyncio.sleep(1)
        scene.partial.close()
        scene.growing.wake()
        assert await reading == b""

    testing.run(main())


def test_a_file_that_somebody_cut_is_no_end_of_file() -> None:
    async def main() -> None:
        scene = Scene()
        scene.write(f"{FOLDER}/content", DATA[:4])
        assert await scene.growing.read(0, 3) == DATA[:3]
        with pytest.raises(StorageError, match="shorter than it was"):
            await scene.growing.read(0, 99)

    testing.run(main())
