"""The tables of resources: each function is (part of) one transaction over `state.db`.

In:  a connection inside a transaction, and values. Out: values. What this node says of a content id is what
the user said by hand over what the file says of itself (said.py), sealed whenever that changes; others are
told of it what is for them (scopes.py). The caller commits and supplies the time. Schema:
schema/0006_resources.sql.

Refuses what core/resource.py refuses, and more than the bounds below.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.cid import Cid
from warren.core.entry import Metadata
from warren.core.errors import LimitReached
from warren.core.peer_id import PeerId
from warren.core.resource import Resource
from warren.services.resources import scopes
from warren.services.resources.said import from_json, to_json
from warren.services.resources.scopes import Scoped, said_of, said_to

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from warren.core.keys import PrivateKey
    from warren.services.resources.said import Said
    from warren.services.resources.scopes import Covers, Scope

    SaidTo = Callable[[str], Metadata]
    """What is said to those who see the content by an audience, which is known by its text."""
    Follow = Callable[[sqlite3.Connection, Cid, SaidTo], None]

# Fault: a folder of a million PDF files, or a script that describes in a loop.
OWN_MAX: Final = 200_000
# Attack: publishers without end who speak of the same content; each word takes 18 KiB at most.
PUBLISHERS_MAX: Final = 16
FOREIGN_MAX: Final = 20_000


class Place(NamedTuple):
    """Where something lies: the path of the share on the disk, and the path from there."""

    share: Path
    path: str

    @property
    def name(self) -> str:
        """Of the file or folder that lies there."""
        return self.path.rpartition("/")[2] or self.share.name

    @property
    def key(self) -> tuple[bytes, str]:
        return os.fsencode(self.share), self.path


class Writer:
    """Writes this node's words. follow: writes down elsewhere what they are now, by the same commit. covers:
    whom audiences admit.
    """

    __slots__ = ("_covers", "_db", "_follow", "_key", "_now_ms", "_rescoped", "changed")

    def __init__(
        self, db: sqlite3.Connection, key: PrivateKey, now_ms: int, follow: Follow, covers: Covers
    ) -> None:
        self._db = db
        self._key = key
        self._now_ms = now_ms
        self._follow = follow
        self._covers = covers
        self._rescoped: set[Cid] = set()
        """Of what something else may be said to whom, though all that is said may be the same."""
        self.changed: dict[Cid, Metadata] = {}
        """What became of this node's words, to be told after the commit."""

    def say(self, cid: Cid, said: Said, scope: Scope, places: Iterable[Place]) -> None:
        """Keep what the user says of `cid` for a place, over what it said before. Raises `InputError`,
        `LimitReached`.
        """
        before = [one.said for one in scopes.all_said(self._db, cid) if one.scope.share == scope.share]
        self._keep_said(cid, Scoped(scope, before[0].changed(said) if before else said))
        for place in places:
            self._keep_place(place, cid)
        self._publish(cid)

    def clear(self, cid: Cid) -> None:
        """Forget what the user said; what the file says of itself stands again."""
        if scopes.forget(self._db, cid):
            self._rescoped.add(cid)
        self._publish(cid)

    def admit(self, scope: Scope) -> None:
        """A share has another audience now: what was said for it is for that."""
        for cid in scopes.admit(self._db, scope):
            self._rescoped.add(cid)
            self._publish(cid)

    def take(self, cid: Cid, taken: Metadata, place: Place) -> None:
        """Keep what the file says of itself. Raises `LimitReached`."""
        self._db.execute(
            "INSERT OR REPLACE INTO resource_taken VALUES (?, ?)", (cid.to_bytes(), to_json(taken))
        )
        self._keep_place(place, cid)
        self._publish(cid)

    def move(self, place: Place, cid: Cid | None, old: Cid | None, elsewhere: Iterable[Place]) -> None:
        """At `place`, where `old` lay, lies `cid` now (None: nothing), and `old` lies `elsewhere`. What was
        said by hand of `old` is said of `cid`, unless something was said of that.
        """
        if old is not None:
            self._db.execute("DELETE FROM resource_places WHERE share = ? AND path = ?", place.key)
            for one in elsewhere:
                self._keep_place(one, old)
            if cid is not None:
                self._carry_over(old, cid)
        if cid is not None and is_described(self._db, cid):
            self._keep_place(place, cid)
        if old is not None and not _places(self._db, old):
            self._let_go(old, is_replaced=cid is not None)
        if cid is not None:
            self._publish(cid)

    def _carry_over(self, old: Cid, cid: Cid) -> None:
        if said_of(self._db, cid):
            return
        for one in scopes.all_said(self._db, old):
            self._keep_said(cid, one)

    def _let_go(self, cid: Cid, *, is_replaced: bool) -> None:
        """Forget what can be had again. What was said by hand stays for content that is gone, not edited: it
        may come back, or turn up elsewhere.
        """
        raw = cid.to_bytes()
        if is_replaced:
            scopes.forget(self._db, cid)
        if said_of(self._db, cid):
            return
        self._db.execute("DELETE FROM resource_taken WHERE cid = ?", (raw,))
        before = word_of(self._db, cid, self._key.peer_id)
        if before is not None:
            whose = (raw, self._key.peer_id.to_bytes())
            self._db.execute("DELETE FROM resources WHERE cid = ? AND publisher = ?", whose)
            self._tell(cid, before.metadata, Metadata())

    def _keep_said(self, cid: Cid, one: Scoped) -> None:
        if scopes.keep(self._db, cid, one):
            self._rescoped.add(cid)

    def _keep_place(self, place: Place, cid: Cid) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO resource_places VALUES (?, ?, ?)", (*place.key, cid.to_bytes())
        )

    def _publish(self, cid: Cid) -> None:
        """Seal what is said now, if that is something else than before."""
        before = word_of(self._db, cid, self._key.peer_id)
        metadata = said_of(self._db, cid).over(_taken_of(self._db, cid))
        old = before.metadata if before else Metadata()
        if metadata == old:
            self._tell(cid, old, metadata)
            return
        if before is None:
            self._check_room()
        seq = max(before.seq + 1 if before else 0, self._now_ms)
        word = Resource(self._key.peer_id, cid, seq, metadata)
        _keep(self._db, word, word.seal(self._key))
        self._tell(cid, old, metadata)

    def _tell(self, cid: Cid, before: Metadata, metadata: Metadata) -> None:
        if before != metadata or cid in self._rescoped:
            self._rescoped.discard(cid)
            self._follow(self._db, cid, partial(metadata_to, self._db, cid, covers=self._covers))
            self.changed[cid] = metadata

    def _check_room(self) -> None:
        if _count(self._db, self._key.peer_id) >= OWN_MAX:
            raise LimitReached(
                "resources_max",
                f"{OWN_MAX} files and folders are described, more are not",
                hint="warren resource clear takes back what was said of one",
            )


