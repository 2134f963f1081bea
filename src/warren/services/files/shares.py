"""The table of what the user shares, and with whom: what must not be lost, nor come back.

In: a connection inside a transaction to the durable database. Out: shares as they were hashed last; whether
their chunks can be found is for the index to say. Schema: schema/0002_shares.sql and
0012_holders.sql.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from warren.core.cid import Cid
from warren.services.files.types import Audience, Share

if TYPE_CHECKING:
    import sqlite3


def load(db: sqlite3.Connection) -> list[Share]:
    """All of them, by name; none is `ready`."""
    rows = db.execute(
        "SELECT path, kind, name, audience, cid, files, bytes, replica FROM shares ORDER BY name"
    )
    return [
        Share(
            name=name,
            path=Path(os.fsdecode(path)),
            cid=Cid.from_bytes(cid),
            audience=Audience.parse(audience),
            kind=kind,
            files=files,
            bytes=size,
            ready=False,
            replica=bool(replica),
        )
        for path, kind, name, audience, cid, files, size, replica in rows
    ]


def keep(db: sqlite3.Connection, share: Share) -> None:
    """Add a share, in place of the one at its path."""
    db.execute(
        "INSERT INTO shares (path, kind, name, audience, cid, files, bytes, replica)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (path) DO UPDATE SET kind = excluded.kind, name = excluded.name,"
        " audience = excluded.audience, cid = excluded.cid, files = excluded.files, bytes = excluded.bytes,"
        " replica = excluded.replica",
        (
            *(os.fsencode(share.path), share.kind, share.name, str(share.audience)),
            *(share.cid.to_bytes(), share.files, share.bytes, share.replica),
        ),
    )


def drop(db: sqlite3.Connection, path: Path) -> None:
    """Forget the share at a path."""
    db.execute("DELETE FROM shares WHERE path = ?", (os.fsencode(path),))
