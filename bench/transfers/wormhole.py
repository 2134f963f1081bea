"""magic-wormhole as a tool that copies: its two servers on loopback, one `send` and one `receive` each time.

It sends straight from one process to the other, and checks the hash of what came.
"""

from __future__ import annotations

import itertools
import subprocess
from typing import TYPE_CHECKING

from bench.copies import Tool, free_port, serve
from bench.processes import RunError

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

NAME = "magic-wormhole"
TIMEOUT_S = 300


def _quiet(argv: list[str]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet)


def wormhole(stack: ExitStack, folder: Path, python: Path) -> Tool:
    """python: the one of its environment."""
    folder.mkdir()
    mailbox, relay = free_port(), free_port()
    twist = [str(python), "-m", "twisted"]
    database = folder / "mailbox.sqlite"
    listen = f"--port=tcp:{mailbox}:interface=127.0.0.1"
    mail = [*twist, "wormhole-mailbox", listen, f"--channel-db={database}"]
    transit = [*twist, "transitrelay", f"--port=tcp:{relay}:interface=127.0.0.1"]
    servers = [serve(stack, mailbox, *mail, cwd=folder), serve(stack, relay, *transit, cwd=folder)]
    command = [str(python), "-m", "wormhole", f"--relay-url=ws://127.0.0.1:{mailbox}/v1"]
    command += [f"--transit-helper=tcp:127.0.0.1:{relay}"]
    numbers = itertools.count(100)

    def copy(source: Path, target: Path) -> None:
        code = f"{next(numbers)}-quick-test"
        send = [*command, "send", "--hide-progress", "--code", code, str(source)]
        receive = [*command, "receive", "--hide-progress", "--accept-file", "-o", str(target), code]
        with _quiet(send) as sender, _quiet(receive) as receiver:
            if receiver.wait(TIMEOUT_S) or sender.wait(TIMEOUT_S):
                raise RunError("wormhole failed")

    return Tool(NAME, copy, "", tuple(server.pid for server in servers))
