"""Connecting to a real Redis: what is said where that does not work."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.fleet.redis_server import free_port, redis_server
from tests.support import require, run
from warren.core.errors import ConfigError, ConnectionFailed, DiskFull, StorageError
from warren.runtime.real import redis
from warren.runtime.real.redis import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.directory.fleet.redis_server import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis"), "--requirepass", "secret") as one:
        yield one


async def used(url: str, *scripts: str) -> list[object]:
    """What scripts return over a connection of their own."""
    connection = await connect(url, "the store")
    try:
        return [await connection.run(one, ["{1}:k"], ["v"]) for one in scripts]
    finally:
        await connection.close()


def as_user(server: RedisServer, secret: str) -> str:
    return server.url.replace("redis://", f"redis://{secret}@")


def test_scripts_run_and_streams_are_waited_for(server: RedisServer) -> None:
    async def main() -> None:
        connection = await connect(server.url, "the store")
        try:
            add = "return redis.call('XADD', KEYS[1], ARGV[1], 'f', ARGV[2])"
            assert await connection.wait("s", "0-0", wait_s=0.01, count=9) == []
            assert await connection.run(add, ["s"], ["7-1", b"\xff"]) == b"7-1"
            assert await connection.wait("s", "0-0", wait_s=5, count=9) == [("7-1", {b"f": b"\xff"})]
            assert await connection.wait("s", "7-1", wait_s=0.01, count=9) == []
        finally:
            await connection.close()

    run(main())


def test_a_password_opens(guarded: RedisServer) -> None:
    assert run(used(as_user(guarded, ":secret"), "return 5")) == [5]


@pytest.mark.parametrize("secret", ["", ":wrong", "bob:secret"])
def test_who_is_not_let_in_is_told_so(guarded: RedisServer, secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(used(as_user(guarded, secret) if secret else guarded.url))
    assert "the store" in str(caught.value)
    assert "PASSWORD" in caught.value.hint
    assert "secret" not in str(caught.value)


def test_what_the_server_refuses_is_named(server: RedisServer) -> None:
    with pytest.raises(StorageError, match="the store refuses"):
        run(used(server.url, "return redis.call('NONSENSE')"))
    server.say("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(DiskFull, match="no memory left"):
        run(used(server.url, "return redis.call('SET', KEYS[1], ARGV[1])"))
    server.say("CONFIG", "SET", "maxmemory", "0")


def test_a_server_that_forbids_what_is_needed_is_named(server: RedisServer) -> None:
    server.say("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+info")
    with pytest.raises(ConfigError, match="forbids what a fleet needs"):
        run(used(as_user(server, "bob:secret"), "return 5"))


def test_nobody_there_is_told_so() -> None:
    require(redis.is_there(), "redis")
    with pytest.raises(ConnectionFailed, match="cannot be reached") as caught:
        run(used(f"redis://127.0.0.1:{free_port()}/0"))
    assert caught.value.hint


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    require(redis.is_there(), "redis")
    monkeypatch.setattr(redis, "ANSWER_S", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ConnectionFailed, match="cannot be reached"),
    ):
        run(used(f"redis://127.0.0.1:{listener.getsockname()[1]}/0"))


def test_a_socket_in_the_file_system_will_do(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with redis_server(tmp_path / "redis", "--unixsocket", str(path)):
        assert run(used(f"unix://{path}", "return 5")) == [5]


def test_eviction_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with redis_server(tmp_path / "redis", "--maxmemory-policy", "allkeys-lru") as server:
        run(used(server.url))
    assert "set noeviction" in caplog.text


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setattr(redis, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="redis-py") as caught:
        run(used("redis://localhost"))
    assert "pip install 'warren[redis]'" in caught.value.hint
