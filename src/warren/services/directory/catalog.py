"""The catalog: what this node lets others find, in which order it changed, and for whom.

In:  what the library says of its shares: what changed in one, or all that is in it. Out: the list in pages,
and what changed after some number, of what a peer may see; `on_changed`, once there is more.

It is kept in the durable database, the list and the log of its changes by one commit: what was shared, edited
or deleted while nobody was there waits in it, in order, and a kill loses nothing of what was said to be done.
What was not said any more is found at the next start, when every share is gone through.

Leaves out what no peer would take: paths that are too long. They are named in the log.
"""

from __future__ import annotations

import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.entry import is_entry_path
from warren.network.allowance import Allowance, Rate
from warren.protocols.directory.audiences import AUDIENCES_MAX, DIGEST_BYTES, SALT_BYTES, Audiences
from warren.protocols.directory.registration import fit
from warren.services.directory import catalog_store as store
from warren.services.directory.index.interface import Position

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence

    from warren.core.cid import Cid
    from warren.core.entry import Entry, Metadata
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.entries import Registered
    from warren.runtime.seam import Clock, Database, Entropy
    from warren.services.directory.catalog_store import Changes

BATCH: Final = 500
"""Entries written by one commit: others wait for it."""
CHANGES: Final = 1000
"""Changes looked at for one delta."""
EPOCHS: Final = Rate(2, 1 / 86400)
"""Epochs begun because somebody says that it knows more of the log. Attack: a super-peer that says so again
and again, and each time all others need everything anew."""
_log = logging.getLogger(__name__)


class Circles(Protocol):
    """Who is meant by the audiences of shares, which are known here by their text alone."""

    def admits(self, audience: str, peer: PeerId) -> bool:
        """Whether the peer may see what is shared with that audience."""
        ...

    def members(self, audience: str) -> Iterable[PeerId]:
        """All whom it admits; not asked for `public`."""
        ...


