"""The resources service over a database and shares that are what a test says, with what it told."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.cid import Cid
from warren.core.errors import ContentUnknown
from warren.core.keys import PrivateKey
from warren.runtime.migrations import numbered_scripts
from warren.runtime.real.runtime import RealRuntime
from warren.services.resources.resources import Resources

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.services.resources.resources import ResourceChanged
    from warren.services.resources.store import SaidTo

ME, ANNA, BEN = (PrivateKey.from_seed(bytes([n]) * 32) for n in (1, 2, 3))


def cid_of(data: bytes) -> Cid:
    return Cid.raw_sha256(hashlib.sha256(data).digest())


@dataclass(frozen=True)
class One:
    name: str
    cid: Cid
    path: Path
    kind: str = "dir"
    ready: bool = True
    audience: str = "contacts"


@dataclass(frozen=True)
class Thing:
    path: str
    cid: Cid


class FakeShelf:
    """Shares by name: files by their path in it, where what a folder is follows from what is in it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.tree: dict[str, dict[str, bytes]] = {}
        self.ready = True
        self.audiences: dict[str, str] = {}
        self.strangers: set[PeerId | None] = set()

    def put(self, path: str, data: bytes | None) -> Cid:
        """A file at SHARE/PATH, on the disk too; None: none."""
        share, _, inner = path.partition("/")
        files = self.tree.setdefault(share, {})
        place = self.top / path
        if data is None:
            del files[inner]
            place.unlink()
            return cid_of(b"")
        files[inner] = data
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return cid_of(data)

    def shares(self) -> list[One]:
        return [
            One(
                *(name, self._cid(name, ""), self.top / name, self._kind(name), self.ready),
                self.audiences.get(name, "contacts"),
            )
            for name in self.tree
        ]

    async def find(self, path: str, asker: PeerId | None = None) -> Thing:
        if asker in self.strangers:
            raise ContentUnknown(f"nothing is shared at {path}")
        if not self.ready:
            raise ContentUnknown(f"{path} is not hashed yet")
        share, _, inner = path.partition("/")
        return Thing(path, self._cid(share, inner))

    async def find_cid(self, cid: Cid) -> list[tuple[Path, str]]:
        return [
            (self.top / share, inner)
            for share, files in self.tree.items()
            for inner in dict.fromkeys(["", *files])
            if self._cid(share, inner) == cid
        ]

    async def files_ending(self, top: Path, ending: str) -> AsyncIterator[list[tuple[str, Cid]]]:
        files = self.tree.get(top.name, {})
        yield [(path, cid_of(files[path])) for path in files if path.lower().endswith(ending)]

    def _kind(self, share: str) -> str:
        return "file" if "" in self.tree[share] else "dir"

    def _cid(self, share: str, inner: str) -> Cid:
        files = self.tree.get(share, {})
        if inner in files:
            return cid_of(files[inner])
        start = f"{inner}/" if inner else ""
        within = {path[len(start) :]: files[path] for path in sorted(files) if path.startswith(start)}
        if not within and not (share in self.tree and not inner):
            raise ContentUnknown(f"nothing is shared at {share}/{inner}")
        return cid_of(repr(within).encode())


class Bench:
    """told: what listeners heard; followed: what was written by the same commit."""

    def __init__(self, runtime: RealRuntime, resources: Resources, shelf: FakeShelf) -> None:
        self.runtime = runtime
        self.resources = resources
        self.shelf = shelf
        self.told: list[ResourceChanged] = []
        resources.listen(self.told.append)

    async def followed(self) -> list[tuple[str, str]]:
        def read(db: sqlite3.Connection) -> list[tuple[str, str]]:
            return db.execute("SELECT cid, title FROM followed ORDER BY rowid").fetchall()

        return await self.resources._state.run(read)


def follow(db: sqlite3.Connection, cid: Cid, said_to: SaidTo) -> None:
    db.execute("INSERT INTO followed VALUES (?, ?)", (str(cid), said_to("contacts").title))


@contextlib.asynccontextmanager
async def bench(top: Path, key: PrivateKey = ME, shelf: FakeShelf | None = None) -> AsyncIterator[Bench]:
    runtime = RealRuntime()
    scripts = [*numbered_scripts("warren.services.resources"), "CREATE TABLE followed (cid, title)"]
    state = await runtime.open_database(top / "state.db", scripts)
    shelf = shelf or FakeShelf(top / "shared")
    try:
        yield Bench(runtime, Resources(runtime, state, key, shelf, follow), shelf)
    finally:
        await state.close()
        await runtime.close()
