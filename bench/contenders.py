"""Who is measured on the network: each answers the same subcommands, in a process of its own."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass

from tests.interop import install


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that listens and dials.

    `argv` is None when it is not installed; `how_to_get` is then the line to type. `conns` and `idle` say
    how many connections it is asked for: some libraries refuse or take minutes for what others do in a
    second.
    """

    name: str
    argv: list[str] | None
    how_to_get: str = ""
    conns: int = 300
    idle: int = 3000

    def command(self, *arguments: object) -> list[str]:
        assert self.argv is not None
        return [*self.argv, *map(str, arguments)]


WARREN = Contender("warren", [sys.executable, "-m", "bench.warren_peer"])
RAW = Contender("raw asyncio", [sys.executable, "-m", "bench.raw_peer"])


def foreign() -> list[Contender]:
    """The libp2p libraries that Warren is compared with, installed or not."""
    js_missing = install.how_to_get("js") + ("" if shutil.which("node") else " (after Node.js >= 20)")
    return [
        Contender("js-libp2p", install.command("js"), js_missing, conns=100, idle=1000),
        # It counts closed connections against its limit of 8 a peer for a while, then refuses for a minute.
        Contender("py-libp2p", install.command("py"), install.how_to_get("py"), conns=4, idle=100),
    ]
