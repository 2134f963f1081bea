"""An index that is changed in place holds what one made from scratch would."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warren.services.files import index, revising
from warren.services.files.comparing import page
from warren.services.files.dag.build import build_folder
from warren.services.files.dag.pb import RAW_CID_PREFIX, Link
from warren.services.files.hashing import Scanned
from warren.services.files.index import EntryRow
from warren.services.files.revising import new_folder, place_of
from warren.services.files.types import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree = dict[str, bytes]
"""Files by path; folders are where files are."""


def file_row(path: str, data: bytes, inode: int = 0) -> EntryRow:
    digest = data.ljust(32, b".")
    return EntryRow(
        *place_of(path), "file", len(data), 7, RAW_CID_PREFIX + digest, len(data),
        trusted=True, leaves=[(digest, len(data))], inode=inode,
    )  # fmt: skip


def folders_of(tree: Tree) -> set[str]:
    return {path[:at] for path in tree for at, char in enumerate(path) if char == "/"}


def expected(tree: Tree, top: str = "") -> tuple[Link, int, dict[str, bytes]]:
    """The root of a folder, the bytes in it, and the content ids of all folders below it by path."""
    prefix = f"{top}/" if top else ""
    links: list[Link] = []
    found: dict[str, bytes] = {}
    size = 0
    for name in sorted({path[len(prefix) :].split("/")[0] for path in tree if path.startswith(prefix)}):
        path = prefix + name
        if path in tree:
            row = file_row(path, tree[path])
            links.append(Link(row.cid, name, row.total))
            size += row.size
        else:
            root, below, more = expected(tree, path)
            links.append(root._replace(name=name))
            size += below
            found |= more
    root, _ = build_folder(links)
    return root, size, found | {top: root.cid}


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(made()) as db:
        yield db


def made() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    for script in index.MIGRATIONS:
        db.executescript(script)
    number = index.begin(db, "/top")
    index.add(db, number, [new_folder("", "")])
    db.execute("UPDATE share SET files = 0, bytes = 0 WHERE id = ?", (number,))
    return db


def rebuild(db: sqlite3.Connection) -> revising.Totals:
    stale = revising.find_stale(db, 1)
    while stale:
        built = revising.rebuild(db, 1, stale)
        if built.large is not None:
            place, links, size = built.large
            revising.keep_folder(db, 1, place, *build_folder(links), size)
    return revising.finish(db, 1, [Skipped("x", "y")], 1)


def turn(db: sqlite3.Connection, old: Tree, new: Tree) -> None:
    """What an update does: folders and files that are new, then what is gone."""
    for path in sorted(folders_of(old) - folders_of(new) | set(old) - set(new), reverse=True):
        if path in new or path in folders_of(new) or (path in old and path in folders_of(old)):
            continue
        while path in folders_of(old) and not revising.prune(db, 1, path):
            pass
        revising.revise(db, 1, (), [place_of(path)])
    rows = [new_folder(*place_of(path)) for path in sorted(folders_of(new) - folders_of(old))]
    rows += [file_row(path, data) for path, data in new.items() if old.get(path) != data]
    revising.revise(db, 1, rows, ())


names = st.sampled_from(["a", "b", "c"])
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map("/".join), st.binary(max_size=5), max_size=8
).map(lambda tree: {path: data for path, data in tree.items() if path not in folders_of(tree)})


@given(st.lists(trees, min_size=1, max_size=4))
@settings(deadline=None)
def test_step_by_step_it_is_the_same_as_from_scratch(steps: list[Tree]) -> None:
    with closing(made()) as db:
        old: Tree = {}
        for new in steps:
            # a name may turn from a file into a folder: then what was there goes first
            kept = {p: d for p, d in old.items() if p not in folders_of(new)}
            kept = {p: d for p, d in kept.items() if not folders_of({p: d}) & set(new)}
            turn(db, old, kept)
            turn(db, kept, new)
            totals = rebuild(db)
            root, size, folders = expected(new)
            assert totals == (root.cid, len(new), size)
            held = {line.folder + "/" * bool(line.folder) + line.name: line for line in page(db, 1, None, 99)}
            assert {path: line.cid for path, line in held.items() if line.kind == "dir"} == folders
            assert {path for path, line in held.items() if line.kind == "file"} == set(new)
            leaves = db.execute("SELECT digest FROM leaf").fetchall()
            assert sorted(leaves) == sorted((data.ljust(32, b"."),) for data in new.values())
            assert {entry for (entry,) in db.execute("SELECT entry FROM node")} <= {
                entry for (entry,) in db.execute("SELECT id FROM entry")
            }
            assert revising.find_stale(db, 1) == []
            old = new


def test_a_file_that_was_moved_keeps_its_chunks_while_another_takes_its_name(db: sqlite3.Connection) -> None:
    revising.revise(db, 1, [file_row("a", b"old", inode=5)], ())
    (row,) = revising.take_moved(db, 1, [Scanned("b", "b", 3, 7, 5)])
    assert row is not None
    assert (row.name, row.cid) == ("b", file_row("a", b"old").cid)
    revising.revise(db, 1, [file_row("a", b"new", inode=6)], ())
    assert len(db.execute("SELECT * FROM leaf").fetchall()) == 2
    assert rebuild(db).files == 2
    for other in (Scanned("c", "c", 3, 7, 9), Scanned("c", "c", 4, 7, 5), Scanned("c", "c", 3, 8, 5)):
        assert revising.take_moved(db, 1, [other]) == [None]
    assert revising.take_moved(db, 1, [Scanned("c", "c", 3, 7, 0)]) == [None]
    index.mark(db, changed=[revising.known_entries(db, 1, "")["b"].id], broken=(), sound=())
    assert revising.take_moved(db, 1, [Scanned("c", "c", 3, 7, 5)]) == [None]


def test_a_large_folder_goes_and_is_built_in_steps(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "SWEEP_ROWS", 10)
    monkeypatch.setattr(revising, "REBUILT_LINKS_MAX", 20)
    tree = {f"big/{number}": b"x" for number in range(25)} | {f"big/sub/{n}": b"y" for n in range(15)}
    turn(db, {}, tree)
    totals = rebuild(db)
    assert totals.cid == expected(tree)[0].cid
    assert not revising.prune(db, 1, "big")
    assert (rebuild(db).files, len(revising.known_entries(db, 1, ""))) == (30, 1)
    turn(db, {"big/x": b""}, {})
    assert rebuild(db) == (expected({})[0].cid, 0, 0)
