"""Telling the DHT which roots this node shares with everybody, and taking that back.

In:  the shares as they are; time. Out: provider records, which `services.dht` puts again as long as they are
to stand. Only public shares that are there are told of, and of all they hold the root alone: by what is in
them they are found through the directory. What the user provides by hand is left alone.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.cid import Cid
from warren.core.errors import ConfigError, ConnectionFailed, InvalidCid, WarrenError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from warren.runtime.seam import Database
    from warren.services.files.types import Share

ANNOUNCED_MAX: Final = 500
"""Each costs some 20 messages a day for each of the 20 peers that keep it. Fault: a share for every song."""
SETTLE_S: Final = 30.0
"""A share that changes all the time is told of once in so long."""
_HIDDEN: Final = frozenset({"missing", "changed"})
_log = logging.getLogger(__name__)


class Providing(Protocol):
    """What is needed of the DHT."""

    async def provide(self, root: Cid) -> None:
        """Raises `ConfigError` while it is switched off, `ConnectionFailed` where it will be told later."""
        ...

    async def stop(self, root: Cid) -> None:
        """Taking back what is not told of changes nothing. Raises as `provide` does."""
        ...

    def is_provided(self, root: Cid) -> bool:
        """Whether it is told of already. Raises `ConfigError` while it is switched off."""
        ...


class Announcing:
    """Of one node. `wake` it when shares change; `run` it as long as the node lives."""

    def __init__(self, state: Database, shares: Callable[[], Sequence[Share]], providing: Providing) -> None:
        """state: the durable database, with the table of schema/0012_holders.sql."""
        self._state = state
        self._shares = shares
        self._providing = providing
        self._news = asyncio.Event()
        self._news.set()

    def wake(self) -> None:
        """Something is shared, or is another, or is not shared any more."""
        self._news.set()

    async def run(self) -> None:
        """Follow the shares until cancelled; at once to its end where the DHT is switched off."""
        while True:
            await self._news.wait()
            await asyncio.sleep(SETTLE_S)
            self._news.clear()
            try:
                await self._catch_up()
            except ConfigError:
                return
            except WarrenError as error:
                _log.warning("the DHT does not know what is shared with everybody, for now: %s", error)

    async def _catch_up(self) -> None:
        told = await self._state.run(_told)
        wanted = public_roots(self._shares())
        for root in sorted(told - wanted):
            await self._providing.stop(root)
            await self._state.run(partial(_forget, root=root))
        for root in sorted(wanted):
            if root not in public_roots(self._shares()) or self._providing.is_provided(root):
                continue
            await self._state.run(partial(_note, root=root))
            try:
                await self._providing.provide(root)
            except ConnectionFailed as error:
                _log.debug("the DHT is told of %s later: %s", root, error)


def public_roots(shares: Sequence[Share]) -> set[Cid]:
    """The roots of what is shared with everybody and is there; `ANNOUNCED_MAX` at most, the largest first."""
    public = [
        share
        for share in shares
        if share.audience.kind == "public" and share.ready and share.state not in _HIDDEN
    ]
    public.sort(key=lambda share: (-share.bytes, share.name))
    return {share.cid for share in public[:ANNOUNCED_MAX]}


def _told(db: sqlite3.Connection) -> set[Cid]:
    found = set()
    for (raw,) in db.execute("SELECT root FROM announced"):
        try:
            found.add(Cid.from_bytes(raw))
        except InvalidCid:
            continue  # a damaged row costs itself alone
    return found


def _note(db: sqlite3.Connection, root: Cid) -> None:
    """First, so that what is told after a kill is known to be ours."""
    db.execute("INSERT OR IGNORE INTO announced VALUES (?)", (root.to_bytes(),))


def _forget(db: sqlite3.Connection, root: Cid) -> None:
    db.execute("DELETE FROM announced WHERE root = ?", (root.to_bytes(),))
