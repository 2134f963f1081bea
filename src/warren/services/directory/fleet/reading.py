"""From the store into the index: what an owner told to other super-peers.

In:  the log of an owner, read piece by piece. Out: the public part of its registration in line with it, by
its deltas where these lead on from what is there, else from its snapshot on. The position in the index is all
that needs to be remembered: it says where to read on, after a restart, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation
from warren.protocols.directory.entries import Registered
from warren.services.directory.fleet.records import is_last, unpack
from warren.services.directory.index.interface import Gap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.services.directory.fleet.index import SharedIndex
    from warren.services.directory.fleet.store import Store
    from warren.services.directory.index.interface import Position

SNAPSHOT_BYTES_MAX: Final = 48 << 20
"""Pieces of one snapshot. Attack: who can write to the store fills the memory of all."""
_START: Final = "-"


class _Replaced(Exception):
    """While it was read, another snapshot took the place of the log."""


async def catch_up(store: Store, index: SharedIndex, owner: PeerId) -> None:
    """Take what the store has of an owner, if it is more than the index has.

    Raises `ProtocolViolation` for what makes no sense, and what the store raises. Where it changes while it
    is read it may be left half-way: then a hint says so.
    """
    mine = index.public_position(owner)
    record, _ = await store.read(owner, _START if mine is None else _after(mine))
    if record is None or (mine is not None and mine >= record.position):
        return
    first = _after(mine) if mine is not None and record.holds_all_after(mine) else _START
    try:
        await _take(store, index, owner, first, record.position.epoch)
    except (_Replaced, Gap):
        await _take(store, index, owner, _START, None)


async def _take(store: Store, index: SharedIndex, owner: PeerId, first: str, epoch: int | None) -> None:
    parts: list[bytes] = []
    async for number, piece in _pieces(store, owner, first):
        last = is_last(piece)
        if last is None:
            delta = unpack(piece)
            if epoch is not None and delta.epoch != epoch:
                raise _Replaced
            await index.take_delta(owner, delta)
            continue
        parts.append(piece)
        if first != _START or number.rpartition("-")[2] != str(len(parts)):
            raise _Replaced
        if sum(map(len, parts)) > SNAPSHOT_BYTES_MAX:
            raise ProtocolViolation(f"the store holds a snapshot over its size, of {owner}")
        if last:
            snapshot = unpack(piece)
            entries = _entries(parts, snapshot.epoch, snapshot.to_seq)
            await index.take_snapshot(owner, snapshot.epoch, snapshot.to_seq, entries)


async def _pieces(store: Store, owner: PeerId, first: str) -> AsyncIterator[tuple[str, bytes]]:
    while True:
        _, pieces = await store.read(owner, first)
        for one in pieces:
            yield one
        if not pieces:
            return
        first = f"({pieces[-1][0]}"


def _entries(parts: Sequence[bytes], epoch: int, seq: int) -> Iterator[Registered]:
    for part in parts:
        registration = unpack(part)
        if (registration.epoch, registration.to_seq) != (epoch, seq):
            raise ProtocolViolation("the store holds a snapshot whose parts do not belong together")
        for one in registration.added:
            yield Registered(one.entry)


def _after(position: Position) -> str:
    return f"{position.seq + 1}-0"
