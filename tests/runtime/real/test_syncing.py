from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from warren.runtime.real import syncing

if TYPE_CHECKING:
    from pathlib import Path


def test_each_file_and_folder_is_synced_and_no_link_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "top"
    (top / "below").mkdir(parents=True)
    for path in (top / "a", top / "below" / "b", tmp_path / "elsewhere"):
        path.write_text("x")
    (top / "link").symlink_to("../elsewhere")
    os.mkfifo(top / "pipe")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    syncing.sync_each(str(top))
    assert sorted(synced) == sorted(map(str, [top, top / "a", top / "below", top / "below" / "b"]))
    synced.clear()
    syncing.sync_each(str(top / "a"))
    syncing.sync_each(str(top / "link"))
    assert synced == [str(top / "a")]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_many_files_are_synced_by_one_call_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    paths = [tmp_path / f"{number}" for number in range(syncing.SYNCED_ONE_BY_ONE_MAX + 1)]
    for path in paths:
        path.write_text("x")
    synced: list[str] = []
    monkeypatch.setattr(syncing, "_sync_data", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    monkeypatch.setattr(syncing, "_syncfs", lambda _: synced.append("all"))
    monkeypatch.setattr("sys.platform", platform)
    syncing.sync_files([*map(str, paths[1:]), str(tmp_path / "gone"), str(tmp_path)])
    assert synced == list(map(str, paths[1:]))
    synced.clear()
    syncing.sync_files(list(map(str, paths)))
    assert synced == (["all"] if platform == "linux" else list(map(str, paths)))


def test_what_cannot_be_synced_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(".")
    with pytest.raises(OSError) as caught:
        syncing.sync_tree(str(tmp_path / "link"))
    assert caught.value.errno == errno.ELOOP
    with pytest.raises(OSError) as caught:
        syncing._syncfs(-1)
    assert caught.value.errno == errno.EBADF
