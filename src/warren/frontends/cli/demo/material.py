"""What the demo shares: a folder that is there, or one that is made; and how to copy, compare and damage it.

In:  paths. Out: `Folder` with its size; seconds that a copy takes; the first difference of two trees.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import random
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warren.core.cid import Cid
from warren.core.errors import InputError
from warren.frontends.cli import units

# A standard library beyond this (with site-packages inside, for one) would make the demo slow.
_OFFERED_BYTES_MAX = 200_000_000
_OFFERED_FILES_MAX = 12_000
_SAMPLE_SMALL_FILES = 1000
_SAMPLE_LARGE_BYTES = 32 << 20
# The size of a chunk under the profile unixfs-v1-2025.
CHUNK_BYTES = 1 << 20
_LETTER_CHUNKS = 3
_DAMAGED_CHUNK = 1


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to share."""

    path: Path
    files: int
    bytes: int
    is_sample: bool = False


@dataclass(frozen=True, slots=True)
class Damage:
    """Chunk `number` of `count` (from 1) now has the content id `cid`."""

    number: int
    count: int
    cid: str


def choose(given: Path | None, stage: Path) -> Folder:
    """The folder given; else the standard library of this Python; else a sample made on the stage."""
    if given is not None:
        files, size = _measure(given, None)
        return Folder(given, files, size)
    library = Path(sysconfig.get_path("stdlib"))
    files, size = _measure(library, _OFFERED_FILES_MAX)
    if 0 < files < _OFFERED_FILES_MAX and size < _OFFERED_BYTES_MAX:
        return Folder(library, files, size)
    return _sample(stage / "sample")


def check_room(folder: Folder, stage: Path) -> None:
    """The demo writes the folder twice (fetched and copied). Raises InputError if there is no room."""
    free = shutil.disk_usage(stage).free
    if free < folder.bytes * 2.2:
        raise InputError(
            f"the demo needs {units.size(folder.bytes * 2.2)} in {stage.parent}; {units.size(free)} are free",
            hint="choose a smaller folder, or another place with TMPDIR",
        )


def copy_seconds(folder: Path, target: Path) -> tuple[str, float]:
    """Copy the folder as the system does, and say with what and how long it took. The copy is removed."""
    program = shutil.which("cp")
    start = time.monotonic()
    if program:
        words = [program, "-r", str(folder), str(target)]
        subprocess.run(words, check=False, capture_output=True)  # noqa: S603
    else:
        shutil.copytree(folder, target, symlinks=True)
    took = time.monotonic() - start
    shutil.rmtree(target, ignore_errors=True)
    return ("cp -r" if program else "a copy by Python"), took


def difference(original: Path, copy: Path, skipped: set[str]) -> str:
    """The first path that differs between two trees; "" if none does. Contents are compared byte by byte."""
    expected = {name for name in _names(original) if not _within(name, skipped)}
    found = set(_names(copy))
    for name in sorted(expected ^ found):
        return name
    for name in sorted(expected):
        if not filecmp.cmp(original / name, copy / name, shallow=False):
            return name
    return ""


def write_letter(folder: Path) -> Path:
    """A file of three chunks."""
    path = folder / "letter.bin"
    path.write_bytes(os.urandom(_LETTER_CHUNKS * CHUNK_BYTES))
    return path


def flip_a_byte(path: Path) -> Damage:
    """Change one byte behind the back of whoever shares it: size and time of change stay as they were.

    Doing it twice puts the byte back. Returns which chunk it is in, and what that chunk's content id is now.
    """
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(_DAMAGED_CHUNK * CHUNK_BYTES)
        chunk = bytearray(file.read(CHUNK_BYTES))
        chunk[CHUNK_BYTES // 2] ^= 1
        file.seek(_DAMAGED_CHUNK * CHUNK_BYTES)
        file.write(chunk)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    cid = Cid.raw_sha256(hashlib.sha256(chunk).digest())
    return Damage(_DAMAGED_CHUNK + 1, _LETTER_CHUNKS, str(cid))


def _measure(folder: Path, files_max: int | None) -> tuple[int, int]:
    files = size = 0
    for name in _names(folder):
        files += 1
        size += (folder / name).lstat().st_size
        if files_max is not None and files >= files_max:
            break
    return files, size


def _names(folder: Path) -> Iterator[str]:
    """Paths of the regular files below a folder, without hidden ones, which are not shared."""
    if folder.is_file():
        yield "."
        return
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(where, name)
            if not name.startswith(".") and not path.is_symlink():
                yield str(path.relative_to(folder))


def _within(name: str, skipped: set[str]) -> bool:
    return any(name == one or name.startswith(one.rstrip("/") + "/") for one in skipped)


def _sample(folder: Path) -> Folder:
    """Many small files and a large one, the same every time."""
    chance = random.Random(4101)  # noqa: S311  sample data
    folder.mkdir()
    for number in range(_SAMPLE_SMALL_FILES):
        part = folder / f"part-{number % 10}"
        part.mkdir(exist_ok=True)
        (part / f"note-{number}.txt").write_bytes(chance.randbytes(chance.randrange(8192)))
    (folder / "large.bin").write_bytes(chance.randbytes(_SAMPLE_LARGE_BYTES))
    files, size = _measure(folder, None)
    return Folder(folder, files, size, is_sample=True)
