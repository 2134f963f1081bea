"""The store of a fleet: registrations of what is public, and leases, in the keys that keys.py names.

In:  a connection, pieces, leases. Out: verdicts, records, what changed. What the server holds may be
anything: what makes no sense is left out, and named in the log.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from warren.core.errors import InvalidPeerId, StorageError
from warren.core.peer_id import PeerId
from warren.services.directory.fleet import scripts
from warren.services.directory.fleet.keys import Keys, Place
from warren.services.directory.fleet.records import Record, digits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warren.services.directory.fleet.connection import Connection

Verdict = Literal["ok", "have", "gap", "stale", "lost"]
Kind = Literal["registered", "forgotten", "leased", "left"]

STAGED_MS: Final = 600_000
"""For which a snapshot may be on its way in. Fault: a super-peer that is killed meanwhile."""
PIECES_READ: Final = 16
"""Pieces of a log in one answer: 1 MiB at most, compressed."""
_VALID_MS: Final = re.compile(rb"[0-9]{1,12}")
_VERDICTS: Final[frozenset[Verdict]] = frozenset(("ok", "have", "gap", "stale", "lost"))
_KINDS: Final[dict[bytes, Kind]] = {
    b"registered": "registered",
    b"forgotten": "forgotten",
    b"leased": "leased",
    b"left": "left",
}
_log = logging.getLogger(__name__)


class Listing(NamedTuple):
    """All there is in a part at one moment. born: another one where all was lost meanwhile. last: of the
    changes, from where on to follow them.
    """

    born: bytes
    records: Mapping[PeerId, Record]
    leases: Sequence[Place]
    last: str


class Change(NamedTuple):
    """Something happened: a hint. super_peer: at which, or who did it. valid_s: of a lease."""

    kind: Kind
    owner: PeerId
    super_peer: PeerId
    valid_s: float = 0.0


class Outcome(NamedTuple):
    """What became of a change, and how far the registration has come in the store now."""

    verdict: Verdict
    record: Record | None


class Store:
    """One part of it, as one super-peer uses it. All methods raise `ConnectionFailed` and `StorageError`."""

    __slots__ = ("_connection", "_keys", "_me")

    def __init__(self, connection: Connection, shard: int, me: PeerId) -> None:
        self._connection = connection
        self._keys = Keys(shard)
        self._me = str(me)

    # --- registrations --------------------------------------------------------------------------------------

    async def listing(self, token: str) -> Listing:
        """All there is. token: who makes this part if nobody has."""
        keys = self._keys
        born, pairs, members, last = await self._connection.run(
            scripts.LISTING, [keys.born, keys.owners, keys.leased, keys.changes], [token]
        )
        records = {}
        for owner, record in zip(pairs[::2], pairs[1::2], strict=True):
            peer, read = _peer(owner), Record.parse(_text(record))
            if peer is None or read is None:
                _log.warning("the store lists what is no registration: %.80r", owner)
                continue
            records[peer] = read
        places = [place for member in members if (place := _place(member)) is not None]
        return Listing(born, records, places, _text(last))

    async def read(self, owner: PeerId, first: str) -> tuple[Record | None, list[tuple[str, bytes]]]:
        """Some of a log from an id on, each piece with its id; none at its end."""
        record, entries = await self._connection.run(
            scripts.READ, [self._keys.owners, self._keys.log(owner)], [str(owner), first, PIECES_READ]
        )
        pieces = [(_text(number), fields[1] if len(fields) == 2 else b"") for number, fields in entries]
        return Record.parse(_text(record)), pieces

    async def push(self, owner: PeerId, epoch: int, from_seq: int, to_seq: int, piece: bytes) -> Outcome:
        """Put a delta behind what is there."""
        keys = self._keys
        return _outcome(
            await self._connection.run(
                scripts.PUSH,
                [keys.owners, keys.log(owner), keys.changes],
                [str(owner), digits(epoch), digits(from_seq), digits(to_seq), f"{to_seq}-0", piece, self._me],
            )
        )

    async def put(
        self, owner: PeerId, epoch: int, seq: int, pieces: Sequence[bytes], token: str, *, compact: bool
    ) -> Outcome:
        """Put a snapshot in the place of all there is. compact: it says the same, with fewer bytes."""
        keys = self._keys
        staging = keys.staging(owner, token)
        for number, piece in enumerate(pieces, 1):
            await self._connection.run(scripts.STAGE, [staging], [STAGED_MS, f"{seq}-{number}", piece])
        size = sum(map(len, pieces))
        return _outcome(
            await self._connection.run(
                scripts.COMMIT,
                [keys.owners, keys.log(owner), staging, keys.changes],
                [str(owner), digits(epoch), digits(seq), size, int(compact), self._me],
            )
        )

    async def drop(self, owner: PeerId) -> None:
        """Take a registration away."""
        keys = self._keys
        await self._connection.run(
            scripts.DROP, [keys.owners, keys.log(owner), keys.changes], [str(owner), self._me]
        )

    # --- leases ---------------------------------------------------------------------------------------------

    async def lease(self, leases: Mapping[Place, float]) -> None:
        """Take or renew leases, each good for so many seconds."""
        args: list[str | bytes | int] = []
        for place, valid_s in leases.items():
            args += [str(place), max(1, int(valid_s * 1000))]
        await self._connection.run(scripts.LEASE, self._lease_keys(leases), args)

    async def leave(self, places: Sequence[Place]) -> None:
        """End leases."""
        await self._connection.run(scripts.LEAVE, self._lease_keys(places), [*map(str, places)])

    async def rest(self, places: Sequence[Place]) -> list[float | None]:
        """For how many seconds each lease is good; None: it is over."""
        keys = [self._keys.leased, *map(self._keys.lease, places)]
        found = await self._connection.run(scripts.REST, keys, [*map(str, places)])
        return [one / 1000 if one >= 0 else None for one in found]

    def _lease_keys(self, places: Mapping[Place, float] | Sequence[Place]) -> list[str]:
        return [self._keys.changes, self._keys.leased, *map(self._keys.lease, places)]

    # --- what changes ---------------------------------------------------------------------------------------

    async def wait(self, after: str, *, wait_s: float, count: int) -> tuple[str, list[Change]]:
        """What happened after an id, and the id of the last of it; waits where there is nothing yet."""
        entries = await self._connection.wait(self._keys.changes, after, wait_s=wait_s, count=count)
        changes = [change for _, fields in entries if (change := _change(fields)) is not None]
        return entries[-1][0] if entries else after, changes


def _outcome(answer: Any) -> Outcome:
    verdict, record = _text(answer[0]), Record.parse(_text(answer[1]))
    for known in _VERDICTS:
        if verdict == known:
            return Outcome(known, record)
    raise StorageError(f"the store answers {verdict!r}")


def _change(fields: Mapping[bytes, bytes]) -> Change | None:
    kind = _KINDS.get(fields.get(b"kind", b""))
    who, more = fields.get(b"who", b""), fields.get(b"more", b"")
    if kind in ("registered", "forgotten"):
        owner, author = _peer(who), _peer(more)
        if owner is not None and author is not None:
            return Change(kind, owner, author)
    elif kind in ("leased", "left"):
        place, valid = Place.parse(_text(who)), _VALID_MS.fullmatch(more)
        if place is not None and (kind == "left" or valid):
            return Change(kind, *place, valid_s=int(more) / 1000 if valid else 0.0)
    _log.warning("the store tells of a change that is none: %.80r", who)
    return None


def _place(member: bytes) -> Place | None:
    place = Place.parse(_text(member))
    if place is None:
        _log.warning("the store lists what is no lease: %.80r", member)
    return place


def _peer(text: bytes) -> PeerId | None:
    try:
        return PeerId.parse(_text(text))
    except InvalidPeerId:
        return None


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
