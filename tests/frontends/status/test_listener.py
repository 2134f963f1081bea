"""The status listener on a real port: what it answers when, and what it refuses."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.frontends.status.snapshot import SNAPSHOT
from tests.support import run
from warren.config import StatusConfig
from warren.core.errors import ConfigError, StorageError
from warren.frontends.status.app import FRESH_S
from warren.frontends.status.listener import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.frontends.status.listener import StatusListener
    from warren.node import Node

PATHS = ("/healthz", "/readyz", "/server_info", "/metrics")


class FakeNode:
    """What the listener needs of a node. `asked`: how often it was looked at; `fault`: raised then."""

    def __init__(self) -> None:
        self.status = self.network = self
        self.listening = True
        self.now = 100.0
        self.asked = 0
        self.fault: Exception | None = None
        self.held: asyncio.Event | None = None

    def clock(self) -> float:
        return self.now

    async def snapshot(self) -> Any:
        self.asked += 1
        if self.held is not None:
            await self.held.wait()
        if self.fault is not None:
            raise self.fault
        return SNAPSHOT


class Scene:
    def __init__(self, listener: StatusListener) -> None:
        self.listener = listener
        self.host = listener.url.removeprefix("http://")
        self.node = FakeNode()

    def begin(self) -> None:
        self.listener.begin(cast("Node", self.node))

    async def raw(self, request: bytes) -> bytes:
        host, _, port = self.host.rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def get(self, path: str, method: str = "GET", *more: str, host: str = "") -> tuple[int, bytes, str]:
        """Status, body and head of an answer, read to the end of the connection."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or self.host}", *more, "", ""]
        head, _, body = (await self.raw("\r\n".join(lines).encode())).partition(b"\r\n\r\n")
        return int(head.split()[1]), body, head.decode().lower()


@asynccontextmanager
async def scene(**settings: Any) -> AsyncIterator[Scene]:
    async with listening(StatusConfig(**{"listen": "0", **settings})) as listener:
        yield Scene(listener)


def test_health_readiness_facts_and_metrics_follow_the_life_of_the_node() -> None:
    async def main() -> None:
        async with scene() as here:
            assert here.listener.url.startswith("http://127.0.0.1:")
            assert (await here.get("/healthz"))[:2] == (200, b"alive\n")
            assert (await here.get("/readyz"))[:2] == (503, b"the node is starting\n")
            assert (await here.get("/server_info"))[0] == 503
            assert b"warren_ready 0.0" in (await here.get("/metrics"))[1]
            here.begin()
            assert (await here.get("/readyz"))[:2] == (200, b"ready\n")
            status, body, head = await here.get("/server_info")
            assert (status, json.loads(body)["peers"]["known"]) == (200, 40)
            assert "content-type: application/json" in head
            status, body, head = await here.get("/metrics")
            assert b"warren_peers_known 40.0" in body
            assert "content-type: text/plain; version=0.0.4" in head
            here.node.listening = False
            assert (await here.get("/readyz"))[:2] == (503, b"the node does not listen\n")
            here.listener.drain()
            assert (await here.get("/readyz"))[:2] == (503, b"the node is stopping\n")
            assert (await here.get("/healthz"))[0] == 200

    run(main())


def test_head_is_get_without_the_body() -> None:
    async def main() -> None:
        async with scene() as here:
            here.begin()
            for path in PATHS:
                _, body, head = await here.get(path)
                status, nothing, same = await here.get(path, "HEAD")
                assert (status, nothing) == (200, b"")
                assert f"content-length: {len(body)}" in head
                assert head.split("\r\n")[1:] == same.split("\r\n")[1:]
                assert "connection: close" in head

    run(main())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_changed(method: str) -> None:
    async def main() -> None:
        async with scene() as here:
            here.begin()
            status, body, head = await here.get("/server_info", method)
            assert (status, json.loads(body)["error"]) == (405, "MethodNotAllowed")
            assert "allow: get, head" in head
            assert here.node.asked == 0

    run(main())


def test_other_paths_hosts_and_bodies_are_refused() -> None:
    async def main() -> None:
        async with scene() as here:
            here.begin()
            for path in ("/", "/v1/status", "/metrics/", "/server_info/x"):
                status, body, _ = await here.get(path)
                assert (status, "/readyz" in json.loads(body)["message"]) == (404, True)
            port = here.host.rpartition(":")[2]
            assert (await here.get("/healthz", host=f"localhost:{port}"))[0] == 200
            for host in ("evil.example", f"evil.example:{port}", "127.0.0.1"):
                assert (await here.get("/server_info", host=host))[0] == 421
            assert (await here.get("/healthz", "GET", "Content-Length: 5"))[0] == 413
            assert (await here.get("/healthz", "GET", "Transfer-Encoding: chunked"))[0] == 413
            assert here.node.asked == 0

    run(main())


def test_elsewhere_than_on_loopback_any_name_is_fine() -> None:
    async def main() -> None:
        async with scene(listen="0.0.0.0:0") as here:
            here.host = here.host.replace("0.0.0.0", "127.0.0.1")
            assert (await here.get("/healthz", host="warren.example:9101"))[0] == 200

    run(main())


def test_many_requests_cost_one_look_and_too_many_at_once_are_refused() -> None:
    async def main() -> None:
        async with scene(requests_max=2) as here:
            here.begin()
            for path in ("/metrics", "/server_info", "/metrics"):
                assert (await here.get(path))[0] == 200
            assert here.node.asked == 1
            here.node.now += FRESH_S
            here.node.held = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                held = [tasks.create_task(here.get("/metrics")) for _ in range(2)]
                while here.node.asked < 3:  # noqa: ASYNC110  no time passes
                    await asyncio.sleep(0)
                assert (await here.get("/healthz"))[0] == 429
                here.node.held.set()
            assert [task.result()[0] for task in held] == [200, 200]

    run(main())


def test_a_fault_costs_its_request(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with scene() as here:
            here.begin()
            here.node.fault = StorageError("the disk is gone")
            status, body, _ = await here.get("/metrics")
            assert (status, json.loads(body)["message"]) == (503, "the disk is gone")
            here.node.fault = ZeroDivisionError("secret")
            status, body, _ = await here.get("/server_info")
            assert (status, b"secret" in body) == (500, False)
            assert (await here.get("/healthz"))[0] == 200

    run(main())
    assert "a fault in the status listener" in caplog.text


def test_without_an_address_nothing_listens() -> None:
    async def main() -> None:
        async with listening(StatusConfig()) as listener:
            assert listener.url == ""
            listener.begin(cast("Node", FakeNode()))
            listener.drain()

    run(main())


def test_a_port_that_is_taken_is_told() -> None:
    async def main() -> None:
        async with scene() as here:
            with pytest.raises(ConfigError, match="the status listener cannot listen") as caught:
                async with listening(StatusConfig(listen=here.host)):
                    pass
            assert "--status-listen" in caught.value.hint

    run(main())
