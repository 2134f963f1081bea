"""`World`: everything outside a node, from one seed.

In:  a seed, the names of hosts, a coroutine. Out: a run that is the same each time, and the digest of what
happened.

    world = World(seed=7)
    alice, bob = world.runtime("alice"), world.runtime("bob")
    world.network.set_path("alice", "bob", Quality(latency_s=0.05))
    world.run(main(alice, bob))
    print(world.trace_digest())

The virtual clock begins at 0 s and on 2026-01-01 UTC. A runtime asked for under the same name again finds
the files and databases of the first, so a node can be stopped and started.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Self, TypeVar

from warren.runtime.simulated.database import DatabasePool, DatabaseShelf
from warren.runtime.simulated.disk import SimulatedDisk
from warren.runtime.simulated.loop import virtual_loop
from warren.runtime.simulated.multicast import SimulatedMulticast
from warren.runtime.simulated.network import SimulatedNetwork
from warren.runtime.simulated.transport import SimulatedTransport

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Coroutine, Sequence

    from warren.runtime.seam import StrPath
    from warren.runtime.simulated.database import SimulatedDatabase
    from warren.runtime.simulated.loop import VirtualLoop
    from warren.runtime.simulated.network import Host
    from warren.runtime.simulated.watching import SimulatedWatch

T = TypeVar("T")

_START_WALL_S = 1_767_225_600.0
# A simulation that is not over after this much virtual time (30 days) waits for something that will not come.
LIMIT_S = 30 * 86_400.0


class SimulatedClock:
    """The virtual time."""

    __slots__ = ("_loop",)

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.now

    def wall(self) -> float:
        return _START_WALL_S + self._loop.now


class SimulatedEntropy:
    """Chance that follows from the seed and the host's name: good for replays, useless for secrets."""

    __slots__ = ("_random",)

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - it must be foreseeable

    def bytes(self, n: int) -> builtins.bytes:
        return self._random.randbytes(n)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def below(self, n: int) -> int:
        return self._random.randrange(n)


class _Machine:
    """What of a host outlives the node that runs on it."""

    __slots__ = ("databases", "disk", "entropy", "host")

    def __init__(self, host: Host, clock: SimulatedClock, seed: object, pool: DatabasePool) -> None:
        self.host = host
        self.entropy = SimulatedEntropy(f"{seed}/entropy/{host.name}")
        self.disk = SimulatedDisk(clock.wall)
        self.databases = DatabaseShelf(self.disk, pool)


class SimulatedRuntime:
    """See `seam.Runtime`; `disk` has faults to order, `name` is the host's."""

    fast_aes = True
    """On whatever machine the simulation runs: a run is the same on all of them."""

    __slots__ = ("_databases", "clock", "disk", "entropy", "multicast", "name", "transport")

    def __init__(self, machine: _Machine, clock: SimulatedClock, network: SimulatedNetwork) -> None:
        self.name = machine.host.name
        self.clock = clock
        self.entropy = machine.entropy
        self.disk = machine.disk
        self.transport = SimulatedTransport(network, machine.host)
        self.multicast = SimulatedMulticast(network, machine.host)
        self._databases = machine.databases

    async def offload(self, fn: Callable[..., T], *args: object) -> T:
        try:
            return fn(*args)
        finally:
            # Others get their turn, as they would while a thread works.
            await asyncio.sleep(0)

    async def watch(self, path: StrPath, *, only: str | None = None) -> SimulatedWatch:
        return self.disk.watch(path, only=only)

    async def open_database(
        self,
        path: StrPath,
        migrations: Sequence[str],
        *,
        durable: bool = True,  # noqa: ARG002
    ) -> SimulatedDatabase:
        return self._databases.open(path, migrations)

    async def close(self) -> None:
        return


class World:
    """See the module.

    seed: anything with a stable `str()`. loop: one that runs already, for a world that is made inside it.
    """

    def __init__(self, seed: object = 0, *, loop: VirtualLoop | None = None) -> None:
        self.seed = seed
        self.loop = loop or virtual_loop()
        self._owns_loop = loop is None
        self.network = SimulatedNetwork(self.loop, seed)
        self.clock = SimulatedClock(self.loop)
        self._databases = DatabasePool()
        self._machines: dict[str, _Machine] = {}

    def runtime(self, name: str, ip: str | Sequence[str] = ()) -> SimulatedRuntime:
        """Return a runtime on the host of this name, which is made when it is new.

        ip: its addresses, IPv4 or IPv6; without any it gets one of each.
        """
        if name not in self._machines:
            addresses = (ip,) if isinstance(ip, str) else ip
            host = self.network.add_host(name, addresses)
            self._machines[name] = _Machine(host, self.clock, self.seed, self._databases)
        return SimulatedRuntime(self._machines[name], self.clock, self.network)

    def crash(self, name: str) -> None:
        """End what runs on a host as kill -9 does: its connections break, it answers nobody, and what it
        writes into databases from now on is lost. It still has to be closed here.
        """
        self.network.crash(name)
        self._machines[name].databases.part()

    def run(self, main: Coroutine[Any, Any, T], *, limit_s: float = LIMIT_S) -> T:
        """Run `main` to its end in virtual time and return its result; tasks it leaves behind are cancelled.

        Raises what `main` raises, `Deadlock` when it waits for what will never happen, `SimulationError`
        after `limit_s` virtual seconds, and an `ExceptionGroup` of errors that nobody handled. May be
        called again: time goes on, files and databases are still there.
        """
        return self.loop.run_main(main, limit_s)

    def trace_digest(self) -> str:
        """Return a digest over time, sender, receiver and bytes of every delivery so far."""
        return self.network.trace_digest()

    @property
    def deliveries(self) -> int:
        return self.network.deliveries

    def close(self) -> None:
        """Free the databases, and the loop unless it was given."""
        self._databases.close()
        if self._owns_loop:
            self.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
