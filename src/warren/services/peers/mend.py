"""Bringing contacts and peers in line again, after some rows of a damaged state were lost.

In:  a connection inside a transaction. Out: every contact is in the peer table, and every contact of which
only the entry there is left is a contact again, under its petname without case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


def mend(db: sqlite3.Connection) -> None:
    """See the module's header."""
    db.execute(
        "INSERT OR IGNORE INTO contacts (peer_id, petname, petname_key, own_name, added_at)"
        " SELECT peer_id, name_key, name_key, '', first_seen FROM peers WHERE name_key IS NOT NULL"
    )
    db.execute(
        "INSERT OR IGNORE INTO contact_addresses (peer_id, address, told_at, proven_at)"
        " SELECT peer_id, address, told_at, proven_at FROM peer_addresses"
        " JOIN peers ON id = peer JOIN contacts USING (peer_id)"
    )
    db.execute(
        "INSERT OR IGNORE INTO peers (peer_id, draw, name_key, first_seen, touched_at, sources)"
        " SELECT peer_id, abs(random() % 4611686018427387904), petname_key, added_at, added_at, 'contact'"
        " FROM contacts"
    )
    db.execute(
        "UPDATE peers SET name_key = (SELECT petname_key FROM contacts c WHERE c.peer_id = peers.peer_id)"
    )
    db.execute(
        "INSERT OR IGNORE INTO peer_addresses (peer, address, signed, told_at, proven_at)"
        " SELECT id, address, 0, told_at, proven_at FROM contact_addresses JOIN peers USING (peer_id)"
    )
