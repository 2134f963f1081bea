"""What sharing does in threads: list a folder, hash files. Each function here blocks; call it in `offload`.

In: paths below a top folder that is free of symlinks itself. Out: listings, and hashed files. What cannot be
shared comes back as the reason, in words, because one bad file must not stop the rest; a reason that is
`Passing` says nothing of the file, which is to be tried again. A folder swapped for a symlink after it was
listed leads nowhere (`beneath.py`); a file that is not what was listed is left out.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.services.files.beneath import Beneath
from warren.services.files.dag.build import CHUNK_BYTES, FileBuilder, build_symlink
from warren.services.files.dag.pb import Link
from warren.services.files.dag.unixfs import SYMLINK_TARGET_BYTES_MAX
from warren.services.files.ignoring import FILE_BYTES_MAX, FILE_NAME, SHARED, BadRules

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from warren.runtime.seam import DirEntry, Disk, Folder, ReadFile
    from warren.services.files.dag.pb import Block
    from warren.services.files.ignoring import Rules

FRESH_NS: Final = 100_000_000
COARSE_FRESH_NS: Final = 3_000_000_000
"""A file changed so shortly before it was hashed may change again and keep its time; so its time is not to be
trusted. The longer span is for file systems that keep whole seconds (FAT: two)."""

CHANGED: Final = "it changed while it was read"
VANISHED: Final = f"it cannot be read: {os.strerror(errno.ENOENT)}"

PASSING: Final = frozenset(
    (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EAGAIN, errno.ETIMEDOUT, errno.ESTALE)
)
"""Faults of the system at the moment. What meets one is neither gone nor another: it is tried again."""


def is_passing(error: OSError) -> bool:
    """Whether an error says nothing of what was to be read."""
    return error.errno in PASSING


class Passing(str):
    """A reason why something cannot be shared right now."""

    __slots__ = ()


DATA_FOLDER_NAMES: Final = ("identity.key", "node.lock")
"""A folder with both is a data folder, of this node or another: whoever reads its key can be that node."""


class DataFolder(OSError):
    """A folder that is never shared."""

    def __init__(self) -> None:
        super().__init__("it is the data folder of a node, and holds its private key")


INODE_MASK: Final = (1 << 63) - 1
"""What of a number the index can hold."""


class Scanned(NamedTuple):
    """A file as it was listed; `path` is relative to the top. inode: 0 where the system has none."""

    path: str
    name: str
    size: int
    mtime_ns: int
    inode: int = 0


class Listing(NamedTuple):
    """A folder, or some names in it: what of it can be shared, and what cannot, by name with the reason.
    rules: what of it and of those below is left out without a word. mounts: those of the folders that are on
    another file system.
    """

    files: list[Scanned]
    folders: list[str]
    symlinks: list[tuple[Link, Block]]
    skipped: list[tuple[str, str]]
    rules: Rules
    mounts: list[str]


class Hashed(NamedTuple):
    """A file after hashing: its root, and the nodes and chunks (digest, length) below it."""

    root: Link
    blocks: list[Block]
    leaves: list[tuple[bytes, int]]
    size: int
    mtime_ns: int
    trusted: bool


def join(folder: str, name: str) -> str:
    """A relative path as the index writes it."""
    return f"{folder}/{name}" if folder else name


def scan_folder(
    disk: Disk, top: str, folder: str, rules: Rules = SHARED, names: Collection[str] | None = None
) -> Listing:
    """List what to share of `folder` (relative to `top`), under the rules of the folder above.

    names: list these alone, as far as they are there; what the folder holds besides is not looked at, so
    whether it is a data folder must be known. Raises `OSError`, `DataFolder` and `BadRules` among them.
    """
    opened = disk.open_folder(top, folder)
    try:
        if names is None:
            entries = opened.scan()
            if {entry.name for entry in entries}.issuperset(DATA_FOLDER_NAMES):
                raise DataFolder
        else:
            entries = _find_all(opened, names)
        rules = _rules_in(opened, folder, rules)
        return _sort_out(disk, opened, top, folder, entries, rules)
    finally:
        opened.close()


def _find_all(opened: Folder, names: Collection[str]) -> list[DirEntry]:
    found = []
    for name in sorted(names):
        with contextlib.suppress(FileNotFoundError):
            found.append(opened.find(name))
    return found


def rules_above(disk: Disk, top: str, folder: str, rules: Rules) -> Rules | None:
    """The rules that hold above `folder`; None where they leave it out. Raises what `scan_folder` does."""
    above = ""
    for name in folder.split("/") if folder else ():
        opened = disk.open_folder(top, above)
        try:
            rules = _rules_in(opened, above, rules)
        finally:
            opened.close()
        if rules.ignores(above, name, is_folder=True):
            return None
        above = join(above, name)
    return rules


def _rules_in(opened: Folder, folder: str, rules: Rules) -> Rules:
    """The rules that hold in `folder`, under those of the folder above."""
    try:
        file = opened.open_read(FILE_NAME)
        try:
            text = file.pread(0, FILE_BYTES_MAX + 1)
        finally:
            file.close()
    except FileNotFoundError:
        return rules
    except OSError as error:
        if is_passing(error):
            raise
        is_link = error.errno == errno.ELOOP
        why = "is a symlink, and none is followed" if is_link else f"cannot be read: {error.strerror}"
        raise BadRules(why) from error
    return rules.within(folder, text)


def find_data_folder(disk: Disk, path: str) -> str | None:
    """The data folder of a node that `path` is, or lies in."""
    while True:
        if all(_exists(disk, os.path.join(path, name)) for name in DATA_FOLDER_NAMES):
            return path
        above = os.path.dirname(path)
        if above == path:
            return None
        path = above


def _exists(disk: Disk, path: str) -> bool:
    try:
        disk.stat(path)
    except OSError:
        return False
    return True


def readable(name: str) -> str:
    """A name as it can be shown and kept, also where it is no UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _sort_out(
    disk: Disk, opened: Folder, top: str, folder: str, entries: Sequence[DirEntry], rules: Rules
) -> Listing:
    found = Listing([], [], [], [], rules, [])
    device = opened.stat().device
    for entry in entries:
        name = entry.name
        if rules.ignores(folder, name, is_folder=entry.kind == "dir"):
            continue
        if readable(name) != name:
            found.skipped.append((readable(name), "its name is not UTF-8"))
        elif entry.kind == "file":
            inode = entry.inode & INODE_MASK
            found.files.append(Scanned(join(folder, name), name, entry.size, entry.mtime_ns, inode))
        elif entry.kind == "dir":
            found.folders.append(name)
            if entry.device != device:
                found.mounts.append(name)
        elif entry.kind == "symlink":
            _scan_symlink(disk, top, folder, name, opened, found)
        else:
            found.skipped.append((name, "it is neither a file, a folder nor a symlink"))
    return found


