"""`SimulatedDisk`: one host's files, in memory.

In:  paths and bytes, as in `seam.Disk`; faults that a test orders. Out: bytes, listings, or the `OSError`
of a real disk. It belongs to the host, not to the runtime, so it is still there when a node starts again.
Paths are POSIX paths and "/" is there from the start; times are those of the virtual clock. One test may
order a failure (`fail_next`), make the disk small (`capacity_bytes`) or `read_only`, mount another drive
(`mount`), or pull it out under who writes to it (`pull`).
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections import defaultdict
from typing import TYPE_CHECKING

from warren.runtime.seam import DirEntry, Stat
from warren.runtime.simulated.watching import SimulatedWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import BytesLike, Kind, StrPath

_LINKS_MAX = 40


class _Entry:
    """What a name stands for."""

    __slots__ = ("device", "inode", "links", "mtime_ns")
    kind: Kind = "other"

    def __init__(self, inode: int, mtime_ns: int) -> None:
        self.inode = inode
        self.mtime_ns = mtime_ns
        self.device = 1
        self.links = 1

    def size(self) -> int:
        return 0


class _File(_Entry):
    __slots__ = ("data", "reserved")
    kind: Kind = "file"

    def __init__(self, inode: int, mtime_ns: int) -> None:
        super().__init__(inode, mtime_ns)
        self.data = bytearray()
        self.reserved = 0  # bytes set aside from the start on, also where they are written

    def taken(self) -> int:
        return max(len(self.data), self.reserved)

    def size(self) -> int:
        return len(self.data)


class _Folder(_Entry):
    __slots__ = ("entries",)
    kind: Kind = "dir"

    def __init__(self, inode: int, mtime_ns: int) -> None:
        super().__init__(inode, mtime_ns)
        self.entries: dict[str, _Entry] = {}


class _Symlink(_Entry):
    __slots__ = ("target",)
    kind: Kind = "symlink"

    def __init__(self, inode: int, mtime_ns: int, target: str) -> None:
        super().__init__(inode, mtime_ns)
        self.target = target

    def size(self) -> int:
        return len(self.target)


class _Opened:
    """What an open file and an open folder share: closed they fail, open they meet the faults of the disk."""

    __slots__ = ("_disk", "_is_open")

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._is_open = True

    def close(self) -> None:
        self._is_open = False

    def _begin(self, op: str) -> None:
        if not self._is_open:
            raise _error(errno.EBADF)
        self._disk.meet_faults(op)


class SimulatedFile(_Opened):
    """An open file; it stays readable after its name is gone, as on POSIX."""

    __slots__ = ("_device", "_file", "_path")

    def __init__(self, disk: SimulatedDisk, file: _File, path: StrPath) -> None:
        super().__init__(disk)
        self._file = file
        self._device = file.device
        self._path = path

    def _begin(self, op: str) -> None:
        super()._begin(op)
        if self._device in self._disk.pulled:
            raise _error(errno.EIO)

    def pread(self, offset: int, length: int) -> bytes:
        self._begin("pread")
        return bytes(memoryview(self._file.data)[offset : offset + length])

    def pread_nowait(self, offset: int, length: int) -> bytearray | None:
        try:
            self._begin("pread_nowait")
        except OSError:
            return None
        data = self._file.data[offset : offset + length]
        return data if len(data) == length else None

    def pwrite(self, offset: int, data: BytesLike) -> None:
        self._begin("pwrite")
        size = len(data)
        self._resize(max(len(self._file.data), offset + size))
        self._file.data[offset : offset + size] = data

    def truncate(self, size: int) -> None:
        self._begin("truncate")
        self._resize(size)
        del self._file.data[size:]

    def reserve(self, size: int) -> None:
        self._begin("reserve")
        before = self._file.taken()
        self._disk.take(max(size, before) - before)
        self._file.reserved = max(size, self._file.reserved)

    def sync(self) -> None:
        self._begin("sync")

    def stat(self) -> Stat:
        self._begin("stat")
        return _stat(self._file)

    def _resize(self, size: int) -> None:
        self._disk.check_writable()
        grown = size - len(self._file.data)
        self._disk.take(max(size, self._file.reserved) - self._file.taken())
        self._file.mtime_ns = self._disk.now_ns()
        if grown > 0:
            self._file.data.extend(bytes(grown))
        self._disk.tell(self._path)


class SimulatedLock:
    """Held until it is closed; a host has no processes that could end."""

    __slots__ = ("_inode", "_locked")

    def __init__(self, locked: set[int], inode: int) -> None:
        self._locked = locked
        self._inode = inode

    def close(self) -> None:
        self._locked.discard(self._inode)
        self._inode = 0


class SimulatedDisk:
    """See `seam.Disk` and the module. `wall` gives the time of the host in seconds since 1970."""

    def __init__(self, wall: Callable[[], float], *, capacity_bytes: int = 1 << 40) -> None:
        self.capacity_bytes = capacity_bytes
        self.read_only = False
        self.used_bytes = 0
        self.pulled: set[int] = set()
        """Devices that are gone while files on them may be open."""
        self._wall = wall
        self._inodes = itertools.count(2)
        self._devices = itertools.count(2)
        self._covered: dict[str, _Entry] = {}
        self._drives: dict[str, _Entry] = {}
        self._root = _Folder(1, self.now_ns())
        self._faults: defaultdict[str, list[int]] = defaultdict(list)
        self._locked: set[int] = set()
        self._watches: list[SimulatedWatch] = []

    # ------------------------------------------------------------ faults

    def fail_next(self, op: str, error: int, times: int = 1) -> None:
        """Let the next calls of `op` (a method of Disk or of an open file, or "database") fail with this
        errno.
        """
        self._faults[op] += [error] * times

    def meet_faults(self, op: str) -> None:
        """Raise the fault that is ordered for `op`, if there is one."""
        if self._faults and self._faults.get(op):
            raise _error(self._faults[op].pop(0))

    def take(self, grown: int) -> None:
        """Use more of the disk, or less; raises ENOSPC beyond the capacity."""
        if grown > 0 and self.used_bytes + grown > self.capacity_bytes:
            raise _error(errno.ENOSPC)
        self.used_bytes += grown

    def check_writable(self) -> None:
        """Raises EROFS where the disk is read-only."""
        if self.read_only:
            raise _error(errno.EROFS)

    def now_ns(self) -> int:
        return round(self._wall() * 1e9)

    # ------------------------------------------------------------ drives

    def mount(self, path: StrPath) -> None:
        """Mount a drive at the folder `path`: an empty one, or the one that was unmounted there. As on Linux
        nobody is told of it.
        """
        folder, name = self._parent(path)
        drive = self._drives.pop(_plain(path), None) or _Folder(next(self._inodes), self.now_ns())
        _move(drive, next(self._devices))
        self._covered[_plain(path)] = folder.entries[name]
        folder.entries[name] = drive

    def unmount(self, path: StrPath) -> None:
        """Show again what the folder `path` was before."""
        folder, name = self._parent(path)
        self._drives[_plain(path)] = folder.entries[name]
        folder.entries[name] = self._covered.pop(_plain(path))
        self.tell(path, deep=True)

    def pull(self, path: StrPath) -> None:
        """Unmount the drive at `path` without asking: what is open on it fails from now on."""
        folder, name = self._parent(path)
        self.pulled.add(folder.entries[name].device)
        self.unmount(path)

    # ------------------------------------------------------------ changes

    def watch(self, path: StrPath, *, only: str | None = None) -> SimulatedWatch:
        """See `seam.Runtime.watch`."""
        self.meet_faults("watch")
        if not isinstance(self._find(path, follow=False), _Folder):
            raise _error(errno.ENOTDIR, path)
        return SimulatedWatch(self._watches, _plain(path), only=only)

    def tell(self, path: StrPath, *, deep: bool = False, gone: bool = False) -> None:
        """Tell who watches that something happened at `path`."""
        for watch in self._watches.copy():
            watch.tell(_plain(path), deep=deep, gone=gone)

    def end_watches(self, error: int) -> None:
        """Let every watch end with this errno."""
        for watch in self._watches.copy():
            watch.end(_error(error))

    # ------------------------------------------------------------ seam.Disk

    def scan(self, path: StrPath) -> list[DirEntry]:
        self.meet_faults("scan")
        folder = self._find(path)
        if not isinstance(folder, _Folder):
            raise _error(errno.ENOTDIR, path)
        return _entries(folder)

    def stat(self, path: StrPath) -> Stat:
        self.meet_faults("stat")
        return _stat(self._find(path, follow=False))

    def open_read(self, path: StrPath, *, follow_link: bool = True) -> SimulatedFile:
        self.meet_faults("open_read")
        return self.open_entry(path, self._find(path, follow=follow_link))

    def open_folder(self, top: StrPath, path: str = "") -> SimulatedFolder:
        self.meet_faults("open_folder")
        entry = self._find(top, follow=False)
        for name in path.split("/") if path else ():
            entry = _child(entry, _own_name(name), path)
        if not isinstance(entry, _Folder):
            raise _error(errno.ENOTDIR, path or top)
        return SimulatedFolder(self, entry, os.path.join(top, path))

    def open_write(self, path: StrPath, *, create: bool, mode: int = 0o600) -> SimulatedFile:  # noqa: ARG002
        self.meet_faults("open_write")
        if not create:
            return self.open_entry(path, self._find(path, follow=False))
        file = _File(next(self._inodes), self.now_ns())
        self._put_new(path, file)
        return SimulatedFile(self, file, path)

    def put_new(self, folder: _Folder, path: str, data: BytesLike) -> None:
        """See `seam.Folder.write_new`; `path` is what the folder was opened by, and the name."""
        file = _File(next(self._inodes), self.now_ns())
        self._put(folder, os.path.basename(path), file, path)
        SimulatedFile(self, file, path).pwrite(0, data)

    def write_whole(self, path: StrPath, data: BytesLike, mode: int = 0o600) -> None:  # noqa: ARG002
        self.meet_faults("write_whole")
        self.check_writable()
        folder, name = self._parent(path)
        old = folder.entries.get(name)
        if isinstance(old, _Folder):
            raise _error(errno.EISDIR, path)
        self.take(len(data))
        file = _File(next(self._inodes), self.now_ns())
        file.data[:] = data
        self._free(old)
        file.device = folder.device
        folder.entries[name] = file
        self.tell(path)

    def remove_drafts(self, path: StrPath) -> None:
        self.meet_faults("remove_drafts")
        self._parent(path)

    def make_dirs(self, path: StrPath, mode: int = 0o777) -> None:  # noqa: ARG002
        self.meet_faults("make_dirs")
        parts = _parts(path)
        for depth in range(1, len(parts) + 1):
            above = "/" + "/".join(parts[:depth])
            try:
                if not isinstance(self._find(above), _Folder):
                    raise _error(errno.EEXIST, above)
            except FileNotFoundError:
                self._put_new(above, _Folder(next(self._inodes), self.now_ns()))

    def rename_new(self, src: StrPath, dst: StrPath) -> None:
        self.meet_faults("rename_new")
        old_folder, old_name = self._parent(src)
        entry = self._find(src, follow=False)
        self._put_new(dst, entry)
        del old_folder.entries[old_name]
        self.tell(src, gone=True)

    def remove(self, path: StrPath) -> None:
        self.meet_faults("remove")
        self.check_writable()
        folder, name = self._parent(path)
        if isinstance(self._find(path, follow=False), _Folder):
            raise _error(errno.EISDIR, path)
        self._free(folder.entries.pop(name))
        self.tell(path, gone=True)

    def remove_tree(self, path: StrPath) -> None:
        self.meet_faults("remove_tree")
        self.check_writable()
        folder, name = self._parent(path)
        if not isinstance(self._find(path, follow=False), _Folder):
            raise _error(errno.ENOTDIR, path)
        self._free(folder.entries.pop(name))
        self.tell(path, gone=True)

    def read_link(self, path: StrPath) -> str:
        self.meet_faults("read_link")
        return _target(path, self._find(path, follow=False))

    def make_symlink(self, target: str, path: StrPath) -> None:
        self.meet_faults("make_symlink")
        self._put_new(path, _Symlink(next(self._inodes), self.now_ns(), target))

    def sync_dir(self, path: StrPath) -> None:
        self.meet_faults("sync_dir")
        if not isinstance(self._find(path), _Folder):
            raise _error(errno.ENOTDIR, path)

    def sync_tree(self, path: StrPath) -> None:
        self.meet_faults("sync_tree")
        self._find(path, follow=False)

    def sync_files(self, paths: Sequence[StrPath]) -> None:
        self.meet_faults("sync_files")
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self._find(path, follow=False)

    def free_bytes(self, path: StrPath) -> int:
        self.meet_faults("free_bytes")
        self._find(path)
        return self.capacity_bytes - self.used_bytes

    def taken_bytes(self, path: StrPath) -> int:
        self.meet_faults("taken_bytes")
        return _taken(self._find(path, follow=False))

    def real_path(self, path: StrPath) -> str:
        self.meet_faults("real_path")
        return "/" + "/".join(self._resolve(path, follow=True)[0])

    def lock(self, path: StrPath) -> SimulatedLock:
        self.meet_faults("lock")
        with contextlib.suppress(FileExistsError):
            self.open_write(path, create=True).close()
        inode = self._find(path).inode
        if inode in self._locked:
            raise _error(errno.EWOULDBLOCK, path)
        self._locked.add(inode)
        return SimulatedLock(self._locked, inode)

    def lock_holder(self, path: StrPath) -> int | None:
        try:
            return 0 if self._find(path).inode in self._locked else None
        except FileNotFoundError:
            return None

    # ------------------------------------------------------------ names

    def _find(self, path: StrPath, *, follow: bool = True) -> _Entry:
        return self._resolve(path, follow=follow)[1]

    def _resolve(self, path: StrPath, *, follow: bool) -> tuple[list[str], _Entry]:
        """Walk down from the root and return the names on the way, free of symlinks, and what is there."""
        todo = _parts(path)[::-1]
        names: list[str] = []
        trail: list[_Entry] = [self._root]
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                names = names[:-1]
                trail = trail[: len(names) + 1]
                continue
            entry = _child(trail[-1], name, path)
            if isinstance(entry, _Symlink) and (todo or follow):
                links += 1
                if links > _LINKS_MAX:
                    raise _error(errno.ELOOP, path)
                if entry.target.startswith("/"):
                    names, trail = [], [self._root]
                todo += _parts(entry.target)[::-1]
                continue
            names.append(name)
            trail.append(entry)
        return names, trail[-1]

    def _parent(self, path: StrPath) -> tuple[_Folder, str]:
        parts = _parts(path)
        if not parts:
            raise _error(errno.EBUSY, path)
        folder = self._find("/" + "/".join(parts[:-1]))
        if not isinstance(folder, _Folder):
            raise _error(errno.ENOTDIR, path)
        return folder, parts[-1]

    def _put_new(self, path: StrPath, entry: _Entry) -> None:
        folder, name = self._parent(path)
        self._put(folder, name, entry, path)

    def _put(self, folder: _Folder, name: str, entry: _Entry, path: StrPath) -> None:
        self.check_writable()
        if name in folder.entries:
            raise _error(errno.EEXIST, path)
        entry.device = folder.device
        folder.entries[name] = entry
        folder.mtime_ns = self.now_ns()
        self.tell(path, deep=isinstance(entry, _Folder))

    def open_entry(self, path: StrPath, entry: _Entry) -> SimulatedFile:
        """Open what was found at `path`; anything but a file is refused."""
        if isinstance(entry, _Folder):
            raise _error(errno.EISDIR, path)
        if isinstance(entry, _Symlink):
            raise _error(errno.ELOOP, path)
        if not isinstance(entry, _File):
            raise _error(errno.EINVAL, path)
        return SimulatedFile(self, entry, path)

    def _free(self, entry: _Entry | None) -> None:
        """Give back the space of what is no longer named; who still has it open reads on."""
        if isinstance(entry, _Folder):
            for below in entry.entries.values():
                self._free(below)
        elif isinstance(entry, _File):
            self.used_bytes -= entry.taken()
            entry.links = 0


class SimulatedFolder(_Opened):
    """An open folder; what is reached through it lies in it, whatever becomes of its name."""

    __slots__ = ("_folder", "_path")

    def __init__(self, disk: SimulatedDisk, folder: _Folder, path: str) -> None:
        super().__init__(disk)
        self._folder = folder
        self._path = path

    def scan(self) -> list[DirEntry]:
        self._begin("scan")
        return _entries(self._folder)

    def find(self, name: str) -> DirEntry:
        self._begin("find")
        return _dir_entry(name, self._entry(name))

    def stat(self) -> Stat:
        self._begin("stat")
        return _stat(self._folder)

    def open_read(self, name: str) -> SimulatedFile:
        self._begin("open_read")
        return self._disk.open_entry(name, self._entry(name))

    def read_link(self, name: str) -> str:
        self._begin("read_link")
        return _target(name, self._entry(name))

    def write_new(self, name: str, data: BytesLike, mode: int = 0o600) -> None:  # noqa: ARG002
        self._begin("write_new")
        self._disk.put_new(self._folder, os.path.join(self._path, _own_name(name)), data)

    def _entry(self, name: str) -> _Entry:
        return _child(self._folder, _own_name(name), name)


def _move(entry: _Entry, device: int) -> None:
    """To another device, with all below it."""
    entry.device = device
    if isinstance(entry, _Folder):
        for below in entry.entries.values():
            _move(below, device)


def _taken(entry: _Entry) -> int:
    if isinstance(entry, _Folder):
        return sum(map(_taken, entry.entries.values()))
    return entry.taken() if isinstance(entry, _File) else 0


def _parts(path: StrPath) -> list[str]:
    text = os.fspath(path).replace(os.sep, "/")
    return [part for part in text.split("/") if part not in ("", ".")]


def _plain(path: StrPath) -> str:
    return "/" + "/".join(_parts(path))


def _entries(folder: _Folder) -> list[DirEntry]:
    return [_dir_entry(name, entry) for name, entry in sorted(folder.entries.items())]


def _dir_entry(name: str, entry: _Entry) -> DirEntry:
    return DirEntry(name, entry.kind, entry.size(), entry.mtime_ns, entry.inode, entry.device)


def _child(folder: _Entry, name: str, path: StrPath) -> _Entry:
    if not isinstance(folder, _Folder):
        raise _error(errno.ENOTDIR, path)
    if name not in folder.entries:
        raise _error(errno.ENOENT, path)
    return folder.entries[name]


def _target(path: StrPath, entry: _Entry) -> str:
    if not isinstance(entry, _Symlink):
        raise _error(errno.EINVAL, path)
    return entry.target


def _own_name(name: str) -> str:
    if name in {"", ".", ".."} or "/" in name:
        raise _error(errno.EINVAL, name)
    return name


def _stat(entry: _Entry) -> Stat:
    return Stat(entry.kind, entry.size(), entry.mtime_ns, entry.inode, device=entry.device, links=entry.links)


def _error(number: int, path: StrPath | None = None) -> OSError:
    if path is None:
        return OSError(number, os.strerror(number))
    return OSError(number, os.strerror(number), os.fspath(path))
