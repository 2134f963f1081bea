from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from warren.core.cid import Cid
from warren.core.errors import InputError
from warren.core.keys import PrivateKey
from warren.runtime.migrations import numbered_scripts
from warren.services.files import shares
from warren.services.files.types import Audience, Share

PEER = PrivateKey.from_seed(b"\1" * 32).peer_id
CID = Cid.raw_sha256(bytes(32))


@pytest.fixture
def db() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for script in numbered_scripts("warren.services.files"):
        connection.executescript(script)
    return connection


def test_one_audience_covers_another_where_whoever_is_in_that_is_in_it() -> None:
    ids = [PrivateKey.from_seed(bytes([number]) * 32).peer_id for number in (1, 2)]
    both = f"peer:{ids[0]},{ids[1]}"
    texts = ["public", "contacts", "group:family", "group:work", f"peer:{ids[0]}", both]
    texts += [f"origin:{ids[0]}", f"origin:{ids[1]}"]
    covered = {
        "public": set(texts),
        "contacts": {"contacts", "group:family", "group:work"},
        "group:family": {"group:family"},
        "group:work": {"group:work"},
        f"peer:{ids[0]}": {f"peer:{ids[0]}"},
        f"origin:{ids[0]}": {f"origin:{ids[0]}"},
        f"origin:{ids[1]}": {f"origin:{ids[1]}"},
        both: {both, f"peer:{ids[0]}", f"peer:{ids[1]},{ids[0]}"},
    }
    for text in texts:
        one = Audience.parse(text)
        for other in [*texts, f"peer:{ids[1]},{ids[0]}"]:
            assert one.covers(Audience.parse(other)) == (other in covered[text] or text == "public")


def test_what_is_for_those_of_an_origin_admits_nobody_by_itself() -> None:
    one = Audience.parse(f" origin:{PEER} ")
    assert (one, one.origin, str(one)) == (Audience("origin", (PEER,)), PEER, f"origin:{PEER}")
    assert not one.admits(PEER, is_contact=True, groups=["family"])
    assert Audience("peers", (PEER,)).origin is None
    assert Audience().origin is None


@pytest.mark.parametrize("text", ["origin", "origin:", "origin: ", "origin:a,b"])
def test_an_origin_is_one_peer(text: str) -> None:
    with pytest.raises(InputError):
        Audience.parse(text)
    with pytest.raises(InputError, match="one peer"):
        Audience("origin", (PEER, PrivateKey.from_seed(bytes([9]) * 32).peer_id))
    with pytest.raises(InputError):
        Audience("origin")


def share(path: str, name: str, audience: Audience = Audience()) -> Share:  # noqa: B008 (frozen)
    return Share(name, Path(path), CID, audience, "dir", files=3, bytes=1 << 40, ready=False)


def test_shares_come_back_as_they_were(db: sqlite3.Connection) -> None:
    odd = os.fsdecode(b"/caf\xe9")
    kept = [
        share("/a", "a"),
        share(odd, "b", Audience("public")),
        share("/c", "c", Audience("peers", (PEER,))),
        share("/e", "e", Audience("group", group="family")),
        share("/f", "f", Audience("origin", (PEER,))),
    ]
    for one in reversed(kept):
        shares.keep(db, one)
    assert shares.load(db) == kept
    changed = replace(kept[0], audience=Audience("public"), name="d", files=4)
    shares.keep(db, changed)
    assert shares.load(db) == [*kept[1:3], changed, *kept[3:]]
    shares.drop(db, Path(odd))
    shares.drop(db, Path("/nothing"))
    assert shares.load(db) == [kept[2], changed, *kept[3:]]


def test_two_shares_have_no_name_in_common(db: sqlite3.Connection) -> None:
    shares.keep(db, share("/a", "a"))
    with pytest.raises(sqlite3.IntegrityError):
        shares.keep(db, share("/b", "a"))
    assert [one.path for one in shares.load(db)] == [Path("/a")]
