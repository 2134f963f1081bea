"""The resources service: what is said stays with its content, wins over what files say, and is signed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from tests.services.resources.bench import ANNA, BEN, ME, Thing, bench, cid_of
from tests.support import run
from warren.core.entry import Metadata
from warren.core.errors import (
    ContentUnknown,
    InputError,
    LimitReached,
    NotFound,
    ProtocolViolation,
    StorageError,
)
from warren.core.resource import Resource
from warren.runtime.migrations import numbered_scripts
from warren.services.resources import resources, store
from warren.services.resources.resources import Described, ResourceChanged
from warren.services.resources.said import Said
from warren.services.resources.scopes import covers_plainly, said_of, said_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services.resources.bench import Bench
    from warren.core.cid import Cid
    from warren.core.keys import PrivateKey


async def titles(one: Bench) -> dict[str, str]:
    """Where it is shared -> title, of all that is described."""
    return {path: each.metadata.title for each in await one.resources.all() for path in each.paths or ("",)}


# --- saying -----------------------------------------------------------------------------------------------


def test_what_is_said_is_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            cid = one.shelf.put("papers/a.txt", b"a")
            said = await one.resources.edit("papers/a.txt", title="A", tags=["x", "y"], authors=("Anna",))
            whole = Metadata("A", authors=("Anna",), tags=("x", "y"))
            by_hand = ("title", "authors", "tags")
            assert said == Described(cid, whole, by_hand, said.seq, ("papers/a.txt",))
            more = await one.resources.edit("papers/a.txt", title="B", licence="MIT", authors=[])
            assert more.metadata == Metadata("B", tags=("x", "y"), licence="MIT")
            assert more.seq > said.seq
        async with bench(tmp_path, shelf=one.shelf) as again:
            assert await again.resources.all() == [more]
            assert await again.resources.show("papers/a.txt") == more

    run(main())


def test_it_is_signed_and_numbered(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            cid = one.shelf.put("papers/a.txt", b"a")
            assert await one.resources.sealed(cid) is None
            said = await one.resources.edit("papers/a.txt", title="A")
            sealed = await one.resources.sealed(cid)
            assert sealed is not None
            assert Resource.open(sealed) == Resource(ME.peer_id, cid, said.seq, Metadata("A"))
            again = await one.resources.edit("papers/a.txt", title="A")
            assert again.seq == said.seq  # nothing new was said
            cleared = await one.resources.clear("papers/a.txt")
            sealed = await one.resources.sealed(cid)
            assert sealed is not None
            assert Resource.open(sealed) == Resource(ME.peer_id, cid, cleared.seq)
            assert cleared.seq > said.seq

    run(main())


def test_a_thing_is_named_in_three_ways(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            cid = one.shelf.put("papers/sub/a.txt", b"a")
            one.shelf.put("note", b"n")
            one.shelf.tree["note.txt"] = {"": b"single"}
            (tmp_path / "shared" / "note.txt").write_bytes(b"single")
            on_disk = tmp_path / "shared" / "papers" / "sub" / "a.txt"
            (tmp_path / "link").symlink_to(on_disk)
            await one.resources.edit(cid, title="A")
            for ref in (cid, str(cid), on_disk, str(on_disk), "papers/sub/a.txt", str(tmp_path / "link")):
                found = await one.resources.show(ref)
                assert (found.cid, found.metadata.title, found.paths) == (cid, "A", ("papers/sub/a.txt",))
            for ref in ("papers", str(tmp_path / "shared" / "papers"), "papers/sub"):
                assert not (await one.resources.show(ref)).metadata
            single = await one.resources.edit(str(tmp_path / "shared" / "note.txt"), title="Single")
            assert single.paths == ("note.txt",)
            for ref, error in (
                ("other/a.txt", ContentUnknown),
                ("papers/none", ContentUnknown),
                (str(tmp_path / "none"), NotFound),
                (str(tmp_path / "state.db"), ContentUnknown),
                ("/a\0b", NotFound),
                (cid_of(b"nowhere"), ContentUnknown),
            ):
                for ask in (one.resources.show, one.resources.clear, one.resources.edit):
                    with pytest.raises(error):
                        await ask(ref)

    run(main())


def test_what_is_too_much_is_refused_and_nothing_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.put("papers/a.txt", b"a")
            names = [f"{n:0120}" for n in range(32)]
            for said in ({"title": "x" * 301}, {"abstract": "題" * 4000, "authors": names, "tags": names}):
                with pytest.raises(InputError):
                    await one.resources.edit("papers/a.txt", **said)
            assert await one.resources.all() == []
            assert (await one.resources.show("papers/a.txt")).by_hand == ()

    run(main())


def test_there_is_no_end_of_resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "OWN_MAX", 2)

    async def main() -> None:
        async with bench(tmp_path) as one:
            for name in "abc":
                one.shelf.put(f"papers/{name}", name.encode())
            await one.resources.edit("papers/a", title="A")
            await one.resources.edit("papers/b", title="B")
            with pytest.raises(LimitReached, match="2 files"):
                await one.resources.edit("papers/c", title="C")
            await one.resources.edit("papers/b", title="B2")
            one.shelf.put("papers/b", b"edited")
            await one.resources.settle(tmp_path / "shared" / "papers")
            assert await titles(one) == {"papers/a": "A", "papers/b": "B2"}

    run(main())


def test_who_listens_and_who_follows_hear_of_each_change_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            cid = one.shelf.put("papers/a.txt", b"a")
            await one.resources.edit("papers/a.txt", title="A")
            await one.resources.edit("papers/a.txt", title="A")
            await one.resources.clear("papers/a.txt")
            await one.resources.clear("papers/a.txt")
            assert one.told == [ResourceChanged(cid, Metadata("A")), ResourceChanged(cid, Metadata())]
            assert await one.followed() == [(str(cid), "A"), (str(cid), "")]
            assert await one.resources.all() == []
            assert await one.resources.metadata_of([cid], "contacts") == {}

    run(main())


# --- for whom it is ---------------------------------------------------------------------------------------


async def titles_to(one: Bench, cid: Cid) -> list[str]:
    """What is said to the public, to contacts, and to a group."""
    told = [await one.resources.metadata_of([cid], text) for text in ("public", "contacts", "group:family")]
    return [each[cid].title if cid in each else "" for each in told]


def test_what_is_said_for_a_share_is_for_those_whom_that_admits(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.audiences = {"pub": "public", "family": "group:family"}
            cid = one.shelf.put("papers/a.txt", b"a")
            for share in ("pub", "family"):
                one.shelf.put(f"{share}/a.txt", b"a")
            await one.resources.edit("family/a.txt", title="Family")
            assert await titles_to(one, cid) == ["", "", "Family"]
            await one.resources.edit("papers/a.txt", title="Papers")
            assert await titles_to(one, cid) == ["", "Papers", "Family"]
            await one.resources.edit("pub/a.txt", title="Pub", tags=["x"])
            assert await titles_to(one, cid) == ["Pub", "Pub", "Pub"]
            assert len({title for _, title in await one.followed()}) == 3
            await one.resources.edit("papers/a.txt", title="Papers")  # as it was said before
            assert await titles_to(one, cid) == ["Pub", "Pub", "Pub"]
            await one.resources.edit("papers/a.txt", title="Later")
            assert await titles_to(one, cid) == ["Pub", "Later", "Pub"]
            assert (await one.resources.show(cid)).metadata == Metadata("Later", tags=("x",))
            for peer_path, title in (("pub/a.txt", "Pub"), ("papers/a.txt", "Later")):
                sealed = await one.resources.word_for(ANNA.peer_id, peer_path)
                assert sealed is not None
                assert Resource.open(sealed).metadata.title == title
            await one.resources.clear("family/a.txt")
            assert await titles_to(one, cid) == ["", "", ""]

    run(main())


def test_it_follows_the_share_to_another_audience_and_the_file_where_it_is_edited(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            old = one.shelf.put("papers/a.txt", b"a")
            await one.resources.edit("papers/a.txt", title="A")
            new = one.shelf.put("papers/a.txt", b"edited")
            await one.resources.look_at(share, new, "a.txt")
            assert await titles_to(one, new) == ["", "A", ""]
            told = len(one.told)
            one.shelf.audiences = {"papers": "public"}
            await one.resources.settle(share)
            assert await titles_to(one, new) == ["A", "A", "A"]
            assert one.told[told:] == [ResourceChanged(new, Metadata("A"))]
            assert await titles_to(one, old) == ["", "", ""]

    run(main())


def test_what_was_said_before_anybody_asked_for_whom_is_for_all(tmp_path: Path) -> None:
    first, second = numbered_scripts("warren.services.resources")
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        db.executescript(first)
        db.execute("INSERT INTO resource_said VALUES (?, ?)", (cid_of(b"a").to_bytes(), '{"title": "A"}'))
        db.executescript(second)
        assert said_of(db, cid_of(b"a")) == Said(title="A")
        assert said_to(db, cid_of(b"a"), "public", covers_plainly) == Said(title="A")


# --- what moves and changes -------------------------------------------------------------------------------


def test_metadata_stays_with_a_file_that_moves(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            cid = one.shelf.put("papers/a.txt", b"a")
            await one.resources.edit("papers/a.txt", title="A")
            one.shelf.put("papers/a.txt", None)
            one.shelf.put("papers/sub/b.txt", b"a")
            await one.resources.settle(share)
            assert await titles(one) == {"papers/sub/b.txt": "A"}
            one.shelf.put("papers/sub/b.txt", b"edited there")  # and it is known that it lies there
            await one.resources.settle(share)
            assert await titles(one) == {"papers/sub/b.txt": "A"}
            assert (await one.resources.metadata_of([cid], "contacts")) == {}

    run(main())


@pytest.mark.parametrize("gone_first", [True, False])
def test_a_watcher_may_tell_of_a_move_in_either_order(tmp_path: Path, *, gone_first: bool) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            cid = one.shelf.put("papers/a.txt", b"a")
            await one.resources.edit("papers/a.txt", title="A")
            one.shelf.put("papers/a.txt", None)
            if gone_first:
                await one.resources.forget(share, "a.txt")
                assert await titles(one) == {"": "A"}  # it may turn up again
            one.shelf.put("papers/b.txt", b"a")
            await one.resources.look_at(share, cid, "b.txt")
            if not gone_first:
                await one.resources.forget(share, "a.txt")
            assert await titles(one) == {"papers/b.txt": "A"}
            other = one.shelf.put("papers/a.txt", b"another file under the old name")
            await one.resources.look_at(share, other, "a.txt")
            assert await titles(one) == {"papers/b.txt": "A"}

    run(main())


def test_metadata_goes_over_to_the_edited_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            old = one.shelf.put("papers/a.txt", b"a")
            await one.resources.edit("papers/a.txt", title="A", tags=["x"])
            new = one.shelf.put("papers/a.txt", b"edited")
            await one.resources.look_at(share, new, "a.txt")
            found = await one.resources.show("papers/a.txt")
            assert (found.cid, found.metadata, found.by_hand) == (
                new, Metadata("A", tags=("x",)), ("title", "tags")
            )  # fmt: skip
            assert set(await one.resources.metadata_of([old, new], "contacts")) == {new}
            assert one.told[1:] == [ResourceChanged(old, Metadata()), ResourceChanged(new, found.metadata)]
            back = one.shelf.put("papers/a.txt", b"a")
            await one.resources.look_at(share, back, "a.txt")
            assert await titles(one) == {"papers/a.txt": "A"}

    run(main())


def test_what_was_said_of_the_new_content_stands(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            one.shelf.put("papers/a.txt", b"a")
            cid = one.shelf.put("papers/b.txt", b"b")
            await one.resources.edit("papers/a.txt", title="A")
            await one.resources.edit("papers/b.txt", title="B")
            one.shelf.put("papers/a.txt", b"b")
            await one.resources.look_at(share, cid, "a.txt")
            assert await titles(one) == {"papers/a.txt": "B", "papers/b.txt": "B"}

    run(main())


def test_a_copy_keeps_its_metadata_when_the_other_is_edited(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.put("papers/a.txt", b"a")
            one.shelf.put("backup/a.txt", b"a")
            said = await one.resources.edit("papers/a.txt", title="A")
            assert said.paths == ("backup/a.txt", "papers/a.txt")
            new = one.shelf.put("papers/a.txt", b"edited")
            await one.resources.look_at(tmp_path / "shared" / "papers", new, "a.txt")
            assert await titles(one) == {"papers/a.txt": "A", "backup/a.txt": "A"}
            one.shelf.put("backup/a.txt", None)
            await one.resources.settle(tmp_path / "shared" / "backup")
            assert await titles(one) == {"papers/a.txt": "A", "": "A"}

    run(main())


def test_a_folder_keeps_its_metadata_whatever_changes_in_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.put("papers/sub/a.txt", b"a")
            await one.resources.edit("papers", title="Papers")
            await one.resources.edit("papers/sub", title="Sub")
            for data in (b"b", b"c"):
                one.shelf.put("papers/sub/a.txt", data)
                await one.resources.settle(tmp_path / "shared" / "papers")
                assert await titles(one) == {"papers": "Papers", "papers/sub": "Sub"}
            assert (await one.resources.show("papers")).metadata.title == "Papers"
            del one.shelf.tree["papers"]
            await one.resources.settle(tmp_path / "shared" / "papers")  # unshared: nothing to look at
            assert await titles(one) == {"": "Sub"}

    run(main())


async def heeded(one: Bench, changes: int) -> None:
    """Run until so many changes were told."""
    enough = asyncio.Event()
    one.resources.listen(lambda _: enough.set() if len(one.told) >= changes else None)
    work = asyncio.create_task(one.resources.run())
    await enough.wait()
    work.cancel()


@pytest.mark.parametrize("changes_max", [100, 0])
def test_a_page_of_changes_is_heeded_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes_max: int
) -> None:
    monkeypatch.setattr(resources, "CHANGES_MAX", changes_max)

    async def main() -> None:
        async with bench(tmp_path) as one:
            moved = one.shelf.put("papers/old/a.txt", b"a")
            one.shelf.put("papers/old/b.txt", b"b")
            one.shelf.put("papers/old0", b"beside")
            one.shelf.put("papers/z.txt", b"c")
            for path in ("papers/old/a.txt", "papers/old/b.txt", "papers/z.txt", "papers/old0"):
                await one.resources.edit(path, title=path)
            (share,) = one.shelf.shares()
            one.shelf.put("papers/old/a.txt", None)
            one.shelf.put("papers/old/b.txt", None)
            one.shelf.put("papers/new/a.txt", b"a")
            edited = one.shelf.put("papers/z.txt", b"edited")
            other = one.shelf.put("papers/plain.txt", b"nobody says anything of it")
            await one.resources.heed(share, [], ["papers/old"])
            added = [("new/a.txt", moved), ("z.txt", edited), ("plain.txt", other)]
            await one.resources.heed(share, [Thing(f"papers/{path}", cid) for path, cid in added], [])
            await heeded(one, 6)
            assert await titles(one) == {
                "papers/new/a.txt": "papers/old/a.txt",
                "": "papers/old/b.txt",
                "papers/z.txt": "papers/z.txt",
                "papers/old0": "papers/old0",
            }

    run(main())


def test_what_is_not_hashed_yet_is_not_taken_for_gone(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.put("papers/a.txt", b"a")
            await one.resources.edit("papers/a.txt", title="A")
            one.shelf.ready = False
            await one.resources.settle(tmp_path / "shared" / "papers")
            assert await titles(one) == {"papers/a.txt": "A"}

    run(main())


def test_a_change_is_told_of_also_when_who_made_it_went_away(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            cid = one.shelf.put("papers/a.txt", b"a")
            begun = threading.Event()
            go_on = threading.Event()

            def hold(*_: object) -> None:
                begun.set()
                go_on.wait(10)

            one.resources._follow = hold
            change = asyncio.create_task(one.resources.edit("papers/a.txt", title="A"))
            await asyncio.to_thread(begun.wait, 10)
            change.cancel()
            await asyncio.sleep(0)
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await change
            assert one.told == [ResourceChanged(cid, Metadata("A"))]

    run(main())


def test_all_come_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PAGE_WORDS", 2)

    async def main() -> None:
        async with bench(tmp_path) as one:
            for name in "edcba":
                one.shelf.put(f"papers/{name}", name.encode())
                await one.resources.edit(f"papers/{name}", title=name)
            await one.resources.clear("papers/c")
            assert list(await titles(one)) == [f"papers/{name}" for name in "abde"]

    run(main())


def test_what_nobody_describes_leaves_no_trace(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            for data in (b"a", b"b"):
                await one.resources.look_at(share, one.shelf.put("papers/a.txt", data), "a.txt")
            await one.resources.forget(share, "a.txt")

            def rows(db: sqlite3.Connection) -> list[int]:
                tables = ("resources", "resource_said", "resource_taken", "resource_places")
                counts = (db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables)  # noqa: S608
                return [count for (count,) in counts]

            assert await one.resources._state.run(rows) == [0, 0, 0, 0]

    run(main())


# --- what others say --------------------------------------------------------------------------------------


def signed(key: PrivateKey, cid: Cid, seq: int, title: str) -> bytes:
    return Resource(key.peer_id, cid, seq, Metadata(title)).seal(key)


def test_each_publisher_speaks_for_itself_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            cid = one.shelf.put("papers/a.txt", b"a")
            await one.resources.accept(signed(ANNA, cid, 5, "Anna's"))
            await one.resources.accept(signed(BEN, cid, 9, "Ben's"))
            assert await one.resources.metadata_of([cid], "contacts") == {}  # none of it is this node's word
            assert await one.resources.all() == []
            assert one.told == []
            others = {ANNA.peer_id: "Anna's", BEN.peer_id: "Ben's"}
            for mine in ("", "Mine", ""):
                if mine:
                    await one.resources.edit(cid, title=mine)
                shown = await one.resources.show(cid)
                assert shown.metadata.title == mine
                assert {word.publisher: word.metadata.title for word in shown.others} == others
                await one.resources.clear(cid)

    run(main())


def test_an_old_word_is_refused_and_what_was_taken_back_is_not_shown(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            cid = one.shelf.put("papers/a.txt", b"a")
            assert (await one.resources.accept(signed(ANNA, cid, 5, "new"))).seq == 5
            assert (await one.resources.accept(signed(ANNA, cid, 4, "old"))).metadata.title == "new"
            assert (await one.resources.accept(signed(ANNA, cid, 5, "other"))).metadata.title == "new"
            assert await one.resources.edit(cid) == await one.resources.show(cid)  # nothing was said
            await one.resources.accept(signed(ANNA, cid, 6, ""))
            assert (await one.resources.show(cid)).others == ()

    run(main())


def test_nobody_puts_words_into_this_nodes_mouth(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            cid = one.shelf.put("papers/a.txt", b"a")
            await one.resources.edit(cid, title="old")
            replayed = await one.resources.sealed(cid)
            await one.resources.edit(cid, title="new")
            assert replayed is not None
            assert (await one.resources.accept(replayed)).metadata.title == "new"
            await one.resources.accept(signed(ME, cid, (1 << 64) - 1, "of another life"))
            assert (await one.resources.show(cid)).metadata.title == "new"
            with pytest.raises(ProtocolViolation):
                await one.resources.accept(replayed[:-1] + bytes([replayed[-1] ^ 1]))

    run(main())


def test_what_others_say_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "PUBLISHERS_MAX", 1)
    monkeypatch.setattr(store, "FOREIGN_MAX", 2)

    async def main() -> None:
        async with bench(tmp_path) as one:
            first, second, third = (one.shelf.put(f"papers/{name}", name.encode()) for name in "abc")
            await one.resources.edit(third, title="own words take no room of theirs")
            await one.resources.accept(signed(ANNA, first, 1, "a"))
            assert (await one.resources.accept(signed(BEN, first, 1, "b"))).metadata.title == "b"
            await one.resources.accept(signed(BEN, second, 1, "b"))
            await one.resources.accept(signed(BEN, third, 1, "c"))
            await one.resources.accept(signed(ANNA, first, 2, "a2"))
            shown = [await one.resources.show(cid) for cid in (first, second, third)]
            assert [[word.seq for word in each.others] for each in shown] == [[2], [1], []]
            heard = await one.resources.heard(signed(BEN, third, 1, "not kept"))
            assert heard.metadata.title == "own words take no room of theirs"
            assert [word.metadata.title for word in heard.others] == ["not kept"]

    run(main())
    assert caplog.text.count("no more of it is kept") == 1


def test_a_share_says_what_the_user_said_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.put("papers/a.txt", b"a")
            (share,) = one.shelf.shares()
            await one.resources.shared(share, Said(title="Papers"))
            one.shelf.put("papers/b.txt", b"b")
            (share,) = one.shelf.shares()
            await one.resources.shared(share, Said(licence="MIT"))
            assert (await one.resources.show("papers")).metadata == Metadata("Papers", licence="MIT")

    run(main())


def test_what_could_not_be_kept_at_once_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a page of changes nor one that waits is lost where the disk is full."""
    monkeypatch.setattr(resources, "AGAIN_S", 0.01)

    async def main() -> None:
        async with bench(tmp_path) as one:
            moved = one.shelf.put("papers/a.txt", b"a")
            one.shelf.put("papers/b.txt", b"b")
            await one.resources.edit("papers/a.txt", title="A")
            await one.resources.edit("papers/b.txt", title="B")
            (share,) = one.shelf.shares()
            state, failures = one.resources._state, [1]

            class Full:
                async def run(self, work: Callable[[sqlite3.Connection], object]) -> object:
                    if failures:
                        failures.pop()
                        raise StorageError("the disk is full")
                    return await state.run(work)

            monkeypatch.setattr(one.resources, "_state", Full())
            one.shelf.put("papers/a.txt", None)
            one.shelf.put("papers/new.txt", b"a")
            with pytest.raises(StorageError):
                await one.resources.heed(share, [Thing("papers/new.txt", moved)], ["papers/a.txt"])
            edited = one.shelf.put("papers/b.txt", b"edited")
            await one.resources.heed(share, [Thing("papers/b.txt", edited)], [])
            failures += [1] * 3
            settled, settle = asyncio.Event(), one.resources.settle
            settling: list[Path] = []

            async def settle_and_say(share: Path) -> None:
                settling.append(share)
                if len(settling) == 1:
                    failures.append(1)
                await settle(share)
                settled.set()

            monkeypatch.setattr(one.resources, "settle", settle_and_say)
            work = asyncio.create_task(one.resources.run())
            await settled.wait()
            work.cancel()
            assert await titles(one) == {"papers/new.txt": "A", "papers/b.txt": "B"}

    with caplog.at_level(logging.WARNING, resources.__name__):
        run(main())
    assert "the disk is full" in caplog.text
