"""Connections to Redis, to one server or to a cluster, by redis-py.

In:  a URL. Out: what `services.directory.fleet.connection` asks for. redis-py is an extra (`warren[redis]`),
imported when the first connection is made; it is asked for scripts and for waiting on streams, and nothing of
it is seen above. It tries nothing again by itself: who asks knows better whether to.

Errors: `ConfigError` where the extra is missing or the server lets nobody in with that password;
`ConnectionFailed` where nobody answers; `StorageError` where the server says no, as when its memory is full.
https://redis.readthedocs.io/en/stable/
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from warren.core.errors import ConfigError, ConnectionFailed, DiskFull, StorageError, WarrenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONNECT_S: Final = 3.0
ANSWER_S: Final = 10.0
"""For an answer, beyond the time that was asked to be waited. Fault: a server that hangs."""
_log = logging.getLogger(__name__)


def is_there() -> bool:
    """Whether the extra is installed."""
    return find_spec("redis") is not None


async def connect(url: str, shown: str) -> RedisConnection:
    """Connect, and see that the server can be used. shown: the URL as it may stand in messages."""
    if not is_there():
        raise ConfigError(
            "a store at a Redis server needs redis-py, which is not installed",
            hint="install it with: pip install 'warren[redis]'",
        )
    from redis.asyncio import Redis, RedisCluster  # noqa: PLC0415  an extra, and slow to import
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    with _translated(shown):
        settings: dict[str, Any] = {
            "protocol": 2,
            "socket_connect_timeout": CONNECT_S,
            # With a timeout redis-py would send by `wait_for`, which loses cancellations before Python 3.12.
            "socket_timeout": None,
            "retry": Retry(NoBackoff(), 0),
        }
        client: Any = Redis.from_url(url, **settings)
        try:
            async with asyncio.timeout(ANSWER_S):
                facts = await client.execute_command("INFO")
                if facts.get("cluster_enabled"):
                    await client.aclose()
                    # Two more tries: one to learn that a part has moved, one to ask where it is now.
                    client = RedisCluster.from_url(url, **{**settings, "retry": Retry(NoBackoff(), 2)})
                    await client.initialize()
        except BaseException:
            await client.aclose()
            raise
    if "allkeys" in str(facts.get("maxmemory_policy", "")):
        _log.warning(
            "%s evicts what it likes when its memory is full (maxmemory-policy %s): set noeviction",
            shown,
            facts["maxmemory_policy"],
        )
    return RedisConnection(client, shown)


class RedisConnection:
    """See `services.directory.fleet.connection.Connection`. Made by `connect`."""

    def __init__(self, client: Any, shown: str) -> None:
        """client: of a server or of a cluster, both of which keep several connections."""
        self._client = client
        self._shown = shown

    async def run(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """See `Connection`."""
        with _translated(self._shown):
            async with asyncio.timeout(ANSWER_S):
                return await self._client.execute_command("EVAL", script, len(keys), *keys, *args)

    async def wait(
        self, stream: str, after: str, *, wait_s: float, count: int
    ) -> list[tuple[str, Mapping[bytes, bytes]]]:
        """See `Connection`."""
        words = ("XREAD", "COUNT", count, "BLOCK", int(wait_s * 1000), "STREAMS", stream, after)
        with _translated(self._shown):
            async with asyncio.timeout(wait_s + ANSWER_S):
                found = await self._client.execute_command(*words)
        return [(number.decode(), fields) for _, entries in found or () for number, fields in entries]

    async def close(self) -> None:
        """See `Connection`."""
        with contextlib.suppress(WarrenError), _translated(self._shown):
            await self._client.aclose()


@contextlib.contextmanager
def _translated(shown: str) -> Iterator[None]:
    """The errors of redis-py in our words."""
    from redis import exceptions  # noqa: PLC0415  as above

    try:
        yield
    except (exceptions.AuthenticationError, exceptions.AuthorizationError) as error:
        raise ConfigError(
            f"{shown} lets nobody in with that name and password: {error}",
            hint="write them into the URL: redis://USER:PASSWORD@HOST:PORT, or :PASSWORD alone",
        ) from error
    except exceptions.NoPermissionError as error:
        raise ConfigError(
            f"{shown} forbids what a fleet needs: {error}", hint="see docs/install.md for its ACL"
        ) from error
    except exceptions.OutOfMemoryError as error:
        raise DiskFull(
            f"{shown} has no memory left and takes nothing", hint="give it more (maxmemory), or a cluster"
        ) from error
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
        raise ConnectionFailed(
            f"{shown} cannot be reached: {str(error) or 'no answer in time'}",
            hint="is it running, and may this machine reach it?",
        ) from error
    except (exceptions.RedisError, exceptions.RedisClusterException) as error:
        if str(error).startswith("NOAUTH"):
            raise ConfigError(
                f"{shown} wants a password", hint="write it into the URL: redis://:PASSWORD@HOST:PORT"
            ) from error
        raise StorageError(f"{shown} refuses: {error}") from error
