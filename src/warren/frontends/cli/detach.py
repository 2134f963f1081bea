"""A node in the background: the same program once more, in a session of its own.

In:  the data folder and the flags. Out: what the node said when it was ready.

The child prints one JSON line to a pipe when it is ready, and lets go of the pipe; if it cannot start, its
error comes down the pipe as JSON and becomes ours. So nobody polls, and nothing here is of one platform only.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from warren.frontends.cli.client import rebuilt
from warren.frontends.home import Home


def start(home: Home, flags: Mapping[str, Any], *, debug: bool) -> dict[str, Any]:
    """Start the node and wait until it is ready. Raises what kept it from starting."""
    words = [sys.executable, "-P", "-m", "warren.frontends.cli", "up", "--detached", "--json"]
    words += ["--home", str(home.path)]
    words += ["--name", flags["name"]] if flags.get("name") else []
    for name in ("listen", "discovery.bootstrap", "discovery.dns", "overlay.neighbours"):
        for one in flags.get(name) or ():
            words += [f"--{name.rpartition('.')[2].replace('neighbours', 'neighbour')}", one]
    if (mdns := flags.get("discovery.mdns")) is not None:
        words += ["--mdns" if mdns else "--no-mdns"]
    if (role := flags.get("directory.role")) is not None:
        words += ["--role", role]
    if (status := flags.get("status.listen")) is not None:
        words += ["--status-listen", status]
    environment = dict(os.environ)
    if (store := flags.get("directory.store")) is not None:  # by the environment: it may hold a password
        environment["WARREN_DIRECTORY_STORE"] = store
    words += ["--debug"] if debug else []
    child = subprocess.Popen(  # noqa: S603  the program itself; its words are checked by its own parser
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        ready = _first_word(child.stdout or ())
    except BaseException:
        child.kill()
        raise
    finally:
        if child.stdout is not None:
            child.stdout.close()
    if ready.get("event") != "ready":
        child.wait()
        raise rebuilt(ready)
    child.returncode = 0  # it is nobody's child from here on, and nobody waits for it
    return ready


def let_go(log: Path) -> None:
    """In the child, once it is ready: let go of the pipe. What Python still has to say goes to the log."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(file, 2)
    os.close(file)


def _first_word(pipe: Iterable[str]) -> dict[str, Any]:
    """The first JSON document that comes; if none does, whatever came instead, as an error document."""
    said: list[str] = []
    for line in pipe:
        with contextlib.suppress(ValueError):
            document = json.loads(line)
            if isinstance(document, dict):
                return document
        said.append(line)
    lines = [line.strip() for line in said if line.strip()]  # of a traceback the last one says what it was
    message = f"the node did not start: {lines[-1] if lines else 'it said nothing'}"
    return {"error": "WarrenError", "message": message}
