"""A queue over fetches that do what a test says, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warren import testing
from warren.core.cid import Cid
from warren.core.keys import PrivateKey
from warren.runtime.migrations import numbered_scripts
from warren.runtime.simulated import World
from warren.services.files.queue.limits import TransferLimits
from warren.services.files.queue.model import Limits, TransferChanged, Want
from warren.services.files.queue.transfers import Transfers
from warren.services.files.swarm.steering import Steering
from warren.services.files.transfer import Transfer
from warren.services.files.types import Fetched, Progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from warren.core.errors import WarrenError
    from warren.core.peer_id import PeerId
    from warren.services.files.types import SourceState

ANNA, BEN, EVE = (PrivateKey.from_seed(name * 32).peer_id for name in (b"a", b"b", b"e"))
MIB = 1 << 20


def cid(number: int) -> Cid:
    return Cid.raw_sha256(number.to_bytes(32))


def want(number: int = 1, **more: Any) -> Want:
    """A file of 10 MiB that Anna has."""
    return Want(**{"folder": "/downloads", "cid": cid(number), "peers": (ANNA,), **more})


@dataclass
class Attempt:
    """What was asked of who fetches, and what it says of itself."""

    ref: Cid | str
    how: dict[str, Any]
    number: int
    report: Callable[[Progress], None]
    steering: Steering
    end: asyncio.Future[WarrenError | None]
    cancelled: bool = False

    def progress(self, done: int, total: int = 10 * MIB) -> None:
        self.report(Progress(done, total, 0, 1, "file", "fetching"))

    def show(self, *sources: SourceState) -> None:
        self.steering.show(lambda: sources)


@dataclass
class Fakes:
    """Fetches that end when they are told to, each with what it is told; 'root N' is where paths lead."""

    attempts: list[Attempt] = field(default_factory=list)
    root: Cid = field(default_factory=lambda: cid(7))
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def get(self, ref: Cid | str, folder: Any, **how: Any) -> Transfer:
        steering = Steering(how["cap_bytes_per_s"])
        end = asyncio.get_running_loop().create_future()

        async def run(report: Callable[[Progress], None]) -> Fetched:
            attempt = Attempt(ref, how, len(self.attempts), report, steering, end)
            self.attempts.append(attempt)
            self.news.set()
            root = ref if isinstance(ref, Cid) else self.root
            steering.found(root, "" if isinstance(ref, Cid) else "at its source")
            try:
                error = await end
            except asyncio.CancelledError:
                attempt.cancelled = True
                raise
            if error is not None:
                raise error
            return Fetched(Path(folder) / "file", root, steering.sources(), 1, 10 * MIB, 1.0)

        return Transfer(run, steering)

    @property
    def running(self) -> list[Attempt]:
        return [one for one in self.attempts if not one.end.done()]


class Scene:
    """One life of a queue. `again` is the next, over the same database."""

    def __init__(self, runtime: Any, state: Any, active_max: int) -> None:
        self.runtime, self.state, self.active_max = runtime, state, active_max
        self.fakes = Fakes()
        self.told: list[Any] = []
        self.reached: list[Sequence[PeerId]] = []
        self.unreachable: WarrenError | None = None
        self.applied: list[Limits] = []
        limits = TransferLimits(state, Limits(5, 6), self.applied.append)
        self.transfers = Transfers(
            state, runtime, self.fakes, self.tell, self.reach, limits, active_max=active_max
        )

    def tell(self, event: object) -> None:
        self.told.append(event)
        self.fakes.news.set()

    async def _news(self) -> None:
        self.fakes.news.clear()
        await self.fakes.news.wait()

    async def reach(self, peers: Sequence[PeerId]) -> None:
        self.reached.append(peers)
        if self.unreachable is not None:
            raise self.unreachable

    async def attempt(self, number: int) -> Attempt:
        """The attempt of this number, the first being 0, once it has begun."""
        while len(self.fakes.attempts) <= number:
            await self._news()
        return self.fakes.attempts[number]

    async def until(self, number: int, state: str) -> Any:
        """The transfer, once it is in this state (as `paused/disk`)."""
        while True:
            one = self.transfers.get(number)
            if f"{one.state}/{one.cause}".rstrip("/") == state:
                return one
            await self._news()

    def states(self) -> str:
        return " ".join(f"{one.number}:{one.state}" for one in self.transfers.list())

    def changes(self, number: int) -> list[str]:
        found = [one.state for one in self.told if isinstance(one, TransferChanged) and one.number == number]
        return [state for at, state in enumerate(found) if not at or found[at - 1] != state]

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[Scene]:
        await self.transfers.load()
        running = asyncio.create_task(self.transfers.run())
        try:
            yield self
        finally:
            running.cancel()
            await asyncio.wait([running])
            await self.transfers.close()
            if not running.cancelled():
                running.result()

    @asynccontextmanager
    async def again(self) -> AsyncIterator[Scene]:
        async with Scene(self.runtime, self.state, self.active_max).alive() as scene:
            yield scene


def play(main: Callable[[Scene], Any], active_max: int = 2) -> None:
    """Run a test over a new queue, in virtual time."""

    async def whole() -> None:
        runtime: Any = World(1, loop=asyncio.get_running_loop()).runtime("a")  # type: ignore[arg-type]
        runtime.disk.make_dirs("/downloads")
        state = await runtime.open_database(":memory:", numbered_scripts("warren.services.files"))
        try:
            async with Scene(runtime, state, active_max).alive() as scene:
                await main(scene)
        finally:
            await state.close()

    testing.run(whole())
