"""The API's server: uvicorn on a loopback port, inside the node's own loop.

In:  an ASGI application, an `ApiConfig`.
Out: `serve(...)`, which holds the port while its block runs, and yields where it listens.

A connection that sends no whole request head in ten seconds is closed, and there are never more connections
than twice the requests answered at once: otherwise any program on this machine could hold them all, without a
token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from warren.config import ApiConfig, StatusConfig
from warren.core.errors import ConfigError
from warren.frontends.api.guard import App

HEAD_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 5
# Streams that are open when the node stops are cut at once: what they wait for ends with the node.
GRACE_S = 0
HEAD_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the API listens, and the values of `Host` that mean it."""

    host: str
    port: int

    @property
    def hosts(self) -> list[str]:
        """Every way to write this address in a URL of this machine, the best first."""
        names = dict.fromkeys((_bracketed(self.host), "localhost", "127.0.0.1", "[::1]"))
        return [f"{name}:{self.port}" for name in names]


def bind(config: ApiConfig) -> socket.socket:
    """Take the port. Raises ConfigError if another program has it."""
    try:
        return take_port(config.host, config.port)
    except OSError as error:
        raise ConfigError(
            f"the API cannot listen on {config.host} port {config.port}: {error.strerror}",
            hint="choose another port with WARREN_API_PORT or [api] port; 0 picks a free one",
        ) from error


def take_port(host: str, port: int) -> socket.socket:
    """A socket bound there. Raises OSError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let another program take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def listening(listener: socket.socket) -> Listening:
    """Where a bound socket listens."""
    host, port = listener.getsockname()[:2]
    return Listening(host, port)


@contextlib.asynccontextmanager
async def serve(
    app: App, listener: socket.socket, config: ApiConfig | StatusConfig, name: str = "api"
) -> AsyncIterator[None]:
    """Answer requests while the block runs. Takes `listener` over and closes it."""
    server = _Server(_uvicorn_config(app, config))
    task = asyncio.create_task(server.serve([listener]), name=name)
    try:
        await _ready(server, task)
        yield
    finally:
        server.stop.set()
        await task


def _uvicorn_config(app: App, config: ApiConfig | StatusConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_protocol(config.requests_max * 2),
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
    )


class _Server(uvicorn.Server):
    """Leaves signals to the program, and sleeps until it is told to stop instead of polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.ready.set()
        await self.stop.wait()


def _protocol(connections_max: int) -> type[asyncio.Protocol]:
    class Protocol(H11Protocol):
        """HTTP/1.1 with a deadline for the first request's head, and a cap on connections."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > connections_max:
                transport.close()
            else:
                self.loop.call_later(HEAD_TIMEOUT_S, self._close_if_silent)

        def _close_if_silent(self) -> None:
            if self.cycle is None:
                self.transport.close()  # type: ignore[unreachable]

    return Protocol


async def _ready(server: _Server, task: asyncio.Task[None]) -> None:
    """Wait until the server answers; if it ends before, raise what it raised."""
    waiting = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
        if not server.ready.is_set():
            task.result()
    finally:
        waiting.cancel()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# It would tell of every malformed request, and once more of every bug that `errors` has told of.
logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
