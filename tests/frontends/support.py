"""A fake node behind the real API on a real port, in a thread of its own, for tests that are clients of it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
from dataclasses import dataclass

from tests.frontends.fake_node import FakeNode
from warren.config import ApiConfig
from warren.frontends.api import app, server
from warren.frontends.cli.client import Client
from warren.frontends.cli.main import run
from warren.frontends.home import Home, HomeLock

TOKEN = "the-token"


@dataclass
class RunningApi:
    node: FakeNode
    home: Home
    port: int
    loop: asyncio.AbstractEventLoop
    stopped: threading.Event

    @property
    def client(self):
        return Client(self.home.door(), timeout_s=10)

    def request(self, method, path, body=None, headers=None):
        """A raw request with our own headers; returns the response, read whole."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            known = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
            sent = {name: value for name, value in known.items() if value is not None}
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def json(self, method, path, body=None):
        response, raw = self.send(method, path, body)
        return response.status, json.loads(raw)

    def send(self, method, path, body=None):
        if body is None:
            return self.request(method, path)
        return self.request(method, path, json.dumps(body), {"Content-Type": "application/json"})

    def call(self, function):
        """Run a function in the node's loop and return what it returned."""

        async def once():
            return function()

        return asyncio.run_coroutine_threadsafe(once(), self.loop).result(5)


@contextlib.contextmanager
def running_api(folder, config=None):
    """The API around a fake node, with the lock and the door of a real one."""
    config = config or ApiConfig(requests_max=4)
    home = Home(folder)
    ready = threading.Event()
    found = []

    async def main():
        node = FakeNode()
        stop, stopped = asyncio.Event(), threading.Event()

        def on_stop():
            stopped.set()

        listener = server.bind(config)
        guard = app.create(node, token=TOKEN, config=config, stop=on_stop)
        where = server.listening(listener)
        guard.set_hosts(where.hosts)
        async with server.serve(guard, listener, config):
            loop = asyncio.get_running_loop()
            found.append((RunningApi(node, home, where.port, loop, stopped), stop))
            ready.set()
            await stop.wait()

    with HomeLock(home):
        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        assert ready.wait(10)
        api, stop = found[0]
        home.open_door("127.0.0.1", api.port, TOKEN)
        try:
            yield api
        finally:
            api.loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            assert not thread.is_alive()


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def warren(capfd, home, *words):
    """Run one command line in this process, as `main` would."""
    capfd.readouterr()
    code = run(["--home", str(home), *map(str, words)])
    out, err = capfd.readouterr()
    return Said(code, out, err)
