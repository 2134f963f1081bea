"""`RealDisk`: file primitives of the operating system.

In:  paths and bytes. Out: bytes, listings, or the `OSError` of the operating system as it came. What POSIX
offers and Windows lacks (pread, O_NOFOLLOW, opening relative to a folder, hard links as an atomic claim of a
name, syncing a folder) is used where it exists and replaced where it does not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat as modes
import threading
from typing import TYPE_CHECKING

from warren.runtime.locks import FileLock, holder
from warren.runtime.real import room, syncing
from warren.runtime.seam import DirEntry, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.runtime.seam import BytesLike, Kind, StrPath

_BINARY: int = getattr(os, "O_BINARY", 0)
_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
# Opening a FIFO or a device must not hang the thread; on regular files the flag means nothing.
_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)
_NO_NAMES = frozenset({"", ".", ".."})
_DRAFT_BYTES = 4
_DRAFT_END = ".new"
_HAS_PREAD = hasattr(os, "pread")
_HAS_NOWAIT = hasattr(os, "RWF_NOWAIT")
_DIRECTORY: int = getattr(os, "O_DIRECTORY", 0)
# Going through a folder takes no permission to list it.
_PATH: int = getattr(os, "O_PATH", os.O_RDONLY)
_NEW: int = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NOFOLLOW
WRITE_BYTES = 64 * 1024
"""Written at a time. For a larger write Linux looks for as large a piece of free memory, which in a virtual
machine is memory that the host has to give first: a file of 1 GiB cost twice the time in the kernel. 128 KiB
are as fast as this where all memory is at hand, and a third slower where the host takes back what is free."""
_HAS_DIR_FD = bool(_NOFOLLOW and _DIRECTORY) and {os.open, os.readlink, os.stat} <= os.supports_dir_fd


class RealFile:
    """An open regular file, for reading (`ReadFile`) or for both (`WriteFile`)."""

    __slots__ = ("_fd", "_lock")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def pread(self, offset: int, length: int) -> bytes:
        data = self._pread(length, offset)
        if len(data) == length or not data:
            return data
        parts = [data]
        done = len(data)
        while done < length and (data := self._pread(length - done, offset + done)):
            parts.append(data)
            done += len(data)
        return b"".join(parts)

    def pread_nowait(self, offset: int, length: int) -> bytearray | None:
        if not _HAS_NOWAIT:
            return None
        data = bytearray(length)
        try:
            count = os.preadv(self._fd, [data], offset, os.RWF_NOWAIT)
        except OSError:  # not in memory; a file system that cannot tell; or what `pread` will tell of
            return None
        return data if count == length else None

    def pwrite(self, offset: int, data: BytesLike) -> None:
        view = memoryview(data).cast("B")
        while view:
            written = self._pwrite(view[:WRITE_BYTES], offset)
            offset += written
            view = view[written:]

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def reserve(self, size: int) -> None:
        room.reserve(self._fd, size)

    def sync(self) -> None:
        os.fsync(self._fd)

    def stat(self) -> Stat:
        return _stat(os.fstat(self._fd))

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    if _HAS_PREAD:

        def _pread(self, length: int, offset: int) -> bytes:
            return os.pread(self._fd, length, offset)

        def _pwrite(self, data: memoryview, offset: int) -> int:
            return os.pwrite(self._fd, data, offset)

    else:

        def _pread(self, length: int, offset: int) -> bytes:
            with self._lock:
                os.lseek(self._fd, offset, os.SEEK_SET)
                return os.read(self._fd, length)

        def _pwrite(self, data: memoryview, offset: int) -> int:
            with self._lock:
                os.lseek(self._fd, offset, os.SEEK_SET)
                return os.write(self._fd, data)


class RealFolder:
    """See `seam.Folder`."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def scan(self) -> list[DirEntry]:
        fd = os.open(".", os.O_RDONLY | _DIRECTORY, dir_fd=self._fd)
        try:
            return _scan(fd)
        finally:
            os.close(fd)

    def find(self, name: str) -> DirEntry:
        _check_name(name)
        return _dir_entry(name, os.stat(name, dir_fd=self._fd, follow_symlinks=False))

    def stat(self) -> Stat:
        return _stat(os.fstat(self._fd))

    def open_read(self, name: str) -> RealFile:
        _check_name(name)
        return _regular(os.open(name, os.O_RDONLY | _NOFOLLOW | _NONBLOCK, dir_fd=self._fd), name)

    def read_link(self, name: str) -> str:
        _check_name(name)
        return os.fsdecode(os.readlink(name, dir_fd=self._fd))

    def write_new(self, name: str, data: BytesLike, mode: int = 0o600) -> None:
        _check_name(name)
        _fill(os.open(name, _NEW, mode, dir_fd=self._fd), data)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class PathFolder:
    """See `seam.Folder`, for platforms that cannot open relative to a folder."""

    __slots__ = ("_is_open", "_names", "_top")

    def __init__(self, top: StrPath, names: list[str]) -> None:
        self._top = os.fspath(top)
        self._names = names
        self._is_open = True
        self._path()

    def scan(self) -> list[DirEntry]:
        return _scan(self._path())

    def find(self, name: str) -> DirEntry:
        _check_name(name)
        return _dir_entry(name, os.lstat(os.path.join(self._path(), name)))

    def stat(self) -> Stat:
        return _stat(os.lstat(self._path()))

    def open_read(self, name: str) -> RealFile:
        _check_name(name)
        return _open(os.path.join(self._path(), name), os.O_RDONLY | _NOFOLLOW, follow_link=False)

    def read_link(self, name: str) -> str:
        _check_name(name)
        return os.fsdecode(os.readlink(os.path.join(self._path(), name)))

    def write_new(self, name: str, data: BytesLike, mode: int = 0o600) -> None:
        _check_name(name)
        _fill(os.open(os.path.join(self._path(), name), _NEW, mode), data)

    def close(self) -> None:
        self._is_open = False

    def _path(self) -> str:
        if not self._is_open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        path = self._top
        _check_folder(path)
        for name in self._names:
            path = os.path.join(path, name)
            _check_folder(path)
        return path


