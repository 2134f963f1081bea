"""One node as a program: log, node, API, door; and the same backwards.

In:  a data folder and its configuration. Out: a process that serves until it is told to stop.
Start and stop stand together, so that what was opened last is closed first, whatever happens in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import warren
from warren.config import Config
from warren.core.errors import WarrenError
from warren.frontends import happenings
from warren.frontends.api import app, server
from warren.frontends.home import Home
from warren.frontends.logs import FILE_ONLY, logging_to
from warren.frontends.status.listener import listening
from warren.node import Node
from warren.runtime.real.descriptors import allow_open_files
from warren.services.identity.home import in_use

_LOG = logging.getLogger(__name__)
_TOKEN_BYTES = 32
FILES_BESIDES: Final = 512
"""Files that a node has open besides its connections: databases, shares that are read, its API."""
# Ctrl-C promises an end within a second; what a graceful stop has not done by then is left to the next start.
INTERRUPT_GRACE_S = 0.9
EXIT_INTERRUPTED = 130
# For which a busy thread keeps the interpreter from the others. The loop hands it over with each call to the
# system; with Python's 5 ms a database at work would hold up every message for so long.
SWITCH_S = 0.0005
# New objects after which Python looks for cycles among them: more than its 700, for a node has few cycles and
# many objects.
GC_THRESHOLDS = (5000, 20, 20)


@dataclass(frozen=True, slots=True)
class Ready:
    """What a node that serves tells the world. status: the URL of its status listener, if it has one."""

    peer_id: str
    name: str
    listen: tuple[str, ...]
    pid: int
    api: str
    status: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "peer_id": self.peer_id,
            "name": self.name,
            "listen": list(self.listen),
            "pid": self.pid,
            "api": self.api,
            "status": self.status,
        }


def run(home: Home, config: Config, on_ready: Callable[[Ready], None], *, debug: bool, detached: bool) -> int:
    """Serve until SIGTERM, SIGINT or `warren down`. Returns the exit code.

    on_ready: called once, when the API answers.
    Raises WarrenError when the node cannot start: another runs here, no address can be listened on, ...
    """
    # The node itself takes the lock. To look before spares the log and the door of one that runs already.
    if (pid := home.running_pid()) is not None:
        raise in_use(home.path, pid)
    home.forget_door()
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)
    with logging_to(home.log_file, debug=debug, also_stderr=not detached):
        try:
            return asyncio.run(_serve(home, config, on_ready))
        except WarrenError as error:  # whoever started it is told by who called us
            _LOG.error("the node did not start: %s", error, extra={FILE_ONLY: True})
            raise


async def _serve(home: Home, config: Config, on_ready: Callable[[Ready], None]) -> int:
    _allow_connections(config)
    with _Stopper() as stopper, contextlib.closing(server.bind(config.api)) as listener:
        async with listening(config.status) as status, Node(config) as node:
            status.begin(node)
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            guard = app.create(node, token=token, config=config.api, stop=stopper.stop, status_url=status.url)
            where = server.listening(listener)
            guard.set_hosts(where.hosts)
            async with server.serve(guard, listener, config.api), asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(happenings.tell(node))
                try:
                    home.open_door(where.host, where.port, token)
                    _LOG.info("Warren %s serves as %s (%s)", warren.__version__, node.name, node.peer_id)
                    on_ready(_ready(node, where, status.url))
                    code = await stopper.wait()
                finally:
                    status.drain()
                    home.forget_door()
                telling.cancel()
        _LOG.info("stopped")
    return code


def _allow_connections(config: Config) -> None:
    """Be allowed as many open files as there may be connections; else say what to do."""
    network = config.network
    needed = network.inbound_max + FILES_BESIDES
    allowed = allow_open_files(needed + network.outbound_max)
    if allowed is not None and allowed < needed:
        _LOG.log(
            logging.WARNING if config.directory.role == "super" else logging.INFO,
            "this process may have %d files open; for %d connections it needs %d, so some will not be taken: "
            "raise the limit before the start (ulimit -n %d, or LimitNOFILE=%d in a systemd unit), "
            "or lower network.inbound_max",
            allowed,
            network.inbound_max,
            needed,
            needed,
            needed,
        )


def _ready(node: Node, where: server.Listening, status_url: str) -> Ready:
    listen = tuple(str(address) for address in node.addresses())
    return Ready(str(node.peer_id), node.name, listen, os.getpid(), f"http://{where.hosts[0]}", status_url)


class _Stopper:
    """Turns signals and requests into one end of the program.

    The first signal asks for a graceful stop, a second one ends the process at once.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._code = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop(self) -> None:
        """Ask for the end, from within."""
        self._event.set()

    async def wait(self) -> int:
        """Wait for it. Returns the exit code."""
        await self._event.wait()
        if self._code == EXIT_INTERRUPTED:
            self._loop.call_later(INTERRUPT_GRACE_S, os._exit, EXIT_INTERRUPTED)
        return self._code

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._event.is_set():
            os._exit(EXIT_INTERRUPTED)
        self._code = EXIT_INTERRUPTED if number == signal.SIGINT else 0
        self._loop.call_soon_threadsafe(self._event.set)
