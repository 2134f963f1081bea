"""The fetcher: lists what a peer shares with us, and starts fetches.

In: a peer and a path (SHARE/FOLDER/NAME) at it; or a content id, and who has it as far as that is known.
Out: listings and `Transfer`s. Refuses to fetch the same content into the same folder twice at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.cid import Cid
from warren.core.errors import (
    Closed,
    ConnectionFailed,
    ContentUnknown,
    InputError,
    InvalidCid,
    LimitReached,
    ProtocolViolation,
    RemoteError,
    RequestTimeout,
)
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import NODE_PREFIX, PROTOCOL_ID, RAW_PREFIX
from warren.runtime.waiting import settle
from warren.services.files import listing
from warren.services.files.fetch import Fetch, Surroundings
from warren.services.files.ledger import Wanted
from warren.services.files.staging import make_places, make_target
from warren.services.files.swarm.caps import Cap
from warren.services.files.swarm.steering import Steering
from warren.services.files.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.transfer.messages import Listing
    from warren.runtime.seam import Runtime, StrPath
    from warren.services.files.config import FilesConfig
    from warren.services.files.swarm.interfaces import Holders, Holding, Keeping
    from warren.services.files.swarm.swarms import Swarms
    from warren.services.files.types import Fetched, FileEntry, Progress

LOOK_UP_MAX: Final = 8
"""Peers that are asked at the same time what a content id is called."""
logger = logging.getLogger(__name__)

LISTED_MAX: Final = 200_000
"""Entries of one listing. Attack: pages without end, all kept until the last came; this is some 100 MB."""


class Asked(NamedTuple):
    """What a user asked for, as `Fetcher.get` says."""

    ref: Cid | str
    folder: str
    peers: tuple[PeerId, ...]
    name: str | None
    size_max: int | None
    select: Callable[[str], bool] | None
    only: bool
    sequential: bool
    keep: bool


class Fetcher:
    """The fetches of one node."""

    def __init__(
        self,
        runtime: Runtime,
        network: Network,
        config: FilesConfig,
        on_fetched: Callable[[Fetched], Awaitable[None]] | None = None,
        *,
        swarms: Swarms | None = None,
        holders: Holders | None = None,
        replicas: Keeping | None = None,
        gave: Callable[[PeerId, int], None] = lambda _peer, _size: None,
    ) -> None:
        """on_fetched: told of each fetch that came to its end. swarms: where others learn what is fetched
        here. holders: who finds further sources. replicas: who shares on what was fetched. gave: told which
        peer gave how much that was right.
        """
        self._runtime = runtime
        self._network = network
        self._config = config
        self._on_fetched = on_fetched
        self._replicas = replicas
        self._keeping: set[asyncio.Task[None]] = set()
        self._down_bytes_per_s = config.down_bytes_per_s
        cap = Cap(runtime.clock.now, lambda: self._down_bytes_per_s)
        self._around = Surroundings(runtime, network, config, make_places(), cap, swarms, holders, gave)
        if swarms is not None:
            swarms.on_heard(self._on_heard)
        self._fetches: set[Fetch] = set()
        self._transfers: set[Transfer] = set()
        self._under_way: set[tuple[str, Cid]] = set()
        self._closed = False

    async def list_files(self, peer: PeerId, path: str = "") -> list[FileEntry]:
        """What `peer` shows us at `path`: its shares where that is empty, the entries of a folder, else the
        file itself. Raises `ContentUnknown`, and what connecting and reading raise.
        """
        path = path.strip("/")
        found: list[FileEntry] = []
        async with self._client(peer) as client:
            async for page in _pages(client, peer, path):
                found += listing.to_user(page, path)
        return found

    def get(  # noqa: PLR0913  what a user may say of one fetch
        self,
        ref: Cid | str,
        folder: StrPath,
        *,
        peers: Sequence[PeerId] = (),
        name: str | None = None,
        size_max: int | None = None,
        select: Callable[[str], bool] | None = None,
        only: bool = False,
        sequential: bool = False,
        cap_bytes_per_s: int = 0,
        keep: bool = True,
    ) -> Transfer:
        """Start to fetch `ref`, a content id or a path at the first of `peers`, into `folder`.

        peers: who has it, as far as that is known; others are looked for meanwhile, unless `only`.
        What it is called there is `name`, else its name at a peer, made safe; a name that is taken gets a
        number, unless what has it is this very content. size_max: what has more bytes is not fetched; they
        are counted before they come. select: whether the file at a path, relative to the top at its source,
        is wanted. sequential: in order, for who reads it while it comes. cap_bytes_per_s: 0 for none. keep:
        others can have it from here afterwards, as far as who shares it lets them.
        Everything else that goes wrong shows in the `Transfer`. Raises `Closed`, `InputError`.
        """
        if self._closed:
            raise Closed("the fetcher is closed")
        if not peers and (only or self._around.holders is None or not isinstance(ref, Cid)):
            raise InputError("nobody is named who has it", hint="name a peer: --from PEER")
        steering = Steering(cap_bytes_per_s)
        ask = Asked(
            ref, os.path.abspath(folder), tuple(peers), name, size_max, select, only, sequential, keep
        )
        transfer = Transfer(lambda report: self._run(ask, steering, report), steering)
        self._transfers.add(transfer)
        transfer.when_ended(lambda: self._transfers.discard(transfer))
        return transfer

    def set_cap(self, bytes_per_s: int) -> None:
        """Fetch at most so many bytes a second from now on, of all fetches together; 0: no cap.

        Raises `InputError` for less.
        """
        if bytes_per_s < 0:
            raise InputError(f"a cap of {bytes_per_s} bytes a second is none", hint="0 lifts the cap")
        self._down_bytes_per_s = bytes_per_s

    async def close(self) -> None:
        """Stop all fetches. What they verified stays."""
        self._closed = True
        for transfer in list(self._transfers):
            transfer.cancel()
            await transfer.wait_ended()
        await settle(self._keeping.copy())

    async def _run(self, asked: Asked, steering: Steering, report: Callable[[Progress], None]) -> Fetched:
        ref, folder = asked.ref, asked.folder
        if isinstance(ref, Cid) and not ref.to_bytes().startswith((NODE_PREFIX, RAW_PREFIX)):
            raise InvalidCid(f"nobody shares {ref}", hint="content ids here begin with bafy or bafk")
        found = await self._look_up(ref, asked, steering)
        wanted = replace(
            found,
            name=asked.name or found.name,
            size_max=asked.size_max,
            select=asked.select,
            sequential=asked.sequential,
        )
        steering.found(wanted.cid, wanted.name)
        wanted.check_size(wanted.size or 0)
        # One folder may have several names; who fetches by another one must not fetch into the same place.
        key = (await self._runtime.offload(make_target, self._runtime.disk, folder), wanted.cid)
        if key in self._under_way:
            raise InputError(f"{wanted.name} is being fetched into {folder} already", hint="wait for it")
        self._under_way.add(key)
        fetch = Fetch(self._around, wanted, asked.peers, folder, steering, report, only=asked.only)
        self._fetches.add(fetch)
        try:
            fetched = await fetch.run()
            if self._on_fetched is not None:
                await self._on_fetched(fetched)
        except BaseException:
            fetch.close()
            raise
        finally:
            self._under_way.discard(key)
            self._fetches.discard(fetch)
        task = asyncio.create_task(self._end(fetch, fetched, keep=asked.keep))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        return fetched

    async def _end(self, fetch: Fetch, fetched: Fetched, *, keep: bool) -> None:
        """Others are served from the fetch until they are from its replica; whoever fetched need not wait."""
        try:
            if keep and self._replicas is not None and fetch.partial is not None:
                await self._replicas.keep(fetched, fetch.partial)
        except Exception:  # the boundary of supervision: what was fetched is there all the same
            logger.exception("%s is not kept for others", fetched.path)
        finally:
            fetch.close()

    def _on_heard(self, root: Cid, peer: PeerId, holding: Holding) -> None:
        """A peer that asked for something which is fetched here told what it has of that."""
        for fetch in self._fetches:
            if fetch.swarm is not None and fetch.root == root:
                fetch.swarm.on_heard(peer, holding)

    async def _look_up(self, ref: Cid | str, asked: Asked, steering: Steering) -> Wanted:
        """What `ref` is: a path as the first peer says, a content id as the first to answer does, if any."""
        if not isinstance(ref, Cid):
            return await self._ask_for(asked.peers[0], ref)
        asking = [asyncio.create_task(self._ask_for(peer, ref)) for peer in asked.peers[:LOOK_UP_MAX]]
        try:
            for first in asyncio.as_completed(asking):
                with contextlib.suppress(ConnectionFailed, ContentUnknown, LimitReached, RemoteError):
                    return await first
        finally:
            for task in asking:
                task.cancel()
            await settle(asking)
        if asking and not steering.added and (asked.only or self._around.holders is None):
            return asking[0].result()  # nobody else can say: it raises why
        return Wanted(ref, str(ref), None)

    async def _ask_for(self, peer: PeerId, ref: Cid | str) -> Wanted:
        async with self._client(peer) as client:
            if isinstance(ref, Cid):
                return await _find_cid(client, peer, ref)
            return await _find(client, peer, ref)

    @contextlib.asynccontextmanager
    async def _client(self, peer: PeerId) -> AsyncIterator[TransferClient]:
        client = TransferClient(await self._network.open_stream(peer, PROTOCOL_ID))
        try:
            async with asyncio.timeout(self._config.answer_s):
                yield client
        except TimeoutError as error:
            self._network.doubt(peer)
            raise RequestTimeout(f"{peer} did not answer in {self._config.answer_s:g} s") from error
        finally:
            client.close()


async def _pages(client: TransferClient, peer: PeerId, path: str) -> AsyncIterator[Listing]:
    after = ""
    more = True
    left = LISTED_MAX
    while more:
        page = await client.list_path(path, after)
        if page is None:
            raise _unknown(peer, path)
        left -= len(page.entries)
        if left < 0:
            raise LimitReached(
                "services.files.fetcher.LISTED_MAX",
                f"{peer} lists more than {LISTED_MAX:,} entries at {path!r}",
                hint="list a folder in it, or fetch it whole",
            )
        after = _last_name(peer, page, after)
        yield page
        more = page.more


def _last_name(peer: PeerId, page: Listing, after: str) -> str:
    """Where the next page begins. Names rise from the first page to the last, so that there is one."""
    for entry in page.entries:
        if entry.name <= after:
            raise ProtocolViolation(f"{peer} lists names out of order")
        after = entry.name
    if page.more and not page.entries:
        raise ProtocolViolation(f"{peer} sends an empty page of a listing that goes on")
    return after


async def _find(client: TransferClient, peer: PeerId, path: str) -> Wanted:
    path = path.strip("/")
    if not path:
        raise InputError("name what to fetch", hint="SHARE or SHARE/PATH; list them with: warren ls")
    found = await client.list_path(path, limit=0)
    if found is None or found.here is None:
        raise _unknown(peer, path)
    return Wanted(Cid.from_bytes(found.here.cid), found.here.name, found.here.size)


async def _find_cid(client: TransferClient, peer: PeerId, cid: Cid) -> Wanted:
    """The share with this content id; else the content id itself stands for the name."""
    async for page in _pages(client, peer, ""):
        for entry in page.entries:
            if entry.cid == cid.to_bytes():
                return Wanted(cid, entry.name, entry.size)
    return Wanted(cid, str(cid), None)


def _unknown(peer: PeerId, path: str) -> ContentUnknown:
    return ContentUnknown(
        f"{peer} shares nothing with us at {path!r}", hint=f"list what there is with: warren ls {peer}"
    )
