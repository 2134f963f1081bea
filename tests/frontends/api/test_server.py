from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.support import run
from warren.config import ApiConfig
from warren.core.errors import WarrenError
from warren.frontends.api import server


def test_a_port_that_is_taken_is_told() -> None:
    with server.bind(ApiConfig()) as first:
        first.listen()
        where = server.listening(first)
        with pytest.raises(WarrenError, match=f"cannot listen on 127.0.0.1 port {where.port}") as caught:
            server.bind(ApiConfig(port=where.port))
    assert "WARREN_API_PORT" in caught.value.hint


def test_the_names_of_an_address() -> None:
    names = server.Listening("127.0.0.1", 5).hosts
    assert sorted(names) == ["127.0.0.1:5", "[::1]:5", "localhost:5"]
    assert names[0] == "127.0.0.1:5"
    assert server.Listening("::1", 5).hosts[0] == "[::1]:5"


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_it_listens_on_ipv6_loopback() -> None:
    try:
        listener = server.bind(ApiConfig(host="::1"))
    except WarrenError:
        pytest.skip("needs an IPv6 loopback address")
    with listener:
        assert server.listening(listener).host == "::1"


def test_a_stream_that_is_open_does_not_delay_the_end() -> None:
    async def main() -> None:
        began, ended = asyncio.Event(), asyncio.Event()

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            assert scope["type"] == "http"
            await send({"type": "http.response.start", "status": 200, "headers": []})
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        config = ApiConfig()
        listener = server.bind(config)
        async with server.serve(app, listener, config):
            reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await began.wait()
        await ended.wait()
        writer.close()
        assert reader is not None

    run(main(), timeout_s=10)
