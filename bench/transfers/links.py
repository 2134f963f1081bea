"""Hosts on one machine with lines of their own: network namespaces at a bridge, each line shaped by `tc`.

Needs root and iproute2. The packets are as large as on loopback, so that a cap is of what is sent, headers
are nothing to speak of, and processors spend what they do there.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from bench.copies import program
from bench.processes import RunError

MTU = 65_000
BURST_BYTES = 256 * 1024
QUEUE_MS = 50


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace with one address."""

    name: str
    ip: str

    def command(self, *argv: str) -> list[str]:
        """The same command, run on this host."""
        return ["ip", "netns", "exec", self.name, *argv]


def missing() -> str:
    """What is needed and not there; empty when all is."""
    if os.getuid():
        return "root, for network namespaces"
    return "" if program("ip") and program("tc") else "apt install iproute2"


class Links:
    """Makes hosts; they are gone with the `with` block."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._hub = f"wb{os.getpid()}"
        self._count = 0

    def __enter__(self) -> Self:
        self._namespace(self._hub)
        _ip("-n", self._hub, "link", "add", "br0", "type", "bridge")
        _ip("-n", self._hub, "link", "set", "br0", "mtu", str(MTU), "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def host(self, up_bytes_per_s: int = 0) -> Host:
        """One more host, which sends at most so many bytes a second; 0: no cap."""
        self._count += 1
        made = Host(f"{self._hub}h{self._count}", f"10.78.0.{self._count}")
        port = f"p{self._count}"
        self._namespace(made.name)
        _ip("-n", made.name, "link", "set", "lo", "up")
        _ip("-n", self._hub, "link", "add", port, "type", "veth", "peer", "name", "up0", "netns", made.name)
        _ip("-n", self._hub, "link", "set", port, "mtu", str(MTU), "master", "br0", "up")
        _ip("-n", made.name, "addr", "add", f"{made.ip}/24", "dev", "up0")
        _ip("-n", made.name, "link", "set", "up0", "mtu", str(MTU), "up")
        if up_bytes_per_s:
            shape = [
                "rate",
                f"{up_bytes_per_s * 8}bit",
                "burst",
                str(BURST_BYTES),
                "latency",
                f"{QUEUE_MS}ms",
            ]
            _run(*made.command("tc", "qdisc", "add", "dev", "up0", "root", "tbf", *shape))
        return made

    def _namespace(self, name: str) -> None:
        _ip("netns", "add", name)
        self._stack.callback(_ip, "netns", "del", name)


def _ip(*argv: str) -> None:
    _run("ip", *argv)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"{' '.join(argv)}: {done.stderr.strip()}")