def _scan_symlink(disk: Disk, top: str, folder: str, name: str, opened: Folder, found: Listing) -> None:
    try:
        target = opened.read_link(name)
    except OSError as error:
        found.skipped.append((name, _reason(error)))
        return
    reason = _refuse_target(disk, top, os.path.join(top, folder), target)
    if reason:
        found.skipped.append((name, reason))
        return
    block = build_symlink(target)
    found.symlinks.append((Link(block.cid, name, block.total), block))


def _refuse_target(disk: Disk, top: str, folder: str, target: str) -> str:
    """Why a symlink in `folder` cannot be shared; empty when it can."""
    try:
        if len(target.encode()) > SYMLINK_TARGET_BYTES_MAX:
            return "its target is longer than a path may be"
    except UnicodeEncodeError:
        return "its target is not UTF-8"
    if os.path.isabs(target) or posixpath.isabs(target):
        return "it is a symlink to an absolute path"
    meant = os.path.join(folder, target)
    try:
        meant = disk.real_path(meant)
    except OSError:
        meant = os.path.normpath(meant)  # it leads to nothing; what it says is all there is to judge by
    if meant != top and not meant.startswith(os.path.join(top, "")):
        return "it is a symlink that leads out of what is shared"
    return ""


def hash_files(disk: Disk, top: str, files: Sequence[Scanned], now_ns: int) -> list[Hashed | str]:
    """Hash whole files. For each its outcome, or the reason why there is none."""
    with Beneath(disk) as beneath:
        return [_hash_file(beneath, top, file, now_ns) for file in files]


def _hash_file(beneath: Beneath, top: str, file: Scanned, now_ns: int) -> Hashed | str:
    leaves = _hash_part(beneath, top, file, 0, file.size)
    return leaves if isinstance(leaves, str) else assemble(leaves, file, now_ns)


def hash_span(disk: Disk, top: str, file: Scanned, start: int, end: int) -> list[tuple[bytes, int]] | str:
    """Hash a part of a file: its chunks, or the reason why there are none."""
    with Beneath(disk) as beneath:
        return _hash_part(beneath, top, file, start, end)


def _hash_part(
    beneath: Beneath, top: str, file: Scanned, start: int, end: int
) -> list[tuple[bytes, int]] | str:
    """The chunks of a file that must be as it was listed, after the read as well."""
    try:
        opened = beneath.open_read(top, *posixpath.split(file.path))
    except OSError as error:
        return _reason(error)
    try:
        leaves = _hash_range(opened, start, end)
        status = opened.stat()
    except OSError as error:
        return _reason(error)
    finally:
        opened.close()
    if leaves is None or (status.size, status.mtime_ns) != (file.size, file.mtime_ns):
        return CHANGED
    return leaves


def assemble(leaves: list[tuple[bytes, int]], file: Scanned, now_ns: int) -> Hashed:
    """The graph of a file of these chunks."""
    builder = FileBuilder()
    for digest, length in leaves:
        builder.add(digest, length)
    root = builder.finish()
    trusted = _is_settled(file.mtime_ns, now_ns)
    return Hashed(root, builder.blocks, leaves, file.size, file.mtime_ns, trusted)


def _hash_range(file: ReadFile, start: int, end: int) -> list[tuple[bytes, int]] | None:
    """The chunks from `start` to `end`; None when the file is shorter. An empty file has one empty chunk."""
    leaves = []
    for at in range(start, end, CHUNK_BYTES) or (start,):
        wanted = min(CHUNK_BYTES, end - at)
        data = file.pread(at, wanted)
        if len(data) != wanted:
            return None
        leaves.append((hashlib.sha256(data).digest(), wanted))
    return leaves


def _is_settled(mtime_ns: int, now_ns: int) -> bool:
    fresh = FRESH_NS if mtime_ns % 1_000_000_000 else COARSE_FRESH_NS
    return now_ns - mtime_ns > fresh


def _reason(error: OSError) -> str:
    reason = f"it cannot be read: {error.strerror or error}"
    return Passing(reason) if is_passing(error) else reason
