"""What only a real file system can show: pipes, permissions, crashes between two steps, and other
platforms.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Self

import pytest

from tests.runtime import test_disk
from tests.runtime.settings import real
from warren.runtime.real import disk as module
from warren.runtime.real.disk import RealDisk

if TYPE_CHECKING:
    from pathlib import Path


def test_opening_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="regular"):
        RealDisk().open_read(tmp_path / "pipe")
    assert RealDisk().stat(tmp_path / "pipe").kind == "other"


def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    RealDisk().write_whole(tmp_path / "key", b"secret")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_platform_that_cannot_open_relative_to_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    setting = real(tmp_path)
    request.addfinalizer(setting.close)
    monkeypatch.setattr(module, "_HAS_DIR_FD", False)
    test_disk.test_no_symlink_leads_out_of_a_folder(setting)
    folder = setting.server.disk.open_folder(setting.folder, "top/a")
    assert [entry.name for entry in folder.scan()] == ["b"]
    assert [folder.find("b")] == folder.scan()
    assert folder.stat() == setting.server.disk.stat(setting.path("top/a"))
    os.rename(setting.path("secret"), setting.path("top/a/c"))
    os.rename(setting.path("top/a"), setting.path("gone"))
    os.symlink("../gone", setting.path("top/a"))
    with pytest.raises(NotADirectoryError):
        folder.scan()
    folder.close()
    with pytest.raises(OSError) as caught:
        folder.read_link("c")
    assert caught.value.errno == errno.EBADF


def test_a_rename_that_a_crash_interrupted_is_finished(tmp_path: Path) -> None:
    (tmp_path / "draft").write_bytes(b"data")
    os.link(tmp_path / "draft", tmp_path / "final")
    RealDisk().rename_new(tmp_path / "draft", tmp_path / "final")
    assert sorted(os.listdir(tmp_path)) == ["final"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "draft").write_bytes(b"data")
    (tmp_path / "taken").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        RealDisk().rename_new(tmp_path / "draft", tmp_path / "taken")
    RealDisk().rename_new(tmp_path / "draft", tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == b"data"


def test_a_folder_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_refuse_taken", lambda _: None)
    (tmp_path / "draft").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        RealDisk().rename_new(tmp_path / "draft", tmp_path / "taken")


def test_an_entry_that_vanishes_while_listing_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Vanished:
        name = "gone"

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            raise FileNotFoundError

    class Listing(list[Vanished]):
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", lambda _: Listing([Vanished()]))
    assert RealDisk().scan(tmp_path) == []


def test_a_platform_without_o_nofollow_still_refuses_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_NOFOLLOW", 0)
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError) as caught:
        RealDisk().open_read(tmp_path / "link", follow_link=False)
    assert caught.value.errno == errno.ELOOP


def test_short_reads_and_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pread, pwrite = os.pread, os.pwrite
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: pread(fd, min(size, 3), offset))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:3], offset))
    file = RealDisk().open_write(tmp_path / "file", create=True)
    file.pwrite(1, b"0123456789")
    assert file.pread(1, 100) == b"0123456789"
    assert file.pread(2, 5) == b"12345"
    file.close()
