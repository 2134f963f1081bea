"""`NodeProcess`: the program of a user on one machine of the wire, in a process of its own.

In:  a namespace, a name, a folder. Out: a node in the foreground, and command lines run beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import warren

if TYPE_CHECKING:
    from types import TracebackType

    from tests.namespaces.link import Namespace

PORT = 4101
PROGRAM = (sys.executable, "-m", "warren.frontends.cli")


class NodeProcess:
    """A node, started on entry and killed on exit; `variables` are settings, WARREN_ and all.

    variables: the whole environment of its process.
    """

    def __init__(self, machine: Namespace, name: str, folder: Path, **variables: str) -> None:
        self.machine = machine
        self.name = name
        kept = {key: value for key, value in os.environ.items() if not key.startswith("WARREN_")}
        self.variables = kept | {
            "PYTHONPATH": str(Path(warren.__file__).parents[1]),
            "HOME": str(folder),
            "WARREN_HOME": str(folder / name),
            "WARREN_DOWNLOAD_DIR": str(folder / f"{name}-downloads"),
            "WARREN_LISTEN": f"/ip4/0.0.0.0/tcp/{PORT},/ip6/::/tcp/{PORT}",
            **variables,
        }
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start the node and wait until it is ready."""
        # To a file, not a pipe: a node that logs much must not stop because nobody reads.
        log = Path(self.variables["HOME"]) / f"{self.name}.log"
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                self.machine.command(*PROGRAM, "up", "--name", self.name, "--json"),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self.variables,
            )
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        assert first, f"{self.name} did not start: {log.read_text()}"
        assert json.loads(first)["event"] == "ready"

    def kill(self) -> None:
        """As kill -9 does. Killing twice is harmless."""
        if self._process is not None:
            with self._process as process:
                process.kill()

    def ok(self, *words: object, timeout_s: float = 60.0) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = subprocess.run(
            self.machine.command(*PROGRAM, *map(str, words)),
            capture_output=True,
            text=True,
            env=self.variables,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def json(self, *words: object, timeout_s: float = 60.0) -> Any:
        """As `ok`; returns the document printed last."""
        return json.loads(self.ok(*words, "--json", timeout_s=timeout_s).splitlines()[-1])

    @property
    def address(self) -> str:
        """Where it can be dialled over IPv4."""
        return f"/ip4/{self.machine.ip4}/tcp/{PORT}/p2p/{self.json('status')['peer_id']}"