# --- what others say --------------------------------------------------------------------------------------


def accept(db: sqlite3.Connection, word: Resource, envelope: bytes, own: PeerId) -> bool:
    """Keep another's word, if it is newer than what is kept of it. Returns whether there was room."""
    before = word_of(db, word.cid, word.publisher)
    if before is None and not _has_room(db, word.cid, own):
        return False
    if before is None or before.seq < word.seq:
        _keep(db, word, envelope)
    return True


def _has_room(db: sqlite3.Connection, cid: Cid, own: PeerId) -> bool:
    (every,) = db.execute("SELECT count(*) FROM resources").fetchone()
    query = "SELECT count(*) FROM resources WHERE cid = ? AND publisher <> ?"
    (of_this,) = db.execute(query, (cid.to_bytes(), own.to_bytes())).fetchone()
    return bool(of_this < PUBLISHERS_MAX and every - _count(db, own) < FOREIGN_MAX)


# --- questions --------------------------------------------------------------------------------------------


def word_of(db: sqlite3.Connection, cid: Cid, publisher: PeerId) -> Resource | None:
    """What a publisher says of a content id."""
    row = db.execute(
        "SELECT seq, metadata FROM resources WHERE cid = ? AND publisher = ?",
        (cid.to_bytes(), publisher.to_bytes()),
    ).fetchone()
    return Resource(publisher, cid, int.from_bytes(row[0]), from_json(row[1])) if row else None


def envelope_of(db: sqlite3.Connection, cid: Cid, publisher: PeerId) -> bytes | None:
    """The same, as it was signed."""
    row = db.execute(
        "SELECT envelope FROM resources WHERE cid = ? AND publisher = ?",
        (cid.to_bytes(), publisher.to_bytes()),
    ).fetchone()
    return row[0] if row else None


def words_on(db: sqlite3.Connection, cid: Cid) -> list[Resource]:
    """What anybody says of a content id, by publisher."""
    rows = db.execute("SELECT publisher, seq, metadata FROM resources WHERE cid = ?", (cid.to_bytes(),))
    return [Resource(PeerId(who), cid, int.from_bytes(seq), from_json(text)) for who, seq, text in rows]


