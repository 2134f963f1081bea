"""The two runtimes, each with a loop to run it in: what the conformance tests are parametrised by."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tests.runtime.name_server import NameServer
from tests.support import run as run_really
from warren.runtime.real import RealRuntime, RealTransport
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from warren.runtime.seam import Runtime

T = TypeVar("T")
LIMIT_S = 30.0


@dataclass
class Setting:
    """A server's and a client's runtime and where they meet.

    host4, host6: the server's addresses; folder: an empty folder on the server's disk; kind: "real" or
    "simulated". texts: TXT records that can be looked up. server_links, client_links: addresses of interfaces
    on one link.
    """

    kind: str
    run: Callable[[Coroutine[Any, Any, T]], T]
    server: Runtime
    client: Runtime
    host4: str
    host6: str
    folder: str
    texts: dict[str, list[bytes]]
    server_links: list[str]
    client_links: list[str]
    close: Callable[[], None]

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}"


def real(tmp_path: Path) -> Setting:
    names = NameServer()
    runtime = RealRuntime(transport=RealTransport(name_servers=[names.address]))
    return Setting(
        "real",
        run_really,
        runtime,
        runtime,
        "127.0.0.1",
        "::1",
        os.fspath(tmp_path),
        names.texts,
        ["127.0.0.1"],
        ["127.0.0.1"],
        names.close,
    )


def simulated(_: Path) -> Setting:
    world = World(seed=1)
    server, client = world.runtime("server"), world.runtime("client")
    server.disk.make_dirs("/home/server")
    host4, host6 = world.network.host("server").addresses
    world.network.set_segment("link", ["server", "client"])
    return Setting(
        "simulated",
        lambda main: world.run(main, limit_s=3600.0),
        server,
        client,
        host4,
        host6,
        "/home/server",
        world.network.texts,
        [host4, host6],
        list(world.network.host("client").addresses),
        world.close,
    )


SETTINGS = {"real": real, "simulated": simulated}


class Recorder(asyncio.BufferedProtocol):
    """A protocol that writes down what it is told, in order, and can be waited for."""

    def __init__(self, *, buffer_bytes: int = 65536, keep_open: bool = False) -> None:
        self.buffer = bytearray(buffer_bytes)
        self.keep_open = keep_open
        self.received = bytearray()
        self.calls: list[str] = []
        self.error: Exception | None = None
        self._changed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._note("made")

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.buffer)

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self.buffer[:nbytes]
        self._note("data")

    def eof_received(self) -> bool:
        self._note("eof")
        return self.keep_open

    def pause_writing(self) -> None:
        self._note("pause")

    def resume_writing(self) -> None:
        self._note("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self._note("lost")

    async def until(self, condition: Callable[[Recorder], object]) -> None:
        """Wait until something was called after which `condition` holds."""
        async with asyncio.timeout(LIMIT_S):
            while not condition(self):
                await self._changed
                self._changed = asyncio.get_running_loop().create_future()

    async def until_called(self, call: str) -> None:
        await self.until(lambda r: call in r.calls)

    async def until_received(self, size: int) -> None:
        await self.until(lambda r: len(r.received) >= size)

    def _note(self, call: str) -> None:
        if call != "data" or self.calls[-1] != "data":
            self.calls.append(call)
        if not self._changed.done():
            self._changed.set_result(None)


class Door:
    """A listener and the protocols of the links it accepted."""

    def __init__(self, make: Callable[[], Recorder] = Recorder) -> None:
        self._make = make
        self.guests: asyncio.Queue[Recorder] = asyncio.Queue()

    def factory(self) -> Recorder:
        guest = self._make()
        self.guests.put_nowait(guest)
        return guest

    async def guest(self) -> Recorder:
        """Return the next accepted link's protocol, connected."""
        async with asyncio.timeout(LIMIT_S):
            guest = await self.guests.get()
        await guest.until_called("made")
        return guest
