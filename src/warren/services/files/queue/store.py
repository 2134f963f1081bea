"""The tables of the queue.

In:  a connection inside a transaction to the durable database. Out: transfers as they were committed.
Schema: ../schema/0011_transfers.sql. A row that cannot be read is left out: the others still work.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from warren.core.cid import Cid
from warren.core.errors import WarrenError
from warren.core.peer_id import PeerId
from warren.services.files.queue.model import DroppedSource, QueuedTransfer, Want
from warren.services.files.queue.selection import Selection
from warren.services.files.queue.window import Window
from warren.services.files.types import Progress

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_COLUMNS: Final = (
    "priority", "cap", "hours", "state", "cause", "name", "root", "error", "reason", "hint", "progress",
    "dropped", "path", "added_at", "ended_at",
)  # fmt: skip
_KEPT: Final = {"paused", "failed", "done"}
"""States that outlive a restart; whatever else a transfer did, it is queued again."""
_KNOWN: Final = {*_KEPT, "queued"}
_log = logging.getLogger(__name__)


def load(db: sqlite3.Connection) -> list[QueuedTransfer]:
    """All transfers, by number."""
    names = ", ".join(_COLUMNS)
    rows = db.execute(f"SELECT number, want, {names} FROM transfer ORDER BY number").fetchall()  # noqa: S608
    found = []
    for row in rows:
        try:
            found.append(_read(*row))
        except (ValueError, TypeError, KeyError, WarrenError):
            _log.warning("transfer %s cannot be read", row[0])
    return found


def add(db: sqlite3.Connection, one: QueuedTransfer) -> int:
    """Add one; returns the number that it has from now on."""
    names, marks = ", ".join(_COLUMNS), ", ".join("?" * len(_COLUMNS))
    added = db.execute(
        f"INSERT INTO transfer (want, {names}) VALUES (?, {marks})",  # noqa: S608
        (_written(one.want), *_values(one)),
    )
    assert added.lastrowid is not None  # noqa: S101  a row was inserted
    return added.lastrowid


def save(db: sqlite3.Connection, one: QueuedTransfer) -> None:
    """Keep how it stands now; one that was removed stays so."""
    names = ", ".join(f"{name} = ?" for name in _COLUMNS)
    db.execute(f"UPDATE transfer SET {names} WHERE number = ?", (*_values(one), one.number))  # noqa: S608


def save_want(db: sqlite3.Connection, one: QueuedTransfer) -> None:
    """Keep what of it is wanted, too, where that is another now."""
    db.execute("UPDATE transfer SET want = ? WHERE number = ?", (_written(one.want), one.number))
    save(db, one)


def remove(db: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Forget them."""
    db.executemany("DELETE FROM transfer WHERE number = ?", [(number,) for number in numbers])


def limits(db: sqlite3.Connection) -> dict[str, int]:
    """What the user said of `down` and `up`, in bytes a second; what was not said is not there."""
    return dict(db.execute("SELECT direction, bytes_per_s FROM transfer_limit").fetchall())


def set_limit(db: sqlite3.Connection, direction: str, bytes_per_s: int | None) -> None:
    """None: as the settings say."""
    db.execute("DELETE FROM transfer_limit WHERE direction = ?", (direction,))
    if bytes_per_s is not None:
        db.execute("INSERT INTO transfer_limit VALUES (?, ?)", (direction, bytes_per_s))


def _values(one: QueuedTransfer) -> tuple[Any, ...]:
    want = one.want
    is_kept = one.state in _KEPT and one.cause != "hours"
    return (
        want.priority,
        want.cap_bytes_per_s,
        str(want.window or ""),
        one.state if is_kept else "queued",
        one.cause if is_kept else "",
        one.name,
        one.root.to_bytes() if one.root is not None else None,
        one.error,
        one.reason,
        one.hint,
        json.dumps(dataclasses.asdict(one.progress)) if one.progress is not None else "",
        json.dumps([(str(dropped.peer), dropped.reason, dropped.at) for dropped in one.dropped]),
        one.path,
        one.added_at,
        one.ended_at,
    )


def _written(want: Want) -> str:
    fields = {
        "folder": want.folder,
        "cid": str(want.cid) if want.cid is not None else None,
        "path": want.path,
        "peers": [str(peer) for peer in want.peers],
        "only": want.only,
        "name": want.name,
        "patterns": want.selection.patterns,
        "paths": want.selection.paths,
        "keep": want.keep,
    }
    return json.dumps(fields)


def _read(  # noqa: PLR0913, PLR0917  a row
    number: int, want: str, priority: int, cap: int, hours: str, state: Any, cause: Any, name: str,
    root: bytes | None, error: str, reason: str, hint: str, progress: str, dropped: str, path: str,
    added_at: float, ended_at: float | None,
) -> QueuedTransfer:  # fmt: skip
    if state not in _KNOWN:
        raise ValueError(state)
    fields = json.loads(want)
    return QueuedTransfer(
        number=number,
        want=Want(
            folder=fields["folder"],
            cid=Cid.parse(fields["cid"]) if fields["cid"] else None,
            path=fields["path"],
            peers=tuple(PeerId.parse(peer) for peer in fields["peers"]),
            only=fields["only"],
            name=fields["name"],
            selection=Selection(tuple(fields["patterns"]), tuple(fields["paths"])),
            keep=fields["keep"],
            cap_bytes_per_s=cap,
            priority=priority,
            window=Window.parse(hours) if hours else None,
        ),
        name=name,
        state=state,
        root=Cid.from_bytes(root) if root is not None else None,
        cause=cause,
        reason=reason,
        hint=hint,
        error=error,
        progress=Progress(**json.loads(progress)) if progress else None,
        dropped=tuple(DroppedSource(PeerId.parse(peer), why, at) for peer, why, at in json.loads(dropped)),
        path=path,
        added_at=added_at,
        ended_at=ended_at,
    )
