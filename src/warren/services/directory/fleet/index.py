"""`SharedIndex`: the index of a super-peer in a fleet.

In:  calls of `index.interface.Index`, and what the store has of other owners. Out: an index of one's own that
holds both; what is to be put into the store, as changes of what is public.

What an owner registers is kept in two parts. The public one is the same at every super-peer, whoever was
told, and goes through the store. The other one is for those whom the owner admits, was told to this
super-peer since it is one of them, and stays here: under a name that stands for the owner's (`_other_name`),
so that each part has its own position. The owner hears of the position of the other part alone, as only that
says how much it has told here.

A change takes effect in the public part first and in the other one right after: each is seen whole.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.peer_id import PeerId
from warren.protocols.directory.entries import Registered
from warren.protocols.directory.registration import CHANGES_MAX, Registration, fit
from warren.services.directory.fleet.records import pack
from warren.services.directory.index.documents import to_put
from warren.services.directory.index.interface import PUBLIC, Gap, Position, Stale, check_span
from warren.services.directory.locks import Locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from warren.core.query import Query
    from warren.services.directory.fleet.local import LocalIndex
    from warren.services.directory.index.interface import Admits, PublicWords, Results

_NAME: Final = b"warren: what is not for everybody of "
_ROWS: Final = 500


class Outbox(Protocol):
    """Takes what is to be put into the store; puts it there in its own time."""

    def delta(self, owner: PeerId, registration: Registration) -> None: ...

    def snapshot(self, owner: PeerId) -> None:
        """All that there is of it (`SharedIndex.snapshot`)."""
        ...

    def forgotten(self, owner: PeerId) -> None: ...


class SharedIndex:
    """See `index.interface.Index`. Closes what it is made of."""

    def __init__(self, local: LocalIndex, me: PeerId) -> None:
        """me: whose own entries are there, too."""
        self._local = local
        self._me = me
        self._locks: Locks[PeerId] = Locks()
        known = set(local.owners())
        names = {_other_name(owner): owner for owner in known}
        self._others = {name: owner for name, owner in names.items() if name in known}
        """Whose each other part is, by its name."""
        self.outbox: Outbox | None = None
        self.is_here: Callable[[PeerId], bool] = lambda _: False
        """Whether an owner holds a lease at this very super-peer."""

    # --- what owners say here -------------------------------------------------------------------------------

    async def replace(self, owner: PeerId, epoch: int, seq: int, entries: Iterable[Registered]) -> None:
        """See `Index`. What is public is left alone where the store had it just so.

        Raises `Gap`, too, where it had it later: the owner went on meanwhile, or has lost a part of its log,
        and only it can tell.
        """
        now = Position(epoch, seq)
        name = _other_name(owner)
        async with self._locks.hold(owner):
            public, told = self._local.position(owner), self.position(owner)
            if told is not None and now < told:
                raise Stale(told)
            if public is not None and now < public:
                raise Stale(public) if epoch < public.epoch else Gap(public)
            others: list[Registered] = []
            rest = _public(entries, others)
            if public != now or public == told:
                await self._local.replace(owner, epoch, seq, rest)
            else:
                await _exhaust(rest)
            self._others[name] = owner
            await self._local.replace(name, epoch, seq, others)
            if self.outbox is not None:
                self.outbox.snapshot(owner)

    async def apply(
        self,
        owner: PeerId,
        epoch: int,
        from_seq: int,
        to_seq: int,
        added: Sequence[Registered],
        removed: Sequence[str],
    ) -> None:
        """See `Index`."""
        check_span(from_seq, to_seq)
        name = _other_name(owner)
        others: list[Registered] = []
        mine = list(_public(added, others))
        away = [*removed, *(one.entry.path for one in others)]
        async with self._locks.hold(owner):
            public, told = self._local.position(owner), self.position(owner)
            if told is None or told.epoch != epoch or from_seq > told.seq:
                raise Gap(told)
            if to_seq <= told.seq:
                return
            if public is None or public.epoch != epoch:  # it began a log anew, elsewhere
                await self._forget_others(owner)
                raise Gap(None)
            # Of what was never public not even the path goes through the store.
            away = await self._local.held(owner, away)
            await self._local.apply(owner, epoch, from_seq, to_seq, mine, away)
            gone = [*removed, *(one.entry.path for one in mine)] if self._local.size(name) else ()
            await self._local.apply(name, epoch, from_seq, to_seq, others, gone)
            if public.seq < to_seq:
                since = max(from_seq, public.seq)
                self._send(owner, Registration(epoch, since, to_seq, tuple(mine), tuple(away)))

    def _send(self, owner: PeerId, delta: Registration) -> None:
        if self.outbox is None:
            return
        if len(delta.added) + len(delta.removed) > CHANGES_MAX or fit(delta.added) < len(delta.added):
            self.outbox.snapshot(owner)
        else:
            self.outbox.delta(owner, delta)

    async def forget(self, owner: PeerId) -> None:
        """See `Index`. The store forgets it, too."""
        await self.drop(owner)
        if self.outbox is not None:
            self.outbox.forgotten(owner)

    def position(self, owner: PeerId) -> Position | None:
        """How far the owner has told its registration here, as in `Index`; None where it comes from the store
        alone: the owner then tells all, of which this super-peer may see more than others.
        """
        if self._local.position(owner) is None:
            return None
        return self._local.position(_other_name(owner))

    # --- what the store says --------------------------------------------------------------------------------

    def public_position(self, owner: PeerId) -> Position | None:
        """How far the public part of a registration has come here."""
        return self._local.position(owner)

    async def take_snapshot(self, owner: PeerId, epoch: int, seq: int, entries: Iterable[Registered]) -> None:
        """Take the public part of a registration from the store, unless there is a later one here."""
        async with self._locks.hold(owner):
            public, told = self._local.position(owner), self.position(owner)
            if public is not None and public >= (epoch, seq):
                return
            if told is not None and told.epoch != epoch:
                await self._forget_others(owner)
            await self._local.replace(owner, epoch, seq, entries)

    async def take_delta(self, owner: PeerId, delta: Registration) -> None:
        """Take a change of it. Raises `Gap`."""
        added = [Registered(one.entry) for one in delta.added]
        async with self._locks.hold(owner):
            await self._local.apply(owner, delta.epoch, delta.from_seq, delta.to_seq, added, delta.removed)

    async def drop(self, owner: PeerId) -> None:
        """Forget an owner here alone."""
        self._hide(owner)
        async with self._locks.hold(owner):
            await self._forget_all(owner)

    async def drop_untold(self, owner: PeerId) -> None:
        """The same, unless it has told something here."""
        async with self._locks.hold(owner):
            if self.position(owner) is None:
                self._hide(owner)
                await self._forget_all(owner)

    async def snapshot(self, owner: PeerId) -> tuple[Position, list[bytes]] | None:
        """The public part of a registration in pieces; None: there is none."""
        async with self._locks.hold(owner):
            position = self._local.position(owner)
            if position is None:
                return None
            pieces: list[bytes] = []
            waiting: list[Registered] = []
            async for page in self._local.entries(owner):
                waiting += page
                while (count := fit(waiting)) < len(waiting):
                    pieces.append(_part(position, waiting[:count], more=True))
                    del waiting[:count]
            return position, [*pieces, _part(position, waiting, more=False)]

    # --- searching ------------------------------------------------------------------------------------------

    def owners(self) -> list[PeerId]:
        """See `Index`."""
        return [owner for owner in self._local.owners() if owner not in self._others]

    def size(self, owner: PeerId) -> int:
        """See `Index`."""
        return self._local.size(owner) + self._local.size(_other_name(owner))

    def set_online(self, owner: PeerId, online: bool) -> None:
        """See `Index`. What was told here alone is as old as the owner's last lease here."""
        self._local.set_online(owner, online)
        here = online and (owner == self._me or self.is_here(owner))
        self._local.set_online(_other_name(owner), here)

    def set_admits(self, admits: Admits) -> None:
        """See `Index`."""
        others = self._others
        self._local.set_admits(lambda name, number, asker: admits(others.get(name, name), number, asker))

    async def search(self, query: Query, asker: PeerId | None) -> Results:
        """See `Index`."""
        results = await self._local.search(query, asker)
        others = self._others
        hits = [hit._replace(owner=others[hit.owner]) if hit.owner in others else hit for hit in results.hits]
        return results._replace(hits=hits)

    def public_words(self) -> PublicWords:
        """See `Index`."""
        return self._local.public_words()

    async def close(self) -> None:
        """See `Index`."""
        await self._local.close()

    def _hide(self, owner: PeerId) -> None:
        self._local.hide(owner)
        self._local.hide(_other_name(owner))

    async def _forget_all(self, owner: PeerId) -> None:
        await self._forget_others(owner)
        await self._local.forget(owner)

    async def _forget_others(self, owner: PeerId) -> None:
        name = _other_name(owner)
        await self._local.forget(name)
        self._others.pop(name, None)


def _other_name(owner: PeerId) -> PeerId:
    """Under which the index keeps what an owner registered that is not for everybody.

    Nobody has the key of such a peer: it would hash to this.
    """
    return PeerId(b"\x12\x20" + sha256(_NAME + owner.to_bytes()).digest())


def _public(entries: Iterable[Registered], others: list[Registered]) -> Iterator[Registered]:
    """Those for everybody; the others are put aside, once it is seen that they can be kept."""
    for one in entries:
        if one.audience == PUBLIC:
            yield one
        else:
            to_put(one)
            others.append(one)


async def _exhaust(entries: Iterator[Registered]) -> None:
    """Read all of them, in pieces between turns of the loop."""
    for number, _ in enumerate(entries, 1):
        if not number % _ROWS:
            await asyncio.sleep(0)


def _part(position: Position, entries: Sequence[Registered], *, more: bool) -> bytes:
    return pack(Registration(position.epoch, 0, position.seq, tuple(entries), snapshot=True, more=more))