class Catalog:
    """The list of one node. Make it with `open`; the database stays the caller's to close."""

    def __init__(
        self, database: Database, circles: Circles, me: PeerId, entropy: Entropy, clock: Clock
    ) -> None:
        self._database = database
        self._circles = circles
        self._me = me
        self._entropy = entropy
        self._clock = clock
        self._state = store.State(0, 0, 0)
        self._epochs = Allowance(EPOCHS, clock.now())
        self._fresh: set[str] | None = None
        """Paths told of while a share is gone through."""
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self.on_changed: list[Callable[[], None]] = []
        """Called after each commit that changed something."""

    @classmethod
    async def open(
        cls, database: Database, circles: Circles, me: PeerId, entropy: Entropy, clock: Clock
    ) -> Catalog:
        """Read where it is. me: whose it is. Raises StorageError."""
        catalog = cls(database, circles, me, entropy, clock)
        catalog._state, numbers = await database.run(partial(store.load, now_ms=catalog._now_ms()))
        for name, number in numbers.items():
            catalog._name(name, number)
        return catalog

    @property
    def position(self) -> Position:
        """Where the log is."""
        return Position(self._state.epoch, self._state.seq)

    def reaches(self, seq: int) -> bool:
        """Whether the log still has all that changed after a number."""
        return self._state.floor <= seq <= self._state.seq

    # --- what the library says ------------------------------------------------------------------------------

    async def change(self, audience: str, added: Sequence[Entry] = (), removed: Sequence[str] = ()) -> None:
        """Entries that are new or another now, and paths where nothing is any more, nor below them.

        audience: as the share has it, in text. Removed paths go first. Raises StorageError.
        """
        added = _with_paths(added)
        if self._fresh is not None:
            self._fresh.update(one.path for one in added)
        number = await self._number(audience)
        for path in removed:
            await self._remove(path)
        for start in range(0, len(added), BATCH):
            some = added[start : start + BATCH]
            await self._commit(partial(store.put, audience=number, entries=some, now_ms=self._now_ms()))

    async def bring_in_line(self, share: str, audience: str, entries: AsyncIterator[Sequence[Entry]]) -> None:
        """Go through all that is in a share, and change what differs. Raises StorageError.

        What `change` is told of it meanwhile holds.
        """
        number = await self._number(audience)
        known = await self._database.run(partial(store.known, share=share))
        self._fresh = set()
        try:
            async for every in entries:
                some = _with_paths(every)
                differing = [one for one in some if store.differs(one, number, known.pop(one.path, None))]
                await self.change(audience, differing)
            for path in known.keys() - self._fresh:
                await self._remove(path)
        finally:
            self._fresh = None

    async def keep_only(self, is_shared: Callable[[str], bool]) -> None:
        """Drop what is in shares that are none: they were unshared while nobody took it down.

        is_shared: whether there is a share of that name now. Raises StorageError.
        """
        for share in await self._database.run(store.shares):
            work = partial(store.remove, path=share, limit=BATCH, now_ms=self._now_ms())
            while not is_shared(share) and await self._commit(work) == BATCH:
                pass

    async def _remove(self, path: str) -> None:
        work = partial(store.remove, path=path, limit=BATCH, now_ms=self._now_ms())
        while await self._commit(work) == BATCH:
            pass

    def follow(self, db: sqlite3.Connection, cid: Cid, said_to: Callable[[str], Metadata]) -> None:
        """Something else is said of a content: note it by the commit of whoever says so, in its transaction
        on the same database. Then call `refresh`.

        said_to: what is said to an audience, in text as shares have it.
        """
        store.describe(db, cid, said_to, self._now_ms())

    async def refresh(self) -> None:
        """What was written by `follow` is committed: tell those who wait for it."""
        await self._look()

    async def begin_later_epoch(self, claimed: Position) -> None:
        """Somebody says that it knows more of this log than there is. If it was lost in part, others may have
        missed what came since: number anew, so that all get everything.

        It may be a lie. So nothing is numbered after what is claimed, it is done seldom, and not for what
        this log cannot have come to. Raises StorageError.
        """
        now_ms = self._now_ms()
        if max(claimed) > now_ms + store.AHEAD_MS_MAX or not self._epochs.take(self._clock.now()):
            return
        epoch = max(now_ms, self._state.epoch + 1)
        await self._database.run(partial(store.begin_epoch, epoch=epoch))
        _log.warning("the catalog was told of changes that it does not have: it is sent anew")
        await self._look()

    # --- what others may see --------------------------------------------------------------------------------

    def admits(self, number: int, peer: PeerId) -> bool:
        """Whether a peer may see what is listed for the audience of that number."""
        name = self._names.get(number)
        if number == 0 or peer == self._me:
            return True
        return name is not None and self._circles.admits(name, peer)

    def all_numbers(self) -> frozenset[int]:
        """Every audience: what this node itself sees."""
        return frozenset(self._names)

    def scope(self, peer: PeerId) -> frozenset[int]:
        """The audiences whose entries a peer may see, and keep for others."""
        admitting = sorted(number for number in self._names if self.admits(number, peer))
        return frozenset(admitting[:AUDIENCES_MAX])

    def audiences(self, scope: Collection[int]) -> Audiences:
        """The table for these numbers, under a salt of its own."""
        members = {one: self._circles.members(self._names[one]) for one in scope if one}
        return Audiences.of(self._entropy.bytes(SALT_BYTES), members)

    def who(self, scope: Collection[int]) -> bytes:
        """A digest of whom these audiences admit: when it changes, super-peers need a new table."""
        parts = [str(self._me)]
        for number in sorted(one for one in scope if one):
            members = sorted(map(str, self._circles.members(self._names[number])))
            parts.append(f"{number}:{','.join(members)}")
        return _digest("\n".join(parts))

    async def changes(self, after: int, scope: Collection[int]) -> Changes | None:
        """What changed after a number, as much as goes into one registration; None: the log is too short."""
        limit = CHANGES
        while True:
            found = await self._database.run(partial(store.changes, after=after, numbers=scope, limit=limit))
            if found is None or limit == 1 or _fits(found):
                return found
            limit //= 2

    async def page(self, after: str, scope: Collection[int], limit: int = BATCH) -> list[Registered]:
        """Entries behind a path, in the order of paths."""
        return await self._database.run(partial(store.page, after=after, numbers=scope, limit=limit))

    async def count(self, scope: Collection[int]) -> int:
        """How many entries there are in a scope."""
        return await self._database.run(partial(store.count, numbers=scope))

    # --- what super-peers were told -------------------------------------------------------------------------

    async def is_scope_of(self, peer: PeerId, scope: Collection[int]) -> bool:
        """Whether what a super-peer was told is what it may see now."""
        told = await self._database.run(partial(store.told, peer=peer.to_bytes()))
        return told is not None and told[:DIGEST_BYTES] == _digest_of(scope)

    async def told_until(self, peer: PeerId) -> str:
        """The last path in the order of paths that a super-peer was told; empty: there was room for all."""
        told = await self._database.run(partial(store.told, peer=peer.to_bytes()))
        return told[DIGEST_BYTES:].decode() if told is not None else ""

    async def note_scope(self, peer: PeerId, scope: Collection[int] | None, until: str = "") -> None:
        """A super-peer has got all of a scope, or all up to a path; None: what it has is of none."""
        told = _digest_of(scope) + until.encode() if scope is not None else None
        await self._database.run(partial(store.tell, peer=peer.to_bytes(), scope=told))

    # --- inside ---------------------------------------------------------------------------------------------

    async def _number(self, audience: str) -> int:
        number = self._numbers.get(audience)
        if number is None:
            number = await self._database.run(partial(store.number_of, audience=audience))
            self._name(audience, number)
        return number

    def _name(self, audience: str, number: int) -> None:
        self._numbers[audience] = number
        self._names[number] = audience

    def _now_ms(self) -> int:
        return int(self._clock.wall() * 1000)

    async def _commit(self, work: Callable[..., int]) -> int:
        count = await self._database.run(work)
        if count:
            await self._look()
        return count

    async def _look(self) -> None:
        self._state = await self._database.run(store.state)
        for tell in self.on_changed:
            tell()


def _fits(changes: Changes) -> bool:
    room = 48 * 1024 - sum(len(path.encode()) + 4 for path in changes.removed)
    return room > 0 and fit(changes.added, room) == len(changes.added)


def _with_paths(entries: Sequence[Entry]) -> list[Entry]:
    """Those that others may be told of."""
    told = [one for one in entries if is_entry_path(one.path)]
    if len(told) < len(entries):
        first = next(one.path for one in entries if not is_entry_path(one.path))
        _log.warning(
            "nobody finds %d files and folders whose paths are too long, as is %.200s",
            len(entries) - len(told),
            first,
        )
    return told


def _digest_of(scope: Collection[int]) -> bytes:
    return _digest(",".join(map(str, sorted(scope))))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()
