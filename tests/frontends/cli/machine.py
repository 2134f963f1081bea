"""Users' machines: nodes in processes of their own, and the command line that asks them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.frontends.support import HANGS_S, environment
from warren.frontends.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOPBACK = ("--listen", "/ip4/127.0.0.1/tcp/0")
PROGRAM = (sys.executable, "-m", "warren.frontends.cli")


class Machine:
    """One user's machine: a data folder, a download folder, and the program."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.home = folder / name
        self.downloads = folder / f"{name}-downloads"
        self.listen = LOOPBACK
        self._children: list[subprocess.Popen[str]] = []
        self.environment = environment(
            WARREN_HOME=str(self.home), WARREN_DOWNLOAD_DIR=str(self.downloads), HOME=str(folder)
        )

    def warren(self, *words: object, timeout: float = HANGS_S) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *map(str, words)],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=timeout,
            check=False,
        )

    def ok(self, *words: object) -> str:
        done = self.warren(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def json(self, *words: object) -> Any:
        return json.loads(self.ok(*words, "--json"))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A node in the foreground; returns when it is ready."""
        child = self.launch(*words)
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["event"] == "ready"
        return child

    def launch(self, *words: str) -> subprocess.Popen[str]:
        """The same, without waiting: its first line says that it is ready."""
        child = subprocess.Popen(
            [*PROGRAM, "up", "--name", self.name, *self.listen, "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        self._children.append(child)
        return child

    def clear_up(self) -> None:
        if pid := self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for child in self._children:
            with child:
                child.kill()

    @property
    def pid(self) -> int | None:
        return Home(self.home).running_pid()


def machine(folder: Path, name: str) -> Iterator[Machine]:
    made = Machine(folder, name)
    try:
        yield made
    finally:
        made.clear_up()
