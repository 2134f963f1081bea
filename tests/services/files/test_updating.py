"""Looks at names alone find what a look at everything would; faults and unmounted drives empty nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.files.test_keeping_simulated import TOP, simulate
from warren.core.errors import StorageError
from warren.services.files import hashing, pending, rehashing, revising, updating
from warren.services.files.config import FilesConfig
from warren.services.files.dag import build
from warren.services.files.hashing import DATA_FOLDER_NAMES, PASSING
from warren.services.files.ignoring import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tests.services.files.test_keeping_simulated import Shared
    from warren.services.files.dag.pb import Block, Link

NAMES = ("a", "b", "in", "x.tmp", *DATA_FOLDER_NAMES)
places = st.lists(st.sampled_from(("sub", "in", "a")), max_size=2).flatmap(
    lambda above: st.sampled_from(NAMES).map(lambda name: "/".join((*above, name)))
)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("write"), places, st.binary(max_size=3)),
        st.tuples(st.just("remove"), places),
        st.tuples(st.just("remove_tree"), places),
        st.tuples(st.just("make_dirs"), places),
        st.tuples(st.just("rename_new"), places, places),
        st.tuples(st.just("make_symlink"), st.sampled_from(("a", "b", "../../out", "/abs")), places),
        st.tuples(
            st.just("ignore"), st.sampled_from(("", "sub/")), st.sampled_from((b"a\n", b"!x.tmp\n", b"\xff"))
        ),
        st.tuples(st.just("wait"), st.floats(0, 0.6)),
    ),
    max_size=25,
)


class Scans:
    """The names that each listing of a folder was asked for; None: all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[Collection[str] | None] = []

        def scan_folder(*arguments: Any) -> Any:
            self.names.append(arguments[4] if len(arguments) > 4 else None)
            return hashing.scan_folder(*arguments)

        monkeypatch.setattr(updating, "scan_folder", scan_folder)