def words_by(db: sqlite3.Connection, publisher: PeerId, after: Cid | None, limit: int) -> list[Resource]:
    """What a publisher says, but for what it took back, by content id, from behind `after`."""
    rows = db.execute(
        "SELECT cid, seq, metadata FROM resources WHERE publisher = ? AND metadata <> '{}' AND cid > ?"
        " ORDER BY cid LIMIT ?",
        (publisher.to_bytes(), after.to_bytes() if after else b"", limit),
    )
    return [
        Resource(publisher, Cid.from_bytes(cid), int.from_bytes(seq), from_json(text))
        for cid, seq, text in rows
    ]


def metadata_of(db: sqlite3.Connection, cids: Iterable[Cid], publisher: PeerId) -> dict[Cid, Metadata]:
    """What a publisher says of each; without those of which it says nothing."""
    found = ((cid, word_of(db, cid, publisher)) for cid in cids)
    return {cid: word.metadata for cid, word in found if word and word.metadata}


def metadata_to(db: sqlite3.Connection, cid: Cid, audience: str, covers: Covers) -> Metadata:
    """What this node says of it to those who see it by that audience."""
    return said_to(db, cid, audience, covers).over(_taken_of(db, cid))


def is_taken(db: sqlite3.Connection, cid: Cid) -> bool:
    """Whether the file was asked what it says of itself."""
    found = db.execute("SELECT 1 FROM resource_taken WHERE cid = ?", (cid.to_bytes(),)).fetchone()
    return found is not None


def is_described(db: sqlite3.Connection, cid: Cid) -> bool:
    """Whether anything is kept of it that this node says, or would say."""
    return is_taken(db, cid) or bool(said_of(db, cid))


def cid_at(db: sqlite3.Connection, place: Place) -> Cid | None:
    """What lay there when it was looked at last, if that is described."""
    row = db.execute("SELECT cid FROM resource_places WHERE share = ? AND path = ?", place.key).fetchone()
    return Cid.from_bytes(row[0]) if row else None


def paths_in(db: sqlite3.Connection, share: Path, folder: str = "") -> list[str]:
    """Where something described lay in a share: at a path in it, and below (`0` comes next after `/`)."""
    rows = db.execute(
        "SELECT path FROM resource_places WHERE share = :share"
        " AND (:folder = '' OR path = :folder OR path > :folder || '/' AND path < :folder || '0')"
        " ORDER BY path",
        {"share": os.fsencode(share), "folder": folder},
    )
    return [path for (path,) in rows]


def of_interest(
    db: sqlite3.Connection, found: Iterable[tuple[Place, Cid]], ending: str
) -> list[tuple[Place, Cid]]:
    """Those that are described and new there, lie where something described lay, or are to be asked what they
    say, as their names end so.
    """

    def is_news(place: Place, cid: Cid) -> bool:
        before = cid_at(db, place)
        return before != cid and (before is not None or is_described(db, cid))

    return [
        (place, cid)
        for place, cid in found
        if is_news(place, cid) or (place.name.lower().endswith(ending) and not is_taken(db, cid))
    ]


def places_of(db: sqlite3.Connection, cids: Iterable[Cid]) -> dict[Cid, list[tuple[bytes, str]]]:
    """Where each lay last, as (share, path)."""
    return {cid: _places(db, cid) for cid in cids}


def _places(db: sqlite3.Connection, cid: Cid) -> list[tuple[bytes, str]]:
    rows = db.execute("SELECT share, path FROM resource_places WHERE cid = ?", (cid.to_bytes(),))
    return sorted(rows.fetchall())


def _taken_of(db: sqlite3.Connection, cid: Cid) -> Metadata:
    row = db.execute("SELECT taken FROM resource_taken WHERE cid = ?", (cid.to_bytes(),)).fetchone()
    return from_json(row[0]) if row else Metadata()


def _keep(db: sqlite3.Connection, word: Resource, envelope: bytes) -> None:
    db.execute(
        "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?)",
        (
            word.cid.to_bytes(),
            word.publisher.to_bytes(),
            word.seq.to_bytes(8),
            envelope,
            to_json(word.metadata),
        ),
    )


def _count(db: sqlite3.Connection, publisher: PeerId) -> int:
    query = "SELECT count(*) FROM resources WHERE publisher = ?"
    return int(db.execute(query, (publisher.to_bytes(),)).fetchone()[0])
