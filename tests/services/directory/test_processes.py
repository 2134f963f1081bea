"""Two super-peers, four weak peers, one with whom something is shared and one stranger: eight processes with
real folders that share, search, change, move, delete, are killed and return.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.directory.processes import Scene, all_ready, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.directory.processes import Peer

MAPS = {"old map.pdf": b"here be dragons", "charts/harbour chart.txt": os.urandom(1_500_000)}
NOTES = {"first note.txt": b"one", "second note.txt": b"two", "third note.txt": b"three"}


class Village(Scene):
    """sam and sue are super-peers; anna, ben, cleo and dora share; ida is a contact of anna's; eve is a
    stranger who knows nobody but sue. ben registers with one super-peer, and at first sam is the only one.
    """

    def begin(self) -> None:
        self.sam, self.sue = self.peer("sam", "super"), self.peer("sue", "super")
        self.ben = self.peer("ben", "weak", directory_super_peers="1")
        names = ("anna", "cleo", "dora", "ida", "eve")
        self.anna, self.cleo, self.dora, self.ida, self.eve = (self.peer(one, "weak") for one in names)
        self.sam.begin()
        self.ben.begin(self.sam.address)
        self.songs = self.folder_of("Songs", {"sea song.txt": b"heave ho"})
        self.ben.share(self.songs)
        eventually(lambda: self.sam.finds("sea song", ttl=0))
        self.sue.begin(self.sam.address)
        rest = (self.anna, self.cleo, self.dora, self.ida)
        for one in rest:
            one.begin_soon(self.sam.address, self.sue.address)
        self.eve.begin_soon(self.sue.address)
        all_ready([*rest, self.eve])

    @property
    def all(self) -> list[Peer]:
        return [self.sam, self.sue, self.anna, self.ben, self.cleo, self.dora, self.ida, self.eve]


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as made:
        made.begin()
        yield made


def test_eight_processes(village: Village) -> None:
    maps = village.folder_of("Maps", MAPS)
    notes = village.folder_of("Notes", NOTES)
    is_shared_and_found(village, maps, notes)
    is_for_members_of_a_group_alone(village)
    changes_are_seen(village, maps)
    who_is_killed_is_grey_and_returns(village, notes)
    what_is_done_offline_is_applied_once(village, notes)
    a_super_peer_is_killed_and_returns(village)
    nobody_else_sees_it(village)
    assert len({one.pid for one in village.all}) == 8


def comes_to_find(asker: Peer, words: str, name: str, **filters: Any) -> None:
    """Somebody who holds it is there, sooner or later."""
    eventually(lambda: asker.finds(words, **filters).get(name))


def is_shared_and_found(village: Village, maps: Path, notes: Path) -> None:
    anna, cleo, dora, eve = village.anna, village.cleo, village.dora, village.eve
    anna.share(maps)
    dora.share(notes)
    paper = village.folder / "on orchids.txt"
    paper.write_bytes(b"of orchids")
    words = ("--title", "A Field Guide", "--author", "J. D. Hooker", "--domain", "botany", "--tag", "alpine")
    cleo.ok("share", paper, "--to", "public", *words)
    for typed, name in ("old map", "old map.pdf"), ("harb ch", "harbour chart.txt"), ("no", "first note.txt"):
        comes_to_find(eve, typed, name)
    for filters in {"words": "field alp"}, {"words": "", "author": "hook"}, {"words": "", "domain": "botany"}:
        comes_to_find(eve, filters.pop("words"), "on orchids.txt", **filters)
    # ben's is known to sam alone, and eve asks sue
    eventually(lambda: eve.finds("sea song") == {"sea song.txt": True})
    (hit,) = eve.search("old map", suffixes=["pdf"])
    (holder,) = hit["holders"]
    assert (hit["kind"], holder["peer_id"], holder["paths"]) == ("file", anna.peer_id, ["Maps/old map.pdf"])
    printed = eve.ok("search", "harbour", "chart")
    assert "harbour chart.txt" in printed
    assert "offline" not in printed
    (line,) = printed.splitlines()
    got = eve.ok("get", line.split()[0]).strip()
    assert got == str(eve.downloads / "harbour chart.txt")
    assert (eve.downloads / "harbour chart.txt").read_bytes() == MAPS["charts/harbour chart.txt"]


def is_for_members_of_a_group_alone(village: Village) -> None:
    anna, ida, eve = village.anna, village.ida, village.eve
    ida.ok("join", anna.ok("invite").strip())
    anna.ok("group", "add", "friends", "ida")
    secret = village.folder_of("Secret", {"zanzibar plan.txt": b"for friends"})
    anna.ok("share", secret, "--to", "group:friends")
    eventually(lambda: ida.finds("zanzibar") == {"zanzibar plan.txt": True})
    assert {one["name"] for one in ida.json("ls", "anna")["items"]} == {"Maps", "Secret"}
    assert ida.ok("get", "anna/Secret/zanzibar plan.txt", "-o", "-") == "for friends"
    assert [one["name"] for one in eve.json("ls", anna.peer_id)["items"]] == ["Maps"]
    assert eve.warren("get", f"{anna.peer_id}/Secret/zanzibar plan.txt", "-o", "-").returncode == 4
    nobody_else_sees_it(village)


def nobody_else_sees_it(village: Village) -> None:
    for one in (village.sam, village.sue, village.ben, village.eve):
        assert one.finds("zanzibar") == {}
    for one in (village.sam, village.sue):  # nor did it come to where others could find it
        assert not any(b"zanzibar" in path.read_bytes() for path in one.home.glob("directory.db*"))
    assert any(b"zanzibar" in path.read_bytes() for path in village.anna.home.glob("directory.db*"))


def changes_are_seen(village: Village, maps: Path) -> None:
    eve, ben = village.eve, village.ben

    def cids(words: str) -> set[str]:
        return {hit["cid"] for hit in eve.search(words, suffixes=["pdf"])}

    (before,) = cids("map")
    (maps / "old map.pdf").write_bytes(b"here be none")
    eventually(lambda: cids("map") not in ({before}, set()))
    (changed,) = cids("map")
    assert before != changed
    (maps / "old map.pdf").rename(maps / "charts" / "new atlas.pdf")
    eventually(lambda: cids("atlas") == {changed} and not cids("old map"))
    (maps / "charts" / "new atlas.pdf").unlink()
    eventually(lambda: not cids("atlas"))
    assert eve.finds("harbour") == {"harbour chart.txt": True}
    ben.ok("unshare", "Songs")
    eventually(lambda: eve.finds("sea song") == {})
    ben.share(village.songs)
    eventually(lambda: eve.finds("sea song") == {"sea song.txt": True})


def who_is_killed_is_grey_and_returns(village: Village, notes: Path) -> None:
    dora, eve = village.dora, village.eve
    dora.kill()
    eventually(lambda: set(eve.finds("note").values()) == {False})
    assert eve.ok("search", "note", "--type", "txt").count("[offline: ") == len(NOTES)
    assert eve.finds("note", online=True) == {}
    assert eve.warren("search", "note", "--online").returncode == 4
    (notes / "first note.txt").write_bytes(b"one, and more")
    (notes / "second note.txt").unlink()
    (notes / "third note.txt").rename(notes / "fourth note.txt")
    dora.begin(village.sue.address)
    there = dict.fromkeys(("first note.txt", "fourth note.txt"), True)
    eventually(lambda: eve.finds("note", suffixes=["txt"]) == there)
    (first,) = eve.search("first note")
    assert first["size"] == len(b"one, and more")


def what_is_done_offline_is_applied_once(village: Village, notes: Path) -> None:
    """dora is alone: published, edited, moved, deleted, published again; killed amid of it, and twice."""
    dora, eve = village.dora, village.eve
    dora.kill()
    dora.environment["WARREN_DISCOVERY_CONNECTIONS"] = "0"
    listen, dora.listen = dora.listen, ("--listen", "/ip4/127.0.0.1/tcp/0")
    dora.begin()
    late = village.folder_of("Late", {"late one.txt": b"1", "late two.txt": b"2"})
    dora.share(late)
    dora.ok("unshare", "Notes")
    dora.ok("resource", "edit", "Late/late one.txt", "--title", "An Unfinished Title")
    (late / "late two.txt").rename(late / "late three.txt")
    eventually(lambda: set(dora.finds("late", suffixes=["txt"])) == {"late one.txt", "late three.txt"})
    dora.kill()
    assert eve.finds("late") == {}
    dora.begin()
    dora.ok("resource", "edit", "Late/late one.txt", "--title", "A Finished Title")
    dora.ok("unshare", "Late")
    dora.share(late)
    dora.ok("share", notes, "--to", "public", "--name", "Papers")
    (notes / "fourth note.txt").unlink()
    eventually(lambda: not dora.finds("fourth"))
    assert dora.connected == 0
    dora.kill()
    del dora.environment["WARREN_DISCOVERY_CONNECTIONS"]
    dora.listen = listen
    dora.begin(village.sam.address)
    eventually(lambda: eve.finds("late", suffixes=["txt"]) == {"late one.txt": True, "late three.txt": True})
    eventually(lambda: eve.finds("note", suffixes=["txt"]) == {"first note.txt": True})
    eventually(lambda: eve.finds("finished") == {"late one.txt": True})
    assert eve.finds("unfinished") == {}
    for words, path in ("late one", "Late/late one.txt"), ("first note", "Papers/first note.txt"):
        (hit,) = eve.search(words)
        assert [(one["peer_id"], one["paths"]) for one in hit["holders"]] == [(dora.peer_id, [path])]


def a_super_peer_is_killed_and_returns(village: Village) -> None:
    sam, sue, eve = village.sam, village.sue, village.eve
    everything = {"sea song": "sea song.txt", "harbour": "harbour chart.txt", "orchids": "on orchids.txt"}
    sam.kill()
    for words, name in everything.items():
        comes_to_find(sue, words, name, ttl=0, online=True)
        comes_to_find(eve, words, name, online=True)
    sam.begin(sue.address)
    for words, name in everything.items():
        comes_to_find(sam, words, name, online=True)
    # Those who keep two super-peers are with it again.
    comes_to_find(sam, "harbour", "harbour chart.txt", ttl=0, online=True)
    comes_to_find(village.anna, "sea song", "sea song.txt")
