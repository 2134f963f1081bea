"""A weak peer and a super-peer without a network between: what one asks the other answers, or it is lost."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, TypeVar

from tests.protocols.directory.made import key
from tests.services.directory.memory_index import MemoryIndex
from warren.core.errors import StreamReset
from warren.protocols.directory.messages import (
    LeaseCall,
    RegistrationCall,
    answer_to_bytes,
    call_to_bytes,
    read_answer,
    read_call,
)
from warren.runtime.migrations import numbered_scripts
from warren.services.directory.catalog import Catalog
from warren.services.directory.config import DirectoryConfig
from warren.services.directory.session import LeaseNumbers, Session
from warren.services.directory.super_peer import Parts, SuperPeer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.core.peer_id import PeerId
    from warren.protocols.directory.messages import (
        Answer,
        Call,
    )

T = TypeVar("T")
WEAK, SUPER = key(1), key(2)
SEEN_BY_SUPER = ("public", "friends")


class Clock:
    """Stands, unless somebody moves it."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.ahead_s = 0.0
        """How far the wall clock is."""

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1_700_000_000 + self.time + self.ahead_s


class Chance:
    def __init__(self) -> None:
        self.count = 0

    def bytes(self, n: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(n, "big")

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def below(self, n: int) -> int:
        return n - 1


class InlineDatabase:
    """The tables of the directory in memory. A transaction is whole or has not been."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        for script in numbered_scripts("warren.services.directory"):
            self.connection.executescript(script)

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        self.connection.execute("BEGIN")
        try:
            result = fn(self.connection)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        return result

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        return await self.run(fn)

    async def read_soon(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        return await self.run(fn)

    async def close(self) -> None:
        self.connection.close()


class Circles:
    """`friends` are who is in it."""

    def __init__(self) -> None:
        self.friends: set[PeerId] = {SUPER.peer_id}

    def admits(self, audience: str, peer: PeerId) -> bool:
        return audience == "public" or (audience == "friends" and peer in self.friends)

    def members(self, audience: str) -> list[PeerId]:
        return sorted(self.friends) if audience == "friends" else []


class Both:
    """The two. `weak_restarts` and so on are what happens to them; `talk` brings them together."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.chance = Chance()
        self.circles = Circles()
        self.config = DirectoryConfig()
        self.index = MemoryIndex()
        self.database = InlineDatabase()
        self.asked: list[Call] = []
        self.super_restarts()

    async def weak_restarts(self) -> None:
        """Killed and started again: it has what is in its database."""
        self.catalog = await Catalog.open(self.database, self.circles, WEAK.peer_id, self.chance, self.clock)
        self.session = self.new_session()

    async def weak_loses_its_state(self) -> None:
        self.database.connection.close()
        self.database = InlineDatabase()
        await self.weak_restarts()

    def new_session(self) -> Session:
        """As after a lost connection."""
        self.clock.time += 1.0
        numbers = LeaseNumbers(self.clock)
        return Session(
            SUPER.peer_id,
            None,  # type: ignore[arg-type]
            self.catalog,
            WEAK,
            numbers,
            60,
            self.chance,
            lambda: None,
        )

    def super_restarts(self) -> None:
        """It has its index, and neither leases nor tables."""
        self.super_peer = SuperPeer(self.index, self.config, SUPER.peer_id, self.clock.now)
        self.super_peer.active = True
        self.index.set_admits(self.super_peer.admits)

    def super_loses_its_index(self) -> None:
        self.index = MemoryIndex()
        self.super_restarts()

    async def talk(self, losses: Iterator[str] | None = None) -> bool:
        """Let the weak one say all it has; whether nothing was lost on the way."""
        talk = LossyTalk(self, losses)
        try:
            await self.session.tell_all(talk)
        except StreamReset:
            self.session = self.new_session()
            return False
        finally:
            self.super_peer.drop(talk.parts)
        return True

    def at_super(self) -> dict[str, int]:
        """The size of each entry that the super-peer has."""
        held = self.index.entries.get(WEAK.peer_id, {})
        return {path: one.entry.size for path, one in held.items()}


class LossyTalk:
    """A stream between the two. losses: for each call `ok`, `lost`, or `done` (taken, but not answered)."""

    def __init__(self, both: Both, losses: Iterator[str] | None) -> None:
        self.both = both
        self.losses = losses
        self.parts = Parts()

    async def ask(self, call: Call) -> Answer:
        what = next(self.losses, "ok") if self.losses is not None else "ok"
        if what == "lost":
            raise StreamReset("lost")
        self.both.asked.append(call)
        answer = await self._answer(read_call(call_to_bytes(call)))
        if what == "done":
            raise StreamReset("lost on the way back")
        return read_answer(answer_to_bytes(answer))

    async def _answer(self, call: Call) -> Answer:
        super_peer = self.both.super_peer
        if isinstance(call, LeaseCall):
            return super_peer.lease(WEAK.peer_id, None, call.envelope)
        assert isinstance(call, RegistrationCall)
        return await super_peer.register(WEAK.peer_id, None, call.envelope, self.parts)