class RealDisk:
    """See `seam.Disk`."""

    __slots__ = ()

    def scan(self, path: StrPath) -> list[DirEntry]:
        return _scan(path)

    def stat(self, path: StrPath) -> Stat:
        return _stat(os.lstat(path))

    def open_read(self, path: StrPath, *, follow_link: bool = True) -> RealFile:
        return _open(path, os.O_RDONLY | (0 if follow_link else _NOFOLLOW), follow_link=follow_link)

    def open_folder(self, top: StrPath, path: str = "") -> RealFolder | PathFolder:
        names = path.split("/") if path else []
        for name in names:
            _check_name(name)
        if not _HAS_DIR_FD:
            return PathFolder(top, names)
        flags = _PATH | _DIRECTORY | _NOFOLLOW
        fd = os.open(top, flags)
        for name in names:
            try:
                below = os.open(name, flags, dir_fd=fd)
            finally:
                os.close(fd)
            fd = below
        return RealFolder(fd)

    def open_write(self, path: StrPath, *, create: bool, mode: int = 0o600) -> RealFile:
        flags = os.O_RDWR | _NOFOLLOW | (os.O_CREAT | os.O_EXCL if create else 0)
        return _open(path, flags, mode, follow_link=False)

    def write_whole(self, path: StrPath, data: BytesLike, mode: int = 0o600) -> None:
        target = os.fspath(path)
        draft = f"{target}.{secrets.token_hex(_DRAFT_BYTES)}{_DRAFT_END}"
        try:
            file = self.open_write(draft, create=True, mode=mode)
            try:
                file.pwrite(0, data)
                file.sync()
            finally:
                file.close()
            os.replace(draft, target)
        except BaseException:
            _remove_if_there(draft)
            raise
        self.sync_dir(os.path.dirname(target) or ".")

    def remove_drafts(self, path: StrPath) -> None:
        folder, name = os.path.split(os.fspath(path))
        is_draft = re.compile(rf"{re.escape(name)}\.[0-9a-f]{{{2 * _DRAFT_BYTES}}}{re.escape(_DRAFT_END)}")
        for entry in _scan(folder or "."):
            if entry.kind == "file" and is_draft.fullmatch(entry.name):
                _remove_if_there(os.path.join(folder, entry.name))

    def make_dirs(self, path: StrPath, mode: int = 0o777) -> None:
        os.makedirs(path, mode, exist_ok=True)

    def rename_new(self, src: StrPath, dst: StrPath) -> None:
        if os.name == "nt":
            os.rename(src, dst)
        elif modes.S_ISDIR(os.lstat(src).st_mode):
            _rename_new_dir(src, dst)
        else:
            _rename_new_file(src, dst)

    def remove(self, path: StrPath) -> None:
        os.unlink(path)

    def remove_tree(self, path: StrPath) -> None:
        shutil.rmtree(path)

    def read_link(self, path: StrPath) -> str:
        return os.fsdecode(os.readlink(path))

    def make_symlink(self, target: str, path: StrPath) -> None:
        os.symlink(target, path)

    def sync_dir(self, path: StrPath) -> None:
        if os.name == "nt":
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_tree(self, path: StrPath) -> None:
        syncing.sync_tree(os.fspath(path))

    def sync_files(self, paths: Sequence[StrPath]) -> None:
        syncing.sync_files([os.fspath(path) for path in paths])

    def free_bytes(self, path: StrPath) -> int:
        return shutil.disk_usage(path).free

    def taken_bytes(self, path: StrPath) -> int:
        return room.taken_bytes(os.fspath(path))

    def real_path(self, path: StrPath) -> str:
        return os.path.realpath(os.fspath(path), strict=True)

    def lock(self, path: StrPath) -> FileLock:
        return FileLock(path)

    def lock_holder(self, path: StrPath) -> int | None:
        return holder(path)


