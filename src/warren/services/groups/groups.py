"""`Groups`: sets of contacts under a name, which a share can be for.

In:  what the user does; which contacts go. Out: who is in which group, now; `GroupChanged` after each commit.
All is kept in `state.db`; a copy in memory answers at once, as every request for a share asks. What is
acknowledged is committed before. Who stops to be a contact is in no group any more, and is in none either
when it becomes one again.

Refuses members that are no contacts, malformed names, and what store.py refuses.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.errors import NotFound, PeerUnknown
from warren.core.group_name import group_name
from warren.services.groups import store

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Database


@dataclass(frozen=True, slots=True)
class Group:
    """A set of contacts, in the order of their ids."""

    name: str
    members: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """A group was made, has other members, or (None) is gone; it is committed."""

    name: str
    group: Group | None


class Groups:
    """The groups of one node. `load` before anything else."""

    __slots__ = ("_changing", "_database", "_emit", "_groups", "_is_contact")

    def __init__(
        self, database: Database, is_contact: Callable[[PeerId], bool], emit: Callable[[object], None]
    ) -> None:
        """`emit` takes the events."""
        self._database = database
        self._is_contact = is_contact
        self._emit = emit
        self._groups: dict[str, frozenset[PeerId]] = {}
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Read what is stored."""
        self._groups = await self._database.run(store.load)

    # --- questions ----------------------------------------------------------------------------------------

    def all(self) -> list[Group]:
        """Every group, by name."""
        return [self._shown(name) for name in sorted(self._groups)]

    def get(self, name: str) -> Group:
        """One group. Raises `NotFound`, `InputError` for what is no name."""
        return self._shown(self._known(name))

    def of(self, peer: PeerId) -> frozenset[str]:
        """The names of the groups that a peer is in."""
        if not self._is_contact(peer):
            return frozenset()
        return frozenset(name for name, members in self._groups.items() if peer in members)

    # --- what the user does -------------------------------------------------------------------------------

    async def add(self, name: str, members: Iterable[PeerId] = ()) -> Group:
        """Put contacts into a group, which is made if need be.

        Raises `InputError` for a malformed name, `PeerUnknown` for who is no contact, `LimitReached`.
        """
        name, added = group_name(name), frozenset(members)
        for peer in sorted(added):
            self._must_be_contact(peer)
        await self._change(name, lambda db: store.add(db, name, added))
        return self._shown(name)

    async def take_out(self, name: str, members: Iterable[PeerId]) -> Group:
        """Take members out of a group, which stays. Raises `NotFound` for it, or who is not in it."""
        name, gone = self._known(name), frozenset(members)
        for peer in sorted(gone - self._groups[name]):
            raise NotFound(f"{peer} is not in {name!r}", hint=f"see who is: warren group show {name}")
        await self._change(name, lambda db: store.take_out(db, name, gone))
        return self._shown(name)

    async def remove(self, name: str) -> Group:
        """Remove a group: what is shared with it is seen by nobody. Raises `NotFound`."""
        group = self.get(name)
        await self._change(group.name, lambda db: store.remove(db, group.name))
        return group

    def drop(self, peer: PeerId) -> None:
        """A contact was removed, and the database has forgotten its memberships by the same commit."""
        for name, members in list(self._groups.items()):
            if peer in members:
                self._groups[name] = members - {peer}
                self._emit(GroupChanged(name, self._shown(name)))

    # --- inside -------------------------------------------------------------------------------------------

    async def _change(self, name: str, change: Callable[[sqlite3.Connection], None]) -> None:
        """Commit a change, then show it in memory; the two stay alike even if the caller is cancelled."""
        write = asyncio.ensure_future(self._commit(name, change))
        try:
            await asyncio.shield(write)
        except asyncio.CancelledError:
            await asyncio.wait([write])
            raise

    async def _commit(self, name: str, change: Callable[[sqlite3.Connection], None]) -> None:
        def transaction(db: sqlite3.Connection) -> dict[str, frozenset[PeerId]]:
            change(db)
            return store.load(db)

        async with self._changing:
            found = await self._database.run(transaction)
            self._groups = {
                one: frozenset(peer for peer in members if self._is_contact(peer))
                for one, members in found.items()
            }
        self._emit(GroupChanged(name, self._shown(name) if name in self._groups else None))

    def _known(self, name: str) -> str:
        known = group_name(name)
        if known not in self._groups:
            raise NotFound(
                f"no group is called {name!r}",
                hint="warren group list shows them; warren group add makes one",
            )
        return known

    def _must_be_contact(self, peer: PeerId) -> None:
        if not self._is_contact(peer):
            raise PeerUnknown(
                f"{peer} is no contact, and a group holds contacts only", hint="warren invite makes one"
            )

    def _shown(self, name: str) -> Group:
        return Group(name, tuple(sorted(self._groups.get(name, ()))))
