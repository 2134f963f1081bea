from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warren.runtime.simulated.disk import SimulatedDisk, SimulatedFolder
from warren.services.files.beneath import Beneath

if TYPE_CHECKING:
    from warren.runtime.seam import StrPath


class CountedFolder(SimulatedFolder):
    """Tells its disk when it is closed."""

    __slots__ = ()

    def close(self) -> None:
        assert isinstance(self._disk, CountingDisk)
        self._disk.still_open -= 1
        super().close()


class CountingDisk(SimulatedDisk):
    """Keeps which folders were opened, and how many still are."""

    def __init__(self) -> None:
        super().__init__(lambda: 1.0)
        self.opened: list[tuple[StrPath, str]] = []
        self.still_open = 0

    def open_folder(self, top: StrPath, path: str = "") -> SimulatedFolder:
        folder = super().open_folder(top, path)
        self.opened.append((top, path))
        self.still_open += 1
        return CountedFolder(self, folder._folder, folder._path)


def test_files_of_one_folder_open_it_once_and_one_folder_is_open_at_a_time() -> None:
    disk = CountingDisk()
    disk.make_dirs("/top/a/b")
    for path in ("/top/1", "/top/a/b/1", "/top/a/b/2"):
        disk.write_whole(path, path.encode())
    with Beneath(disk) as beneath:
        for folder, name in [("", "1"), ("a/b", "1"), ("a/b", "2"), ("", "1"), ("", "1")]:
            file = beneath.open_read("/top", folder, name)
            assert file.pread(0, 100) == "/".join(filter(None, ["/top", folder, name])).encode()
            assert disk.still_open == 1
        with pytest.raises(FileNotFoundError):
            beneath.open_read("/top", "missing", "1")
        assert disk.still_open == 0
        beneath.open_read("/top/a", "b", "1")
    assert disk.still_open == 0
    assert disk.opened == [("/top", ""), ("/top", "a/b"), ("/top", ""), ("/top/a", "b")]
