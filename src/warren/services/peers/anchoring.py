"""`Anchoring`: keeps a few long-lived connections over restarts, and dials them first.

In:  the connections that this node dialled; a file in the data folder. Out: anchors that are connected,
protected from being closed to make room, and written down. Which ones they are is decided in `anchors`.

Contacts are none: they are dialled anyway.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError
from warren.services.peers.anchors import TEXT_BYTES_MAX, Standing, choose, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.services.peers.anchors import Anchor
    from warren.services.peers.config import PeersConfig

LOOK_S: Final = 300.0
GROWN_S: Final = 600.0
"""A connection that stood for so long may become an anchor. Attack: peers that are there for the moment of a
restart that they cause."""
_TAG: Final = "anchor"
_log = logging.getLogger(__name__)


class Anchoring:
    """Runs as one task, from `run` until that is cancelled."""

    __slots__ = ("_anchors", "_config", "_is_contact", "_network", "_path")

    def __init__(
        self, network: Network, is_contact: Callable[[PeerId], bool], config: PeersConfig, path: Path | None
    ) -> None:
        """path: where they are kept; None for a node that leaves no trace."""
        self._network = network
        self._is_contact = is_contact
        self._config = config
        self._path = path
        self._anchors: list[Anchor] = []

    async def run(self) -> None:
        """Dial the anchors of the last time, then keep them, and choose new ones, until cancelled."""
        if not self._config.anchors:
            return
        self._set(await self._read())
        while True:
            await self._dial()
            await asyncio.sleep(LOOK_S)
            await self._choose()

    async def _dial(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for one in self._anchors:
                if not self._network.is_connected(one.peer):
                    tasks.create_task(self._connect(one))

    async def _connect(self, one: Anchor) -> None:
        try:
            timeout_s = self._config.probe_timeout_s
            await self._network.connect(one.peer, [one.address], timeout_s=timeout_s, forced=True)
        except WarrenError as error:
            _log.debug("anchor %s is not reachable: %s", one.peer, error)

    async def _choose(self) -> None:
        now = self._network.clock()
        standing = [
            Standing(socket.peer_id, socket.remote_addr, socket.opened_at)
            for socket in self._network.sockets()
            if socket.usable and socket.outbound and socket.proven and socket.remote_addr is not None
            if not self._is_contact(socket.peer_id)
        ]
        chosen = choose(self._anchors, standing, self._config.anchors, now - GROWN_S)
        if chosen != self._anchors:
            self._set(chosen)
            await self._write()

    def _set(self, anchors: list[Anchor]) -> None:
        for one in self._anchors:
            self._network.unprotect(one.peer, _TAG)
        for one in anchors:
            self._network.protect(one.peer, _TAG)
        self._anchors = anchors

    async def _read(self) -> list[Anchor]:
        if self._path is None:
            return self._anchors
        try:
            text = await self._network.runtime.offload(self._read_file, self._path)
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.warning("%s cannot be read: %s", self._path, error)
            return []
        return from_text(text, self._config.anchors)

    def _read_file(self, path: Path) -> bytes:
        file = self._network.runtime.disk.open_read(path, follow_link=False)
        try:
            return file.pread(0, TEXT_BYTES_MAX + 1)
        finally:
            file.close()

    async def _write(self) -> None:
        if self._path is None:
            return
        runtime = self._network.runtime
        try:
            await runtime.offload(runtime.disk.write_whole, self._path, to_text(self._anchors))
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error)
