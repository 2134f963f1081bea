"""Real Redis servers for tests, each a process of its own: killed, restarted, emptied; clusters of them."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from tests.support import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY_S = 20.0
SLOTS = 16_384
DURABLE = ("--appendonly", "yes", "--appendfsync", "no")
"""What it answered is in its file, and is there again after it was killed."""


class RedisServer:
    """A server on a port of loopback. It touches no disk, unless `DURABLE` is among its options."""

    def __init__(self, folder: Path, *options: str) -> None:
        require(shutil.which("redis-server"), "redis-server (Debian: apt-get install redis-server)")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, or start it again with what it had; returns when it answers."""
        words = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.folder,
            "save": "",
            "daemonize": "no",
        }
        given = [word for key, value in words.items() for word in (f"--{key}", str(value))]
        self.process = subprocess.Popen(
            ["redis-server", *given, *self.options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )
        self._await_answer()

    def _await_answer(self) -> None:
        until = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(OSError):
                answer = self.say("PING")
                if answer.startswith((b"+PONG", b"-NOAUTH")):
                    return
            assert self.process is not None
            assert self.process.poll() is None, "redis-server has ended"
            assert time.monotonic() < until, "redis-server does not answer"

    def say(self, *words: str) -> bytes:
        """Send a command over a connection of its own; returns the beginning of the answer."""
        raw = [word.encode() for word in words]
        command = b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in raw)
        with socket.create_connection(("127.0.0.1", self.port), timeout=READY_S) as link:
            link.sendall(command)
            return link.recv(65536)

    def kill(self) -> None:
        """As kill -9 does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def lose_all(self) -> None:
        """What it had on the disk, while it does not run."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def close(self) -> None:
        if self.process is not None:
            self.kill()


@contextlib.contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def redis_cluster(folder: Path, count: int = 3) -> Iterator[list[RedisServer]]:
    """Servers that share all slots between them."""
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(redis_server(folder / str(number), *_of_cluster(free_port())))
            for number in range(count)
        ]
        for number, server in enumerate(servers):
            first, last = number * SLOTS // count, (number + 1) * SLOTS // count - 1
            assert server.say("CLUSTER", "ADDSLOTSRANGE", str(first), str(last)).startswith(b"+OK")
            bus = servers[0].options[servers[0].options.index("--cluster-port") + 1]
            assert server.say("CLUSTER", "MEET", "127.0.0.1", str(servers[0].port), bus).startswith(b"+OK")
        until = time.monotonic() + READY_S
        while not all(_knows_all(server, count) for server in servers):
            assert time.monotonic() < until, "the cluster does not come together"
        yield servers


def _of_cluster(bus: int) -> tuple[str, ...]:
    return ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "5000")


def _knows_all(server: RedisServer, count: int) -> bool:
    said = server.say("CLUSTER", "INFO")
    return b"cluster_state:ok" in said and b"cluster_known_nodes:%d" % count in said


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
        return port
