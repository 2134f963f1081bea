"""`listening`: the status listener for as long as a block runs, before the node starts until after it ended.

In:  the configuration. Out: a `StatusListener` that says where it listens; tell it of the node with `begin`
and `drain`. Where none is configured nothing listens, and nothing of the web is imported for it.

Refuses an address that is taken or not ours (ConfigError).
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from typing import TYPE_CHECKING

from warren.config import split_listen
from warren.core.errors import ConfigError

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from warren.config import StatusConfig
    from warren.frontends.status.app import StatusApp
    from warren.node import Node

_LOG = logging.getLogger(__name__)


class StatusListener:
    """Where it listens, as a URL; empty where it does not."""

    def __init__(self, url: str = "", app: StatusApp | None = None) -> None:
        self.url = url
        self._app = app

    def begin(self, node: Node) -> None:
        """The node runs."""
        if self._app is not None:
            self._app.begin(node)

    def drain(self) -> None:
        """The node is about to end."""
        if self._app is not None:
            self._app.drain()


@contextlib.asynccontextmanager
async def listening(config: StatusConfig) -> AsyncIterator[StatusListener]:
    """Answer while the block runs. Raises ConfigError."""
    if not config.listen:
        yield StatusListener()
        return
    from warren.frontends.api import server
    from warren.frontends.status.app import StatusApp

    listener = _bound(config.listen)
    app = StatusApp(requests_max=config.requests_max)
    where = server.listening(listener)
    if ipaddress.ip_address(where.host).is_loopback:
        app.set_hosts(where.hosts)
    else:
        _LOG.warning("the status listener is open to whoever reaches %s", where.hosts[0])
    async with server.serve(app, listener, config, name="status"):
        yield StatusListener(f"http://{where.hosts[0]}", app)


def _bound(listen: str) -> socket.socket:
    from warren.frontends.api.server import take_port

    host, port = split_listen(listen)
    try:
        return take_port(host, port)
    except OSError as error:
        raise ConfigError(
            f"the status listener cannot listen on {host} port {port}: {error.strerror}",
            hint="choose another one with --status-listen or [status] listen; port 0 picks a free one",
        ) from error
