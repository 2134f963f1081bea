"""The tables of groups: each function is (part of) one transaction over `state.db`.

In:  a connection inside a transaction, names in their one form, peer ids. Out: values.
The caller commits. Schema: schema/0007_groups.sql. Refuses more groups than the bound below, and members that
are no contacts.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from warren.core.errors import LimitReached, PeerUnknown
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Iterable

# Fault: a script that makes groups in a loop. Members are contacts, which are bounded.
GROUPS_MAX: Final = 1000


def load(db: sqlite3.Connection) -> dict[str, frozenset[PeerId]]:
    """All groups with their members."""
    found: dict[str, set[PeerId]] = {name: set() for (name,) in db.execute("SELECT name FROM groups")}
    for name, peer in db.execute("SELECT name, peer_id FROM group_members"):
        found[name].add(PeerId(peer))
    return {name: frozenset(members) for name, members in found.items()}


def add(db: sqlite3.Connection, name: str, members: Iterable[PeerId]) -> None:
    """Put members into a group, which is made if need be. Raises `LimitReached`, `PeerUnknown`."""
    (others,) = db.execute("SELECT count(*) FROM groups WHERE name <> ?", (name,)).fetchone()
    if others >= GROUPS_MAX:
        raise LimitReached(
            "groups_max", f"there are {others} groups, more are not kept", hint="warren group rm removes one"
        )
    db.execute("INSERT OR IGNORE INTO groups VALUES (?)", (name,))
    for peer in members:
        try:
            db.execute(
                "INSERT INTO group_members VALUES (?, ?) ON CONFLICT DO NOTHING", (name, peer.to_bytes())
            )
        except sqlite3.IntegrityError as error:
            raise PeerUnknown(f"{peer} is no contact", hint="a group holds contacts only") from error


def take_out(db: sqlite3.Connection, name: str, members: Iterable[PeerId]) -> None:
    """Take members out of a group."""
    rows = [(name, peer.to_bytes()) for peer in members]
    db.executemany("DELETE FROM group_members WHERE name = ? AND peer_id = ?", rows)


def remove(db: sqlite3.Connection, name: str) -> None:
    """Remove a group."""
    db.execute("DELETE FROM groups WHERE name = ?", (name,))
