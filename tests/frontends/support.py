"""A fake node behind the real API on a real port, in a thread of its own, for tests of its clients."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import warren as package
from tests.frontends.fake_node import FakeNode
from warren.config import ApiConfig, Config
from warren.frontends.api import app, server
from warren.frontends.cli.client import Client
from warren.frontends.cli.main import run
from warren.frontends.home import Home
from warren.runtime.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from warren.node import Node

TOKEN = "the-token"
# What takes so long hangs, however busy the machine is.
HANGS_S = 60.0


@dataclass
class RunningApi:
    node: FakeNode
    home: Home
    port: int
    loop: asyncio.AbstractEventLoop
    stopped: threading.Event

    @property
    def client(self) -> Any:
        return Client(self.home.door(), timeout_s=HANGS_S)

    def request(self, method: str, path: Any, body: Any = None, headers: Any = None) -> Any:
        """A raw request with our own headers; returns the response, read whole."""
        with self._asked(method, path, body, headers) as response:
            return response, response.read()

    @contextlib.contextmanager
    def opened(self, method: str, path: Any, body: Any) -> Any:
        """A request whose response is read by who asks."""
        with self._asked(method, path, json.dumps(body), {"Content-Type": "application/json"}) as response:
            yield response

    @contextlib.contextmanager
    def _asked(self, method: str, path: Any, body: Any, headers: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANGS_S)
        try:
            known = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
            sent = {name: value for name, value in known.items() if value is not None}
            connection.request(method, path, body, sent)
            yield connection.getresponse()
        finally:
            connection.close()

    def json(self, method: str, path: Any, body: Any = None) -> Any:
        response, raw = self.send(method, path, body)
        return response.status, json.loads(raw)

    def send(self, method: str, path: Any, body: Any = None) -> Any:
        if body is None:
            return self.request(method, path)
        return self.request(method, path, json.dumps(body), {"Content-Type": "application/json"})

    def call(self, function: Any) -> Any:
        """Run a function in the node's loop and return what it returned."""

        async def once() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(once(), self.loop).result(HANGS_S)

    def wait(self, until: Any) -> None:
        """Wait for what happens in the node, or elsewhere, without a sign of it."""
        deadline = time.monotonic() + HANGS_S
        while not until():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextlib.contextmanager
def holding(home: Home) -> Iterator[None]:
    """The lock, as a node holds it while it runs."""
    home.make()
    with contextlib.closing(FileLock(home.lock_file)):
        yield


@contextlib.contextmanager
def running_api(folder: Any, config: Any = None) -> Any:
    """The API around a fake node, with the lock and the door of a real one."""
    config = config or ApiConfig(requests_max=4)
    home = Home(folder)
    ready = threading.Event()
    found = []

    async def main() -> None:
        node = FakeNode(Config(name="me", download_dir=Path(folder) / "downloads"))
        stop, stopped = asyncio.Event(), threading.Event()

        def on_stop() -> None:
            stopped.set()

        listener = server.bind(config)
        guard = app.create(cast("Node", node), token=TOKEN, config=config, stop=on_stop)
        where = server.listening(listener)
        guard.set_hosts(where.hosts)
        async with server.serve(guard, listener, config):
            loop = asyncio.get_running_loop()
            found.append((RunningApi(node, home, where.port, loop, stopped), stop))
            ready.set()
            await stop.wait()

    with holding(home):
        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        assert ready.wait(HANGS_S)
        api, stop = found[0]
        home.open_door("127.0.0.1", api.port, TOKEN)
        try:
            yield api
        finally:
            api.loop.call_soon_threadsafe(stop.set)
            thread.join(HANGS_S)
            assert not thread.is_alive()


def environment(**more: Any) -> Any:
    """What a program of ours needs to find the package under test, with nobody's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WARREN_")}
    return {**kept, "PYTHONPATH": str(Path(package.__file__).parents[1]), **more}


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def warren(capfd: pytest.CaptureFixture[str], home: Any, *words: Any) -> Any:
    """Run one command line in this process, as `main` would."""
    capfd.readouterr()
    code = run(["--home", str(home), *map(str, words)])
    out, err = capfd.readouterr()
    return Said(code, out, err)


def hold_until_progress_is_shown(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of the fake node ends when its first progress was shown by a command in this process."""
    real = Client.stream

    def stream(self: Client, *words: Any, **query: Any) -> Iterator[Any]:
        for line in real(self, *words, **query):
            yield line
            if line["event"] == "progress" and line["done_bytes"]:
                api.call(api.node.hold.set)

    monkeypatch.setattr(Client, "stream", stream)
    api.call(api.node.hold.clear)
