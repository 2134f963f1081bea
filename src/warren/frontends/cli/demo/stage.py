"""Where the demo plays: a temporary folder, and nodes in processes of their own.

In:  names. Out: `Stage`, whose nodes are ordinary `warren up` processes that are asked over their API.
Whatever ends the demo, Ctrl-C and SIGTERM among it, the processes are gone and the folder is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from warren.core.errors import WarrenError
from warren.frontends.cli.client import Client
from warren.frontends.home import ENV_PREFIX, Home

# On loopback and on a port that the system picks: the demo meets nobody, and disturbs no node that runs here.
_LISTEN = "/ip4/127.0.0.1/tcp/0"
_STOP_S = 3.0


@dataclass(frozen=True, slots=True)
class Actor:
    """One node of the demo, and the way to it."""

    name: str
    peer_id: str
    address: str
    client: Client
    downloads: Path


class Stage:
    """The folder and the processes; both go when the block ends."""

    def __init__(self) -> None:
        self.folder = Path()
        self._processes: list[subprocess.Popen[str]] = []
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for name in ("SIGTERM", "SIGHUP"):
            if (number := getattr(signal, name, None)) is not None:
                self._before[number] = signal.signal(number, _as_interrupt)
        self.folder = Path(tempfile.mkdtemp(prefix="warren-demo-"))
        return self

    def __exit__(self, *_: object) -> None:
        with _no_interrupt():
            for process in self._processes:
                process.terminate()
            for process in self._processes:
                _end(process)
            shutil.rmtree(self.folder, ignore_errors=True)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def start(self, *names: str) -> list[Actor]:
        """Start a node for each name, all at once; return when each is ready."""
        started = [(name, self._launch(name)) for name in names]
        return [self._ready(name, process) for name, process in started]

    def _launch(self, name: str) -> subprocess.Popen[str]:
        home = self.folder / name
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
        environment[f"{ENV_PREFIX}DOWNLOAD_DIR"] = str(self.folder / f"{name}-downloads")
        words = ["up", "--json", "--home", str(home), "--name", name, "--listen", _LISTEN]
        process = subprocess.Popen(  # noqa: S603  the program itself
            [sys.executable, "-P", "-m", "warren.frontends.cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def _ready(self, name: str, process: subprocess.Popen[str]) -> Actor:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            _, said = process.communicate()
            raise WarrenError(f"the demo's node {name} did not start: {said.strip()}")
        ready = json.loads(line)
        client = Client(Home(self.folder / name).door())
        return Actor(name, ready["peer_id"], ready["listen"][0], client, self.folder / f"{name}-downloads")


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Let a second Ctrl-C not keep us from clearing up."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.communicate(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
