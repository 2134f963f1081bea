"""The tables of contacts and invitations: each function is (part of) one transaction over `state.db`.

In:  a connection inside a transaction, and values. Out: values.
The caller commits and supplies the time. Schema: schema/0001_contacts.sql.

Refuses contacts and invitations beyond the bounds below, petnames that are taken, and invitations that are
unknown, expired or used up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import InputError, LimitReached
from warren.core.multiaddr import Multiaddr
from warren.core.peer_id import PeerId
from warren.protocols.invite.messages import Declined, Reason
from warren.runtime.migrations import numbered_scripts
from warren.services.contacts.model import Contact, Invite
from warren.services.contacts.petname import free_petname, petname_key

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

# Attack: an invitation with many uses, spread in public, fills the table and makes us dial all who came.
CONTACTS_MAX = 10_000
# Fault: a script that invites in a loop.
INVITES_MAX = 1000
# Attack: a contact that names new addresses all the time.
TOLD_MAX = 16
PROVEN_MAX = 16
# So long after its end an invitation is still known as expired or used up, for a helpful answer.
INVITE_KEPT_S = 30 * 86400.0
# A proof younger than this is not written again: each write waits for the disk.
PROOF_FRESH_S = 3600.0


def migrations() -> list[str]:
    """The scripts that bring `state.db` from version i to i + 1."""
    return numbered_scripts("warren.services.contacts")


def load_all(db: sqlite3.Connection) -> list[Contact]:
    """Every contact, in the order of their petnames."""
    rows = db.execute("SELECT peer_id FROM contacts ORDER BY petname_key").fetchall()
    found = (find(db, PeerId(peer)) for (peer,) in rows)
    return [contact for contact in found if contact is not None]


def find(db: sqlite3.Connection, peer: PeerId) -> Contact | None:
    """One contact."""
    row = db.execute(
        "SELECT petname, own_name, added_at FROM contacts WHERE peer_id = ?", (peer.to_bytes(),)
    ).fetchone()
    if row is None:
        return None
    addresses = db.execute(
        "SELECT address, proven_at FROM contact_addresses WHERE peer_id = ?"
        " ORDER BY proven_at DESC, told_at DESC, address",
        (peer.to_bytes(),),
    ).fetchall()
    petname, own_name, added_at = row
    return Contact(
        peer,
        petname,
        own_name,
        added_at,
        tuple(Multiaddr.from_bytes(raw) for raw, proven_at in addresses if proven_at is not None),
        tuple(Multiaddr.from_bytes(raw) for raw, proven_at in addresses if proven_at is None),
    )


def add(db: sqlite3.Connection, peer: PeerId, petname: str, own_name: str, now: float) -> bool:
    """Make `peer` a contact under `petname` or the next free one like it; False if it is one already."""
    if _is_contact(db, peer):
        return False
    (count,) = db.execute("SELECT count(*) FROM contacts").fetchone()
    if count >= CONTACTS_MAX:
        raise LimitReached(
            "contacts_max",
            f"there are {count} contacts, more are not kept",
            hint="warren peer rm removes one",
        )
    name = free_petname(petname, lambda key: _petname_taken(db, key))
    db.execute(
        "INSERT INTO contacts VALUES (?, ?, ?, ?, ?)",
        (peer.to_bytes(), name, petname_key(name), own_name, now),
    )
    return True


def rename(db: sqlite3.Connection, peer: PeerId, petname: str) -> None:
    """Give a contact a petname that no other has. Raises InputError."""
    key = petname_key(petname)
    taken = "SELECT 1 FROM contacts WHERE petname_key = ? AND peer_id <> ?"
    if db.execute(taken, (key, peer.to_bytes())).fetchone():
        raise InputError(f"another contact is called {petname!r}", hint="choose another petname")
    db.execute(
        "UPDATE contacts SET petname = ?, petname_key = ? WHERE peer_id = ?", (petname, key, peer.to_bytes())
    )


def remove(db: sqlite3.Connection, peer: PeerId) -> None:
    """Forget a contact."""
    db.execute("DELETE FROM contacts WHERE peer_id = ?", (peer.to_bytes(),))


def tell(db: sqlite3.Connection, peer: PeerId, addresses: Iterable[Multiaddr], now: float) -> bool:
    """Replace what a contact says of its addresses; proven ones stay. Returns whether anything changed.

    Nothing does for who is no contact any more.
    """
    if not _is_contact(db, peer):
        return False
    rows = db.execute(
        "SELECT address, told_at, proven_at FROM contact_addresses WHERE peer_id = ?", (peer.to_bytes(),)
    ).fetchall()
    before = {raw for raw, told_at, _ in rows if told_at is not None}
    named = list(dict.fromkeys(address.to_bytes() for address in addresses))[:TOLD_MAX]
    if before == set(named):
        return False
    key = peer.to_bytes()
    db.execute("UPDATE contact_addresses SET told_at = NULL WHERE peer_id = ?", (key,))
    db.executemany(
        "INSERT INTO contact_addresses VALUES (?, ?, ?, NULL)"
        " ON CONFLICT (peer_id, address) DO UPDATE SET told_at = excluded.told_at",
        [(key, raw, now) for raw in named],
    )
    db.execute(
        "DELETE FROM contact_addresses WHERE peer_id = ? AND told_at IS NULL AND proven_at IS NULL", (key,)
    )
    return True


def prove(db: sqlite3.Connection, peer: PeerId, address: Multiaddr, now: float) -> bool:
    """A handshake at `address` met the contact's key. Returns whether anything was written.

    The address now belongs to this contact alone: for any other it is no longer proven.
    """
    if not _is_contact(db, peer):
        return False
    raw = address.to_bytes()
    proven_at = db.execute(
        "SELECT proven_at FROM contact_addresses WHERE peer_id = ? AND address = ?", (peer.to_bytes(), raw)
    ).fetchone() or (None,)
    if proven_at[0] is not None and 0 <= now - proven_at[0] < PROOF_FRESH_S:
        return False
    db.execute(
        "UPDATE contact_addresses SET proven_at = NULL WHERE address = ? AND peer_id <> ?",
        (raw, peer.to_bytes()),
    )
    db.execute(
        "DELETE FROM contact_addresses WHERE address = ? AND told_at IS NULL AND proven_at IS NULL", (raw,)
    )
    db.execute(
        "INSERT INTO contact_addresses VALUES (?, ?, NULL, ?)"
        " ON CONFLICT (peer_id, address) DO UPDATE SET proven_at = excluded.proven_at",
        (peer.to_bytes(), raw, now),
    )
    _forget_old_proofs(db, peer)
    return True


def add_invite(db: sqlite3.Connection, invite: Invite) -> None:
    """Keep an invitation; those that ended long ago go. Raises LimitReached."""
    db.execute("DELETE FROM invites WHERE expires_at < ?", (invite.made_at - INVITE_KEPT_S,))
    count = len(open_invites(db, invite.made_at))
    if count >= INVITES_MAX:
        raise LimitReached("invites_max", f"{count} invitations are open", hint="wait until some expire")
    db.execute(
        "INSERT INTO invites VALUES (?, ?, ?, ?, ?)",
        (invite.token, invite.petname, invite.uses_left, invite.made_at, invite.expires_at),
    )


def open_invites(db: sqlite3.Connection, now: float) -> list[Invite]:
    """Invitations that may still be used, oldest first."""
    rows = db.execute(
        "SELECT token, petname, uses_left, made_at, expires_at FROM invites"
        " WHERE uses_left > 0 AND expires_at > ? ORDER BY made_at, token",
        (now,),
    )
    return [Invite(*row) for row in rows]


def end_invite(db: sqlite3.Connection, token: bytes) -> None:
    """Let nobody else use an invitation."""
    db.execute("UPDATE invites SET uses_left = 0 WHERE token = ?", (token,))


def use_invite(db: sqlite3.Connection, token: bytes, peer: PeerId, now: float) -> str | None:
    """Spend one use of an invitation on `peer`; return the petname that it sets. Raises Declined.

    A peer that used it before and still is a contact, or is one for another reason, costs nothing.
    """
    row = db.execute(
        "SELECT petname, uses_left, expires_at FROM invites WHERE token = ?", (token,)
    ).fetchone()
    if row is None:
        raise Declined(Reason.UNKNOWN)
    petname, uses_left, expires_at = row
    key = peer.to_bytes()
    is_contact = _is_contact(db, peer)
    used = db.execute("SELECT 1 FROM invite_uses WHERE token = ? AND peer_id = ?", (token, key)).fetchone()
    if used and is_contact:
        return str(petname) if petname else None
    if used:
        raise Declined(Reason.REMOVED)
    if now >= expires_at:
        raise Declined(Reason.EXPIRED)
    if uses_left == 0:
        raise Declined(Reason.USED_UP)
    if not is_contact:
        db.execute("UPDATE invites SET uses_left = uses_left - 1 WHERE token = ?", (token,))
        db.execute("INSERT INTO invite_uses VALUES (?, ?, ?)", (token, key, now))
    return str(petname) if petname else None


def _is_contact(db: sqlite3.Connection, peer: PeerId) -> bool:
    found = db.execute("SELECT 1 FROM contacts WHERE peer_id = ?", (peer.to_bytes(),)).fetchone()
    return found is not None


def _petname_taken(db: sqlite3.Connection, key: str) -> bool:
    return db.execute("SELECT 1 FROM contacts WHERE petname_key = ?", (key,)).fetchone() is not None


def _forget_old_proofs(db: sqlite3.Connection, peer: PeerId) -> None:
    db.execute(
        "DELETE FROM contact_addresses WHERE peer_id = ? AND proven_at IS NOT NULL AND address NOT IN"
        " (SELECT address FROM contact_addresses WHERE peer_id = ? AND proven_at IS NOT NULL"
        "  ORDER BY proven_at DESC LIMIT ?)",
        (peer.to_bytes(), peer.to_bytes(), PROVEN_MAX),
    )
