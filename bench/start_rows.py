"""The rows about starting: how long until the help is there, and until a node can be reached."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.contenders import foreign
from bench.processes import ENVIRONMENT, ROOT, Program, RunError
from bench.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

WARREN = [sys.executable, "-m", "warren.frontends.cli"]

Progress = Callable[[str], None]


def start_rows(runs: int, progress: Progress) -> Iterator[Row]:
    """Every row about starting."""
    help_row = Row("`warren --help`", "warren", "s", better="less", bound=0.3)
    bare_row = Row("`warren --help`", "python -c pass", "s", better="less")
    for run in range(runs + 1):  # the first one compiles modules and fills caches
        progress("start: warren --help")
        took_s = (_timed([*WARREN, "--help"]), _timed([sys.executable, "-c", "pass"]))
        if run:
            help_row.samples.append(took_s[0])
            bare_row.samples.append(took_s[1])
    yield from (help_row, bare_row)

    what = "start until ready"
    up_row = Row(what, "warren", "s", better="less", bound=1.0, note="`warren up`")
    for _ in range(runs):
        progress("start: warren up")
        up_row.samples.append(_up())
    yield up_row
    for library in foreign():
        row = Row(what, library.name, "s", better="less", note=f"missing: {library.how_to_get}")
        if library.argv is not None:
            row.note = "a listening node"
            for _ in range(runs):
                progress(f"start: {library.name}")
                with Program(library.command("listen")) as listener:
                    row.samples.append(listener.ready_s)
        yield row


def _timed(argv: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def _up() -> float:
    """From the command to its line that says ready, with a new data folder."""
    with tempfile.TemporaryDirectory(prefix="warren-bench.") as home:
        options = ["--json", "--home", home, "up", "--listen", "/ip4/127.0.0.1/tcp/0", "--name", "bench"]
        start = time.perf_counter()
        with subprocess.Popen(
            [*WARREN, *options], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as node:
            assert node.stdout is not None
            line = node.stdout.readline()
            took_s = time.perf_counter() - start
            node.terminate()
        if not line or json.loads(line).get("event") != "ready":
            raise RunError(f"warren up did not say that it is ready: {line!r}")
        return took_s
