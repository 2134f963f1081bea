"""Sharing and fetching in processes of their own (`node.py`), as a test starts, feeds and ends them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.services.files.pair import write_tree
from tests.support import require

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.services.files.node", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


class Sharer:
    """A process that shares; `address` is where."""

    def __init__(self, home: Path, *paths: Path, options: tuple[str, ...] = ()) -> None:
        self.process = start(*options, "share", home, *paths)
        assert self.process.stdout is not None
        self.address: str = json.loads(self.process.stdout.readline())["address"]

    @property
    def port(self) -> str:
        return self.address.rpartition("/")[2]

    def stop(self) -> dict[str, Any]:
        """End it; returns its peak memory, its CPU time, and the digests of the chunks that it served."""
        output, _ = self.process.communicate(timeout=30)
        facts: dict[str, Any] = json.loads(output or "{}")
        return facts


@contextlib.contextmanager
def sharing(home: Path, *paths: Path, options: tuple[str, ...] = ()) -> Iterator[Sharer]:
    sharer = Sharer(home, *paths, options=options)
    try:
        yield sharer
    finally:
        sharer.process.kill()
        sharer.process.communicate()


def fetch(sharer: Sharer, ref: str, folder: Path, *options: str) -> dict[str, Any]:
    """What the fetching process said last; {} when it was killed."""
    process = start(*options, "fetch", sharer.address, ref, folder)
    output, _ = process.communicate(timeout=150)
    if process.returncode:
        return {}
    last: dict[str, Any] = json.loads(output.splitlines()[-1])
    return last


def files_of(folder: Path) -> list[str]:
    """The visible names in the target folder."""
    return [name for name in os.listdir(folder) if not name.startswith(".warren-")]


def make_source(folder: Path) -> tuple[Path, int]:
    """A folder and the number of different chunks in it."""
    source = write_tree(folder / "shared", {f"small/{i:03}": os.urandom(1000) for i in range(300)})
    (source / "large").write_bytes(os.urandom(50 * MIB + 3))
    return source, 351


class Fetching:
    """A process that fetches. Held (`--hold-after`), it waits until `let_go`."""

    def __init__(self, sharer: Sharer, ref: str, folder: Path, *options: str) -> None:
        self.process = start(*options, "fetch", sharer.address, ref, folder)
        self.last: dict[str, Any] = {}

    def read_until(self, key: str, least: int = 0) -> bool:
        """Read what it says up to a line with `key` of that value at least; whether one came."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.last = json.loads(line)
            if self.last.get(key, -1) >= least:
                return True
        return False

    def let_go(self) -> dict[str, Any]:
        """Let it go on to its end; what it said last."""
        output, _ = self.process.communicate("\n", timeout=150)
        return json.loads(output.splitlines()[-1]) if output else self.last

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True)
    require(done.returncode == 0, "root, to make a small disk; the limit on a file's size shows the same")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
