"""Starts the measured programs and reads what they cost: processor seconds and resident memory.

Each is a process group of its own and is gone when its `with` block ends. `/proc` gives the figures on
Linux, `ps` elsewhere (with a coarser clock).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
"""Programs are measured from the checkout, installed or not."""
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 5


class RunError(Exception):
    """A measured program did not do what was asked; the text holds the end of what it printed."""


def cpu_seconds(pid: int) -> float:
    """Processor seconds that the process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks_per_s: int = os.sysconf("SC_CLK_TCK")
        return (int(fields[11]) + int(fields[12])) / ticks_per_s
    except FileNotFoundError:
        minutes, seconds = _ps(pid, "time").rsplit(":", 1)
        return sum(int(part) * 60.0**at for at, part in enumerate(reversed(minutes.split(":")), 1)) + float(
            seconds
        )


def family_cpu_seconds(pid: int) -> float:
    """Processor seconds of a process and of its children that have ended; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks_per_s: int = os.sysconf("SC_CLK_TCK")
    return sum(map(int, fields[11:15])) / ticks_per_s


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in RAM."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024
    except FileNotFoundError:
        return int(_ps(pid, "rss")) * 1024


def peak_bytes(pid: int) -> int | None:
    """The most memory that the process ever had in RAM (VmHWM), where the system tells it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return None
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


def _ps(pid: int, field: str) -> str:
    return subprocess.run(
        ["ps", "-o", f"{field}=", "-p", str(pid)], capture_output=True, text=True, check=True
    ).stdout.strip()


class Program:
    """A running program that prints JSON lines; the first one, `info`, says that it is ready."""

    def __init__(self, argv: list[str], *, ready_timeout_s: float = READY_TIMEOUT_S) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._ready_timeout_s = ready_timeout_s

    def __enter__(self) -> Self:
        try:
            self.info = self.next_line(self._ready_timeout_s)
        except BaseException:
            self.__exit__()
            raise
        self.ready_s = time.perf_counter() - self._started
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._errors.close()

    def say(self, line: str) -> None:
        """Write a line to the standard input of the program."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def next_line(self, timeout_s: float) -> dict[str, Any]:
        """The next result line; raises RunError when the program ends, fails or takes longer."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(timeout_s, self._process.kill)
        watchdog.start()
        try:
            line = next((line for line in self._process.stdout if line.startswith("{")), "")
        finally:
            watchdog.cancel()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace")[-600:]
            raise RunError(f"{self._process.args!r} ended or took over {timeout_s:.0f} s: {said}")
        result: dict[str, Any] = json.loads(line)
        if not result.get("ok", True):
            raise RunError(f"{self._process.args!r}: {result.get('error', result)}")
        return result

    @property
    def cpu_s(self) -> float:
        return cpu_seconds(self.pid)


def run_client(argv: list[str], *, timeout_s: float = 300) -> dict[str, Any]:
    """Run a program to its first result line; raises RunError when there is none or it tells of a failure."""
    with Program(argv, ready_timeout_s=timeout_s) as client:
        return client.info
