from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from warren.core.cid import Cid
from warren.services.files import index
from warren.services.files.dag.build import build_folder
from warren.services.files.dag.pb import Link
from warren.services.files.index import EntryRow
from warren.services.files.types import Audience, Share, Skipped

LEAF = bytes(32)
"""A digest; nothing here reads what it stands for."""


@pytest.fixture
def db() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for script in index.MIGRATIONS:
        connection.executescript(script)
    return connection


def file(name: str, digest: bytes = LEAF, **changes: object) -> EntryRow:
    row = EntryRow("", name, "file", 5, 1, b"\1\x55\x12\x20" + digest, 5, trusted=True, leaves=[(digest, 5)])
    return row._replace(**changes)  # type: ignore[arg-type]


def folder(name: str, names: list[str]) -> EntryRow:
    root, blocks = build_folder([Link(b"\1\x55\x12\x20" + LEAF, one, 5) for one in names])
    return EntryRow("", name, "dir", 5, 1, root.cid, root.size, trusted=True, blocks=blocks)


@pytest.mark.parametrize("function", ["find_chunks", "read_nodes", "find_root", "find_raw_root"])
def test_looking_something_up_begins_with_its_digest(db: sqlite3.Connection, function: str) -> None:
    """However large the share: any other order reads all of it for each chunk or node."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    if function == "find_chunks":
        index.find_chunks(db, {1, 2}, [LEAF])
    elif function.endswith("root"):
        prefix = b"\1\x55\x12\x20" if function == "find_raw_root" else b"\1\x70\x12\x20"
        index.find_root(db, {1, 2}, prefix + LEAF)
    else:
        index.read_nodes(db, {1, 2}, [b"\1\x70\x12\x20" + LEAF], 1)
    db.set_trace_callback(None)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]
    assert "PRIMARY KEY (digest=? AND share=?" in plan[0]
    assert [step for step in plan if step.startswith("SCAN")] == []


def test_only_what_is_visible_is_found(db: sqlite3.Connection) -> None:
    mine, theirs = index.begin(db, "/mine"), index.begin(db, "/theirs")
    other = b"\1" * 32
    index.add(db, mine, [file("a"), folder("sub", ["x"])])
    index.add(db, theirs, [file("b", other), folder("sub", ["y"])])
    (place,), hidden = index.find_chunks(db, {mine}, [LEAF, other])
    assert (place.top, place.folder, place.name, place.start, place.length) == ("/mine", "", "a", 0, 5)
    assert hidden == ()
    node = folder("sub", ["y"])
    assert index.read_nodes(db, {mine}, [node.cid], 1) == [None]
    assert index.read_nodes(db, {theirs}, [node.cid], 1) == [node.blocks[0].data]
    assert index.find_chunks(db, set(), [LEAF]) == [()]


def test_the_shares_that_hold_all_of_a_root_are_found(db: sqlite3.Connection) -> None:
    one, two = index.begin(db, "/one"), index.begin(db, "/two")
    index.add(db, one, [file("a"), file("again"), folder("sub", ["x"])])
    index.add(db, two, [file("b"), folder("sub", ["y"])])
    raw = b"\1\x55\x12\x20" + LEAF
    assert sorted(index.find_root(db, {one, two}, raw)) == [one, two]
    assert index.find_root(db, {two}, raw) == [two]
    assert index.find_root(db, {one, two}, folder("sub", ["x"]).cid) == [one]
    assert index.find_root(db, {two}, folder("sub", ["x"]).cid) == []
    assert index.find_root(db, set(), raw) == []


def test_a_chunk_is_read_where_it_can_be_trusted(db: sqlite3.Connection) -> None:
    share = index.begin(db, "/top")
    index.add(db, share, [file("doubtful", trusted=False), file("sure"), file("other")])

    def found() -> list[tuple[str, bool]]:
        (places,) = index.find_chunks(db, {share}, [LEAF])
        return [(place.name, place.broken) for place in places]

    assert found() == [("sure", False), ("other", False), ("doubtful", False)]
    ((sure, *_),) = index.find_chunks(db, {share}, [LEAF])
    index.mark(db, changed=[], broken=[sure.entry], sound=[])
    assert found() == [("other", False), ("doubtful", False), ("sure", True)]
    assert set(index.known_files(db, share, "")) == {"other"}
    index.mark(db, changed=[], broken=[], sound=[sure.entry])
    assert set(index.known_files(db, share, "")) == {"other", "sure"}
    index.mark(db, changed=[sure.entry], broken=[], sound=[])
    assert found() == [("other", False), ("doubtful", False), ("sure", False)]
    assert set(index.known_files(db, share, "")) == {"other"}


def test_of_many_equal_files_those_that_are_there_are_found(db: sqlite3.Connection) -> None:
    share = index.begin(db, "/top")
    index.add(db, share, [file(f"{number:03}") for number in range(100)])
    tried = []
    for _ in range(4):
        (places,) = index.find_chunks(db, {share}, [LEAF])
        tried += [place.name for place in places]
        index.mark(db, changed=[], broken=[place.entry for place in places], sound=[])
    assert tried == [f"{number:03}" for number in range(4 * index.PLACES_MAX)]


def test_equal_chunks_are_kept_and_looked_up_once(db: sqlite3.Connection) -> None:
    """Four gibibytes of zeros are one chunk; a request may name it 1,024 times."""
    share = index.begin(db, "/top")
    index.add(db, share, [file("zeros", leaves=[(LEAF, 5)] * 4096)])
    assert db.execute("SELECT digest, entry, start FROM leaf").fetchall() == [(LEAF, 1, 0)]
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    places = index.find_chunks(db, {share}, [LEAF] * 1024)
    db.set_trace_callback(None)
    assert len(asked) == 1
    assert len(places) == 1024
    assert set(places) == {places[0]}


def test_nodes_come_depth_first_until_there_are_enough(db: sqlite3.Connection) -> None:
    share = index.begin(db, "/top")
    inner = [folder(f"f{number}", [f"x{number}"]) for number in range(3)]
    top, blocks = build_folder([Link(row.cid, row.name, row.total) for row in inner])
    index.add(db, share, [*inner, folder("", [])._replace(cid=top.cid, blocks=blocks)])
    pending = [top.cid]
    first = index.read_nodes(db, {share}, pending, 1)
    assert first == [blocks[-1].data]
    assert pending == [row.cid for row in reversed(inner)]
    rest = index.read_nodes(db, {share}, pending, 1 << 20)
    assert rest == [row.blocks[0].data for row in inner]
    assert pending == []


def test_what_is_known_can_be_copied_to_the_next_version(db: sqlite3.Connection) -> None:
    old, new = index.begin(db, "/top"), index.begin(db, "/top")
    index.add(db, old, [file("a")])
    known = index.known_files(db, old, "")["a"]
    assert (known.size, known.mtime_ns) == (5, 1)
    index.add(db, new, [file("a", leaves=(), copied_from=known.id)])
    ((place,),) = index.find_chunks(db, {new}, [LEAF])
    assert place.name == "a"


def shared(path: str, cid: bytes = b"\1\x55\x12\x20" + LEAF, **changes: object) -> Share:
    share = Share(path, Path(path), Cid.from_bytes(cid), Audience(), "dir", files=1, bytes=5)
    return replace(share, **changes)  # type: ignore[arg-type]


def test_the_start_brings_decisions_and_index_together(db: sqlite3.Connection) -> None:
    numbers = {}
    for name in ("old", "new", "unwanted", "unfinished"):
        path = {"old": "/a", "new": "/a"}.get(name, f"/{name}")
        numbers[name] = index.begin(db, path)
        if name != "unfinished":
            index.finish(db, numbers[name], shared(path, files=len(numbers), skipped=(Skipped("x", "y"),)))
    public = Audience("public")
    wanted = [shared(path, audience=public, ready=False) for path in ("/a", "/unfinished", "/missing")]
    found = index.reconcile(db, wanted)
    assert found == {numbers["new"]: shared("/a", audience=public, files=2, skipped=(Skipped("x", "y"),))}
    while not index.sweep_some(db):
        pass
    assert db.execute("SELECT id FROM share").fetchall() == [(numbers["new"],)]
    assert index.begin(db, "/later") > max(numbers.values())


def test_what_is_hidden_is_swept_out(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SWEEP_ROWS", 2)
    share, building = index.begin(db, "/old"), index.begin(db, "/new")
    index.add(db, share, [file(f"{number}", bytes([number]) * 32) for number in range(5)])
    index.add(db, building, [file("kept", b"\xff" * 32)])
    index.hide(db, [share])
    steps = 0
    while not index.sweep_some(db):
        steps += 1
    assert steps == 3
    assert [row[0] for row in db.execute("SELECT name FROM entry")] == ["kept"]
    assert db.execute("SELECT count(*) FROM leaf").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM share").fetchone() == (1,)
