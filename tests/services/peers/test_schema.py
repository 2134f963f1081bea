"""What becomes of a table that an older version wrote."""

from __future__ import annotations

import sqlite3

import pytest

from tests.services.peers.support import ANNA, SCRIPTS, key_of, record
from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach, reach_of
from warren.services.peers import reading

HOSTS = [
    *("127.0.0.1", "::1", "169.254.0.9", "fe80::9", "10.0.0.9", "172.16.0.9", "172.31.255.9", "192.168.0.9"),
    *("100.64.0.9", "100.127.0.9", "fd00::9", "0.0.0.0", "::", "224.0.0.9", "255.255.255.255", "ff02::9"),
    *("60.0.0.9", "172.15.0.9", "172.32.0.9", "100.63.0.9", "100.128.0.9", "192.167.0.9", "11.0.0.9"),
    *("169.253.0.9", "128.0.0.1", "223.0.0.9", "2a00::9", "3fff::9", "4000::9", "example.org"),
]


def before() -> sqlite3.Connection:
    """A table as it was before it had any idea of who is believed about what."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("PRAGMA foreign_keys = ON")
    for script in SCRIPTS[:4]:
        db.executescript(script)
    return db


def put(db: sqlite3.Connection, *addresses: Multiaddr, proven: bool = False, facts: str = "") -> None:
    db.execute(
        "INSERT INTO peers (id, peer_id, draw, first_seen, touched_at) VALUES (1, ?, 0, 0, 0)",
        (ANNA.to_bytes(),),
    )
    if facts:
        db.execute(f"UPDATE peers SET {facts}")  # noqa: S608
    for address in addresses:
        db.execute(
            "INSERT INTO peer_addresses VALUES (1, ?, 1, 1.0, ?)",
            (address.to_bytes(), 2.0 if proven else None),
        )


@pytest.mark.parametrize("host", HOSTS)
def test_of_what_nobody_knows_who_told_it_that_stays_which_all_may_tell(host: str) -> None:
    address = Multiaddr.tcp(host, 4101)
    db = before()
    put(db, address)
    db.executescript(SCRIPTS[4])
    assert bool(reading.get(db, [ANNA])[0].addresses) == (reach_of(address) is Reach.PUBLIC)


@pytest.mark.parametrize(("proven", "facts"), [(True, ""), (False, "name_key = 'anna'"), (False, "kept = 1")])
def test_what_the_user_gave_and_where_a_peer_was_met_stays(proven: bool, facts: str) -> None:
    addresses = [Multiaddr.tcp(host, 4101) for host in HOSTS]
    db = before()
    put(db, *addresses, proven=proven, facts=facts)
    db.executescript(SCRIPTS[4])
    one = reading.get(db, [ANNA])[0]
    assert set(one.first_hand) == set(one.addresses) == set(addresses)


def test_records_count_as_told_from_far() -> None:
    db = before()
    put(db)
    db.execute("INSERT INTO peer_records VALUES (1, ?, ?)", (bytes(8), record(key_of(ANNA), 0)))
    db.executescript(SCRIPTS[4])
    assert db.execute("SELECT told_from FROM peer_records").fetchall() == [(Reach.PUBLIC,)]
