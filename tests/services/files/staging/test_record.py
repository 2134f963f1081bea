"""What is committed, on a simulated disk that fails where a test wants it to."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from warren.runtime.simulated.disk import SimulatedDisk
from warren.services.files.staging import record as module
from warren.services.files.staging.journal import decode
from warren.services.files.staging.record import Batch, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.runtime.seam import BytesLike, StrPath

ROOT = "bafk" + "a" * 55


class Disk(SimulatedDisk):
    """Its clock goes on with each look at it; it keeps the order of what makes things safe."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls: list[str] = []
        super().__init__(self._tick)
        self.make_dirs("/p/content")

    def _tick(self) -> float:
        self.seconds += 1
        return self.seconds

    def sync_files(self, paths: Sequence[StrPath]) -> None:
        super().sync_files(paths)
        self.calls.append("synced " + " ".join(sorted(str(path)[-1] for path in paths)))

    def write_whole(self, path: StrPath, data: BytesLike, mode: int = 0o600) -> None:
        super().write_whole(path, data, mode)
        self.calls.append("noted")

    def put(self, name: str, data: bytes = b"data") -> None:
        path = f"/p/content/{name}"
        try:
            file = self.open_write(path, create=True)
        except FileExistsError:
            file = self.open_write(path, create=False)
        file.pwrite(0, data)
        file.close()


def opened(disk: Disk) -> Record:
    record = Record(disk, "/p", ROOT, lambda path: f"/p/content/{path}")
    record.read()
    return record


def batch(*leaves: tuple[int, str]) -> Batch:
    made = Batch()
    for number, path in leaves:
        made.add(number, path, 4)
    return made


def sound(disk: Disk, record: Record, name: str) -> bool:
    return record.is_sound(name, disk.stat(f"/p/content/{name}"))


def committed(disk: Disk) -> list[int]:
    file = disk.open_read("/p/journal")
    found = decode(ROOT, file.pread(0, 1 << 20))
    assert found is not None
    return list(found.bits)


def test_leaves_are_noted_after_their_files_were_synced() -> None:
    disk = Disk()
    record = opened(disk)
    for name in "ab":
        disk.put(name)
    record.commit(batch((0, "a"), (2, "b")))
    assert disk.calls == ["synced a b", "noted"]
    assert committed(disk) == [0, 2]
    again = opened(disk)
    assert sound(disk, again, "a")
    assert [again.knows(number) for number in range(4)] == [True, False, True, False]


def test_nothing_new_is_no_commit() -> None:
    disk = Disk()
    opened(disk).commit(Batch())
    assert disk.calls == []


def test_a_file_that_was_written_since_is_not_believed() -> None:
    disk = Disk()
    for name in "ab":
        disk.put(name)
    opened(disk).commit(batch((0, "a"), (1, "b")))
    disk.put("a", b"lies")
    again = opened(disk)
    assert not sound(disk, again, "a")
    assert sound(disk, again, "b")


def test_the_verdict_stands_while_the_parts_of_a_file_are_looked_at() -> None:
    """The fetch itself writes to it meanwhile."""
    disk = Disk()
    disk.put("a")
    opened(disk).commit(batch((0, "a")))
    again = opened(disk)
    assert sound(disk, again, "a")
    disk.put("a", b"more of it")
    assert sound(disk, again, "a")


def test_a_file_in_doubt_is_believed_again_only_when_all_of_it_was_looked_at() -> None:
    disk = Disk()
    disk.put("a", b"one two three four")
    opened(disk).commit(batch((0, "a"), (1, "a"), (2, "a"), (3, "a")))
    disk.put("a", b"one two lies! four")
    again = opened(disk)
    assert not sound(disk, again, "a")
    again.note_checked("a", 0, [True, True], last=False)
    again.commit(batch((9, "a")))
    assert not sound(disk, opened(disk), "a")  # 2 is in the journal, and wrong
    again.note_checked("a", 2, [False, True], last=True)
    again.commit(Batch())
    assert committed(disk) == [0, 1, 3, 9]
    assert sound(disk, opened(disk), "a")


@pytest.mark.parametrize("fault", ["sync_files", "write_whole"])
def test_a_commit_that_fails_notes_nothing(fault: str) -> None:
    disk = Disk()
    record = opened(disk)
    disk.put("a")
    record.commit(batch((0, "a")))
    disk.put("b")
    disk.fail_next(fault, errno.EIO)
    with pytest.raises(OSError):
        record.commit(batch((1, "b")))
    assert committed(disk) == [0]
    assert not sound(disk, opened(disk), "b")


def test_what_was_not_synced_is_not_noted_later_either() -> None:
    disk = Disk()
    record = opened(disk)
    for name in "ab":
        disk.put(name)
    disk.fail_next("sync_files", errno.EIO)
    with pytest.raises(OSError):
        record.commit(batch((0, "a")))
    record.commit(batch((1, "b")))
    assert committed(disk) == [1]


def test_a_file_that_is_gone_needs_no_mark() -> None:
    disk = Disk()
    opened(disk).commit(batch((0, "a")))
    disk.put("a")
    assert not sound(disk, opened(disk), "a")


def test_marks_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARKS_MAX", 2)
    disk = Disk()
    for name in "abc":
        disk.put(name)
    record = opened(disk)
    record.commit(batch((0, "a"), (1, "b"), (2, "c")))
    record.commit(batch((3, "a")))
    assert [sound(disk, opened(disk), name) for name in "abc"].count(True) == 2
    assert committed(disk) == [0, 1, 2, 3]


def test_what_lies_in_the_place_of_a_journal_is_no_reason_to_fail() -> None:
    folder, link, torn = Disk(), Disk(), Disk()
    folder.make_dirs("/p/journal")
    link.make_symlink("/p/content/a", "/p/journal")
    torn.write_whole("/p/journal", b"warren journal 1 and more")
    for disk in (folder, link, torn):
        disk.put("a")
        assert not sound(disk, opened(disk), "a")


def test_when_it_is_over_no_commit_writes_the_journal() -> None:
    """It would lie in a folder that is removed at this moment, and keep that from going."""
    disk = Disk()
    record = opened(disk)
    disk.put("a")
    assert record.end()
    record.commit(batch((0, "a")))
    assert disk.calls == ["synced a"]
    assert not record.end()


def test_who_ends_it_learns_that_the_journal_is_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()
    record = opened(disk)
    disk.put("a")
    ended: list[bool] = []
    write = disk.write_whole

    def write_whole(path: StrPath, data: BytesLike, mode: int = 0o600) -> None:
        ended.append(record.end())
        write(path, data, mode)

    monkeypatch.setattr(disk, "write_whole", write_whole)
    record.commit(batch((0, "a")))
    assert ended == [False]
    assert record.end()