def _fill(fd: int, data: BytesLike) -> None:
    """Write a new file and close it. It is a regular one: nothing else is made by opening."""
    try:
        written = os.write(fd, data) if len(data) <= WRITE_BYTES else 0
        if written < len(data):
            RealFile(fd).pwrite(written, memoryview(data)[written:])
    finally:
        os.close(fd)


def _open(path: StrPath, flags: int, mode: int = 0o600, *, follow_link: bool) -> RealFile:
    if not follow_link and not _NOFOLLOW and os.path.islink(path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    return _regular(os.open(path, flags | _BINARY | _NONBLOCK, mode), path)


def _regular(fd: int, path: StrPath) -> RealFile:
    """The open file, or the error that it is no regular one."""
    try:
        kind = os.fstat(fd).st_mode
        if modes.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not modes.S_ISREG(kind):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    except BaseException:
        os.close(fd)
        raise
    return RealFile(fd)


def _scan(folder: StrPath | int) -> list[DirEntry]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            found.append(_dir_entry(os.fsdecode(entry.name), status))
    found.sort()
    return found


def _dir_entry(name: str, status: os.stat_result) -> DirEntry:
    kind, size, mtime_ns = _kind(status.st_mode), status.st_size, status.st_mtime_ns
    return DirEntry(name, kind, size, mtime_ns, status.st_ino, status.st_dev)


def _check_name(name: str) -> None:
    if name in _NO_NAMES or "/" in name or (os.name == "nt" and os.path.basename(name) != name):
        raise OSError(errno.EINVAL, "this is no name of its own", name)


def _check_folder(path: str) -> None:
    if not modes.S_ISDIR(os.lstat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def _stat(status: os.stat_result) -> Stat:
    mode, owned = 0o600, True
    if os.name == "posix":
        mode, owned = modes.S_IMODE(status.st_mode), status.st_uid == os.geteuid()
    kind, size, mtime_ns = _kind(status.st_mode), status.st_size, status.st_mtime_ns
    return Stat(kind, size, mtime_ns, status.st_ino, mode, owned, status.st_dev, status.st_nlink)


def _kind(mode: int) -> Kind:
    if modes.S_ISREG(mode):
        return "file"
    if modes.S_ISDIR(mode):
        return "dir"
    return "symlink" if modes.S_ISLNK(mode) else "other"


def _rename_new_file(src: StrPath, dst: StrPath) -> None:
    """Claim the name with a hard link, the one step on POSIX that fails when it is taken."""
    try:
        os.link(src, dst, follow_symlinks=False)
    except FileExistsError:
        # A crash between the two steps left both names; what is left to do is the second.
        if not os.path.samestat(os.lstat(src), os.lstat(dst)):
            raise
    except OSError:
        # No hard links here (FAT, some network file systems), or src is missing: the plain way says which.
        _refuse_taken(dst)
        os.rename(src, dst)
        return
    os.unlink(src)


def _rename_new_dir(src: StrPath, dst: StrPath) -> None:
    """Rename a folder.

    In the gap after the check, POSIX lets it replace only an empty folder: nothing is lost.
    """
    _refuse_taken(dst)
    try:
        os.rename(src, dst)
    except OSError as exc:
        if exc.errno in (errno.ENOTEMPTY, errno.ENOTDIR) and os.path.lexists(dst):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(dst)) from exc
        raise


def _refuse_taken(path: StrPath) -> None:
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))


def _remove_if_there(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