@contextlib.contextmanager
def failing(error: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file can be opened to be hashed."""

    def hash_files(_disk: object, _top: str, files: Collection[object], _now: int) -> list[str]:
        return [hashing._reason(OSError(error, "of the system")) for _ in files]

    with monkeypatch.context() as patch:
        patch.setattr(rehashing, "hash_files", hash_files)
        yield


def do(shared: Shared, what: str, *arguments: Any) -> None:
    """One of `happenings`, if it can be done now."""
    with contextlib.suppress(OSError):
        if what == "write":
            shared.write(*arguments)
        elif what == "ignore":
            shared.write(arguments[0] + FILE_NAME, arguments[1])
        elif what == "make_symlink":
            shared.disk.make_symlink(arguments[0], f"{TOP}/{arguments[1]}")
        else:
            getattr(shared.disk, what)(*(f"{TOP}/{path}" for path in arguments))


@pytest.mark.parametrize("folder_bytes", [build.FOLDER_BYTES_MAX, 0])
@given(happenings)
@settings(max_examples=40, deadline=None)
def test_looks_at_names_find_what_a_look_at_everything_finds(
    folder_bytes: int, told: list[tuple[Any, ...]]
) -> None:
    """folder_bytes: from how many on a folder is sharded, so that it is changed in place."""

    async def work(shared: Shared) -> None:
        for what, *arguments in told:
            if what == "wait":
                await asyncio.sleep(*arguments)
            else:
                do(shared, what, *arguments)
        await asyncio.sleep(15)
        if shared.library.shares()[0].state == "missing":
            with pytest.raises(StorageError, match="cannot be shared"):  # such as a data folder
                await shared.is_whole()
        else:
            await shared.is_whole()

    with pytest.MonkeyPatch.context() as monkeypatch:
        for module in (build, revising):
            monkeypatch.setattr(module, "FOLDER_BYTES_MAX", folder_bytes)
        simulate(work)


def test_a_large_folder_is_not_built_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for a file in it, nor for one in a folder in it; where nobody knows what changed, it is."""

    async def work(shared: Shared) -> None:
        built: list[int] = []

        def build_folder(links: list[Link]) -> tuple[Link, list[Block]]:
            built.append(len(links))
            return build.build_folder(links)

        for number in range(40):
            shared.write(f"file{number}", b"1")
        await shared.is_whole()
        for module in (pending, revising):
            monkeypatch.setattr(module, "build_folder", build_folder)
        shared.write("file7", b"22")
        shared.write("sub/b", b"another")
        shared.disk.remove(f"{TOP}/file8")
        await shared.is_whole()
        assert built == []
        monkeypatch.setattr(pending, "GONE_MAX", 0)
        shared.write("file7", b"333")
        await shared.is_whole()
        assert built == [41]

    for module in (build, revising):
        monkeypatch.setattr(module, "FOLDER_BYTES_MAX", 0)
    simulate(work)


def test_a_change_costs_what_it_is_and_not_what_lies_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(shared: Shared) -> None:
        for number in range(50):
            shared.write(f"file{number}", b"1")
        await shared.is_whole()
        scans = Scans(monkeypatch)
        shared.write("file7", b"22")
        shared.write("new", b"333")
        shared.disk.remove(f"{TOP}/file8")
        shared.disk.rename_new(f"{TOP}/file9", f"{TOP}/moved")
        await shared.shows(file7=2, new=3, file8=None, file9=None, moved=1)
        assert scans.names == [{"file7", "new", "file8", "file9", "moved"}]
        await shared.is_whole()

        scans.names.clear()
        shared.write("made/in/x", b"1")
        await shared.catalog.until(lambda sizes: "docs/made/in/x" in sizes)
        assert {"made"} in scans.names
        await shared.is_whole()

    simulate(work)


def test_a_symlink_that_another_leads_through_is_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one of them is another now, its folder is looked at as a whole."""

    async def work(shared: Shared) -> None:
        shared.disk.make_symlink("second", f"{TOP}/first")
        await shared.is_whole()
        scans = Scans(monkeypatch)
        shared.disk.make_symlink("../out", f"{TOP}/second")
        shared.disk.make_dirs("/out")
        await asyncio.sleep(5)
        assert [one.path for one in shared.library.shares()[0].skipped] == ["first", "second"]
        assert scans.names == [{"second"}, None]
        shared.disk.remove(f"{TOP}/second")
        await asyncio.sleep(5)
        assert shared.library.shares()[0].skipped == ()
        await shared.is_whole()

    simulate(work)


def test_a_folder_whose_rules_could_not_be_followed_comes_back_whole() -> None:
    async def work(shared: Shared) -> None:
        shared.write(f"sub/{FILE_NAME}", b"\xff")
        await shared.catalog.until(lambda sizes: "docs/sub" not in sizes)
        shared.write("sub/in/c", b"unseen")
        await asyncio.sleep(5)
        assert sorted(shared.catalog.entries) == ["docs", "docs/a"]
        shared.disk.remove(f"{TOP}/sub/{FILE_NAME}")
        await shared.catalog.until(lambda sizes: {"docs/sub", "docs/sub/b", "docs/sub/in/c"} <= sizes.keys())
        await shared.is_whole()

    simulate(work)


@pytest.mark.parametrize(("target", "why"), [("../a", "symlink"), ("", "directory")])
def test_rules_that_cannot_be_read_leave_out_their_folder_and_are_named(target: str, why: str) -> None:
    async def work(shared: Shared) -> None:
        if target:
            shared.disk.make_symlink(target, f"{TOP}/sub/{FILE_NAME}")
        else:
            shared.disk.make_dirs(f"{TOP}/sub/{FILE_NAME}")
        await shared.catalog.until(lambda sizes: "docs/sub" not in sizes)
        await asyncio.sleep(1)
        (one,) = shared.library.shares()[0].skipped
        assert (one.path, FILE_NAME in one.reason, why in one.reason) == ("sub", True, True)
        shared.disk.make_symlink("a", f"{TOP}/{FILE_NAME}")
        await shared.catalog.until(lambda sizes: not sizes)
        assert FILE_NAME in shared.library.shares()[0].note

    simulate(work)


def test_what_lies_in_a_data_folder_is_never_told() -> None:
    async def work(shared: Shared) -> None:
        for name in DATA_FOLDER_NAMES:
            shared.write(f"node/{name}", b"secret")
        await asyncio.sleep(5)
        shared.write("node/state.db", b"secret")
        shared.write("node/logs/today", b"secret")
        await asyncio.sleep(5)
        assert not any("node" in path for added, _ in shared.catalog.told for path in added)
        for name in DATA_FOLDER_NAMES:
            shared.write(f"sub/{name}", b"secret")
        await shared.catalog.until(lambda sizes: "docs/sub" not in sizes)

    simulate(work)


def test_a_file_that_goes_while_it_is_hashed_is_not_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hashing takes so long that the look that finds it gone comes first."""

    async def work(shared: Shared) -> None:
        hash_small = rehashing.Rehashing._hash_small

        async def slowly(self: rehashing.Rehashing, files: list[hashing.Scanned]) -> Any:
            outcomes = await hash_small(self, files)
            await asyncio.sleep(2)
            return outcomes

        monkeypatch.setattr(rehashing.Rehashing, "_hash_small", slowly)
        shared.write("new", b"1")
        shared.write("made/new", b"1")
        await asyncio.sleep(1)
        shared.disk.remove(f"{TOP}/new")
        shared.disk.remove_tree(f"{TOP}/made")
        await asyncio.sleep(10)
        assert sorted(shared.catalog.entries) == ["docs", "docs/a", "docs/sub", "docs/sub/b"]
        await shared.is_whole()

    simulate(work)


# --- faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", sorted(PASSING))
def test_a_fault_of_the_system_takes_nothing_away(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(shared: Shared) -> None:
        with failing(error, monkeypatch):
            shared.write("a", b"another")
            shared.write("new", b"1")
            await asyncio.sleep(12)
        assert shared.catalog.entries["docs/a"][0].size == 1
        assert [one.path for one in shared.library.shares()[0].skipped] == ["a", "new"]
        begun = shared.runtime.clock.now()
        await shared.shows(a=7, new=1)
        assert shared.runtime.clock.now() - begun < 25
        await asyncio.sleep(1)
        assert shared.library.shares()[0].skipped == ()
        await shared.is_whole()

    simulate(work)


@pytest.mark.parametrize("op", ["open_folder", "scan", "find", "stat", "open_read", "read_link"])
def test_no_fault_of_the_system_makes_the_share_or_a_folder_of_it_vanish(op: str) -> None:
    async def work(shared: Shared) -> None:
        shared.disk.make_symlink("a", f"{TOP}/link")
        await shared.is_whole()
        shared.catalog.told.clear()
        for _ in range(6):
            shared.disk.fail_next(op, errno.EMFILE)
            shared.write("sub/b", b"another")
            shared.write("made/c", b"new")
            shared.disk.tell(f"{TOP}/link")
            shared.disk.tell(f"{TOP}/sub", deep=True)
            await asyncio.sleep(40)
            shared.write("sub/b", b"b")
            await asyncio.sleep(40)
        assert {path for _, removed in shared.catalog.told for path in removed} == set()
        await shared.is_whole()

    simulate(work)


def test_what_nobody_may_read_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(shared: Shared) -> None:
        with failing(errno.EACCES, monkeypatch):
            shared.write("a", b"another")
            await shared.shows(a=None)

    simulate(work)


def test_a_share_of_one_file_outlasts_a_fault_of_the_system() -> None:
    async def work(shared: Shared) -> None:
        await shared.library.share(f"{TOP}/a")
        shared.catalog.told.clear()
        for op in ("stat", "open_read"):
            shared.disk.fail_next(op, errno.EMFILE, times=3)
            shared.write("a", op.encode())
            size = len(op)
            await shared.catalog.until(lambda sizes, size=size: sizes.get("a") == size, 120)  # type: ignore[misc]
        assert not any(removed for _, removed in shared.catalog.told)

    simulate(work)


def test_a_share_that_comes_back_is_missing_until_all_of_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def work(shared: Shared) -> None:
        tell_all = shared.library.tell_all
        failures = [StorageError("the disk is full")] * 2

        async def fail(number: int) -> None:
            if failures:
                raise failures.pop()
            await tell_all(number)

        shared.library.tell_all = fail  # type: ignore[method-assign]
        shared.disk.rename_new(TOP, "/away")
        await shared.catalog.until(lambda sizes: not sizes)
        shared.disk.rename_new("/away", TOP)
        await asyncio.sleep(20)
        assert shared.library.shares()[0].state == "missing"
        await shared.catalog.until(lambda sizes: len(sizes) == 4, 200)
        await asyncio.sleep(1)
        assert shared.library.shares()[0].state == "watched"
        await shared.is_whole()

    with caplog.at_level(logging.WARNING):
        simulate(work)
    assert "the disk is full" in caplog.text


# --- drives -----------------------------------------------------------------------------------------------


async def with_drive(shared: Shared, at: str) -> None:
    """Mount a drive in the share, with a file on it."""
    shared.disk.make_dirs(f"{TOP}/{at}")
    await asyncio.sleep(5)
    shared.disk.mount(f"{TOP}/{at}")
    shared.write(f"{at}/deep/film", b"12345")
    await asyncio.sleep(100)  # of a drive that is mounted nobody tells
    assert f"docs/{at}/deep/film" in shared.catalog.entries


def skipped(shared: Shared) -> list[str]:
    return [one.path for one in shared.library.shares()[0].skipped]


@pytest.mark.parametrize("left", ["nothing", "a file", "no folder"])
def test_a_drive_that_is_unmounted_in_a_share_empties_nothing(left: str) -> None:
    async def work(shared: Shared) -> None:
        await with_drive(shared, "usb")
        shared.disk.unmount(f"{TOP}/usb")
        if left == "a file":
            shared.write("usb/readme", b"no drive here")
        elif left == "no folder":
            shared.disk.remove_tree(f"{TOP}/usb")
        shared.write("a", b"meanwhile")
        await shared.shows(a=9)
        await asyncio.sleep(200)
        assert "docs/usb/deep/film" in shared.catalog.entries
        assert "docs/usb/readme" not in shared.catalog.entries
        assert skipped(shared) == ["usb"]
        assert shared.library.shares()[0].state == "watched"

        shared.disk.make_dirs(f"{TOP}/usb")
        shared.disk.mount(f"{TOP}/usb")
        await asyncio.sleep(20)
        assert skipped(shared) == []
        shared.write("usb/deep/film", b"123456789")
        begun = shared.runtime.clock.now()
        await shared.catalog.until(lambda sizes: sizes["docs/usb/deep/film"] == 9)
        assert shared.runtime.clock.now() - begun < 1
        await shared.is_whole()

    simulate(work, FilesConfig(rescan_s=60))


def test_a_drive_that_is_copied_to_where_it_was_mounted_is_followed() -> None:
    async def work(shared: Shared) -> None:
        await with_drive(shared, "usb")
        shared.disk.unmount(f"{TOP}/usb")
        await asyncio.sleep(5)
        shared.write("usb/deep/film", b"12345")
        await asyncio.sleep(5)
        assert skipped(shared) == []
        shared.disk.remove_tree(f"{TOP}/usb/deep")
        await shared.catalog.until(lambda sizes: "docs/usb/deep" not in sizes)
        await shared.is_whole()

    simulate(work, FilesConfig(rescan_s=60))


def test_a_drive_that_goes_while_it_is_looked_at_empties_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(shared: Shared) -> None:
        await with_drive(shared, "usb")

        def unmount_before(disk: Any, top: str, folder: str, *rest: Any) -> Any:
            if folder == "usb":
                monkeypatch.setattr(updating, "scan_folder", hashing.scan_folder)
                disk.unmount(f"{TOP}/usb")
            return hashing.scan_folder(disk, top, folder, *rest)

        monkeypatch.setattr(updating, "scan_folder", unmount_before)
        shared.write("usb/other", b"1")
        await asyncio.sleep(20)
        assert "docs/usb/deep/film" in shared.catalog.entries
        assert skipped(shared) == ["usb"]

    simulate(work, FilesConfig(rescan_s=60))


def test_a_file_where_a_drive_was_mounted_is_no_drive() -> None:
    async def work(shared: Shared) -> None:
        await with_drive(shared, "usb")
        shared.disk.unmount(f"{TOP}/usb")
        shared.disk.remove_tree(f"{TOP}/usb")
        shared.write("usb", b"a file")
        await shared.shows(usb=6)
        await shared.is_whole()

    simulate(work, FilesConfig(rescan_s=60))


@pytest.mark.parametrize("left", ["nothing", "a file", "all"])
def test_a_share_that_is_a_drive_is_missing_without_it(left: str) -> None:
    async def work(shared: Shared) -> None:
        await shared.library.unshare("docs")
        shared.disk.mount(TOP)
        shared.write("film", b"12345")
        shared.write("more", b"1")
        await shared.library.share(TOP)
        await asyncio.sleep(10)
        shared.disk.unmount(TOP)
        shared.disk.remove_tree(f"{TOP}/sub")
        shared.disk.remove(f"{TOP}/a")
        if left != "nothing":
            shared.write("more", b"22")
        if left == "all":
            shared.write("film", b"12345")
        await shared.catalog.until(lambda sizes: sizes == ({"docs": 7, "docs/film": 5, "docs/more": 2}
                                                           if left == "all" else {}))  # fmt: skip
        await asyncio.sleep(100)
        state = shared.library.shares()[0].state
        assert state == ("watched" if left == "all" else "missing")
        told = len(shared.catalog.told)
        await asyncio.sleep(1000)
        assert len(shared.catalog.told) == told  # it does not come and go
        if left != "all":
            shared.disk.mount(TOP)
            await shared.shows(film=5, more=1)
        await shared.is_whole()

    simulate(work)


def test_what_is_shared_again_by_hand_counts_as_it_is() -> None:
    async def work(shared: Shared) -> None:
        await with_drive(shared, "usb")
        shared.disk.unmount(f"{TOP}/usb")
        await asyncio.sleep(5)
        await shared.library.share(TOP)
        assert "docs/usb/deep" not in shared.catalog.entries
        await asyncio.sleep(20)
        assert skipped(shared) == []
        await shared.is_whole()

    simulate(work, FilesConfig(rescan_s=60))
