"""The library: what this node shares, and serving it to those who may have it.

In: paths and audiences from the user, requests of peers. Out: shares with their content ids; listings, nodes
and chunks for peers. A peer sees what the audiences admit it to, and nothing else in any way: what is not for
it is answered like what is not there. A share is brought up to date by sharing it again; what did not change
is not read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from warren.core.cid import Cid
from warren.core.errors import ContentUnknown, InputError, NotFound
from warren.protocols.transfer.messages import LISTING_ENTRIES_MAX, PROTOCOL_ID
from warren.protocols.transfer.server import ServerLimits, TransferServer
from warren.services.files import index, listing, serving
from warren.services.files.importer import Importer
from warren.services.files.index import ListedEntry
from warren.services.files.types import Audience, Share

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.transfer.messages import Listing
    from warren.protocols.transfer.server import Part, ReadJob
    from warren.runtime.seam import Database, Runtime, StrPath
    from warren.services.files.config import FilesConfig
    from warren.services.files.index import EntryRow, KnownFile
    from warren.services.files.serving import ReadChunks
    from warren.services.files.types import FileEntry, Progress

NAME_BYTES_MAX: Final = 255


class Library:
    """The shares of one node. Make it with `open`; it serves until `close`."""

    def __init__(
        self,
        runtime: Runtime,
        config: FilesConfig,
        database: Database,
        is_contact: Callable[[PeerId], bool],
    ) -> None:
        self._runtime = runtime
        self._config = config
        self._database = database
        self._is_contact = is_contact
        self._shares: dict[int, Share] = {}
        self._sharing = asyncio.Lock()
        self._building: set[int] = set()
        self._sweeping: asyncio.Task[None] | None = None
        self._network: Network | None = None

    @classmethod
    async def open(
        cls,
        runtime: Runtime,
        network: Network,
        config: FilesConfig,
        path: StrPath,
        *,
        is_contact: Callable[[PeerId], bool],
    ) -> Library:
        """Open the index at `path` and serve it on `network`. Raises `StorageError`."""
        database = await runtime.open_database(path, index.MIGRATIONS, durable=False)
        library = cls(runtime, config, database, is_contact)
        await library._start(network)
        return library

    async def _start(self, network: Network) -> None:
        self._shares = await self._database.run(index.shares)
        self._sweep()
        limits = ServerLimits(
            streams_max=self._config.serve_streams_max,
            streams_per_peer=self._config.serve_streams_per_peer,
            ahead_bytes=self._config.serve_ahead_bytes,
            stall_s=self._config.stall_s,
            idle_s=self._config.idle_s,
        )
        network.handle_stream(PROTOCOL_ID, TransferServer(self, limits).serve)
        self._network = network

    async def close(self) -> None:
        """Stop serving and close the index. Closing twice is harmless."""
        network, self._network = self._network, None
        if network is not None:
            network.remove_handler(PROTOCOL_ID)
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        await self._database.close()

    # --- the user's side ----------------------------------------------------------------------------------

    def shares(self) -> list[Share]:
        """What is shared, by name."""
        return sorted(self._shares.values(), key=lambda share: share.name)

    async def share(
        self,
        path: StrPath,
        audience: Audience | None = None,
        *,
        name: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Share:
        """Hash the file or folder at `path` and share it from where it lies.

        `audience` is all contacts, `name` what the file or folder is called, unless given. Sharing the same
        path again brings the share up to date, keeping both unless given; files whose size and time are the
        same are not read again. Raises `NotFound`, `StorageError`, `InputError` for a name that is taken or
        malformed.
        """
        async with self._sharing:
            top, kind = await self._find(os.fspath(path))
            old = [number for number, share in self._shares.items() if str(share.path) == top]
            chosen = self._choose_name(name, top, old)
            kept = self._shares[old[0]].audience if old else Audience()
            number = await self._database.run(partial(index.begin, path=top, kind=kind))
            self._building.add(number)
            try:
                share = await self._build(number, top, chosen, audience or kept, old, progress)
            finally:
                self._building.discard(number)
                self._sweep()
            for one in old:
                del self._shares[one]
            self._shares[number] = share
            return share

    async def unshare(self, ref: str) -> Share:
        """Stop sharing, by name, path or content id; the files stay. Raises `ContentUnknown`."""
        for number, share in self._shares.items():
            if ref in {share.name, str(share.cid)} or Path(ref) == share.path:
                del self._shares[number]
                await self._database.run(partial(index.hide, share=number))
                self._sweep()
                return share
        raise ContentUnknown(f"nothing is shared as {ref!r}", hint="list the shares with: warren ls")

    async def list_files(self, path: str = "") -> list[FileEntry]:
        """What lies at `path` (SHARE/FOLDER) of what this node shares. Raises `ContentUnknown`."""
        path = path.strip("/")
        found: list[FileEntry] = []
        after = ""
        while True:
            page = await self._list(set(self._shares), path, after, LISTING_ENTRIES_MAX)
            if page is None:
                raise ContentUnknown(f"nothing is shared at {path!r}", hint="list the shares with: warren ls")
            found += listing.to_user(page, path)
            if not page.more:
                return found
            after = page.entries[-1].name

    async def _find(self, path: str) -> tuple[str, str]:
        try:
            top = await self._runtime.offload(self._runtime.disk.real_path, path)
            kind = (await self._runtime.offload(self._runtime.disk.stat, top)).kind
        except OSError as error:
            raise NotFound(f"cannot read {path}: {error.strerror}", hint="check the path") from error
        return top, kind

    def _choose_name(self, wanted: str | None, top: str, old: Collection[int]) -> str:
        taken = {share.name for number, share in self._shares.items() if number not in old}
        if wanted is None and old:
            return self._shares[next(iter(old))].name
        name = wanted if wanted is not None else os.path.basename(top) or "root"
        try:
            too_long = len(name.encode()) > NAME_BYTES_MAX
        except UnicodeEncodeError:
            raise InputError(f"the name of {top!r} is not UTF-8", hint="choose one with --name") from None
        if not name.isprintable() or not name.strip() or "/" in name or name in {".", ".."} or too_long:
            raise InputError(f"{name!r} cannot be the name of a share", hint="choose another with --name")
        if wanted is not None and name in taken:
            raise InputError(f"another share has the name {name!r}", hint="choose another with --name")
        candidates = (f"{name} ({number})" if number > 1 else name for number in range(1, len(taken) + 2))
        return next(one for one in candidates if one not in taken)

    async def _build(
        self,
        number: int,
        top: str,
        name: str,
        audience: Audience,
        old: Sequence[int],
        progress: Callable[[Progress], None] | None,
    ) -> Share:
        async def keep(rows: Sequence[EntryRow]) -> None:
            await self._database.run(partial(index.add, share=number, rows=rows))

        async def known(folder: str) -> dict[str, KnownFile]:
            return await self._database.run(partial(index.known_files, share=old[0], folder=folder))

        importer = Importer(
            self._runtime, self._config.hash_jobs, keep=keep, known=known if old else None, report=progress
        )
        done = await importer.run(top)
        share = Share(
            name=name,
            path=Path(top),
            cid=Cid.from_bytes(done.root.cid),
            audience=audience,
            kind=done.kind,
            files=done.files,
            bytes=done.bytes,
            skipped=done.skipped,
            skipped_count=done.skipped_count,
            hash_seconds=done.seconds,
        )
        await self._database.run(partial(index.publish, number=number, share=share, replaced=old))
        return share

    def _sweep(self) -> None:
        """Free the room of what is no longer shared, in the background."""
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep_all())

    async def _sweep_all(self) -> None:
        while not await self._database.run(partial(index.sweep_some, keep=frozenset(self._building))):
            pass

    # --- the peers' side (ContentSource) ------------------------------------------------------------------

    async def list_path(self, peer: PeerId, path: str, after: str, limit: int) -> Listing | None:
        """See `ContentSource`."""
        return await self._list(self._visible(peer), path, after, limit)

    async def read_nodes(self, peer: PeerId, pending: list[bytes], bytes_max: int) -> list[bytes | None]:
        """See `ContentSource`."""
        return await self._database.run(
            partial(index.read_nodes, visible=self._visible(peer), pending=pending, bytes_max=bytes_max)
        )

    async def plan_chunks(self, peer: PeerId, digests: Sequence[bytes], *, check: bool) -> Sequence[ReadJob]:
        """See `ContentSource`."""
        places = await self._database.run(
            partial(index.find_chunks, visible=self._visible(peer), digests=digests)
        )
        return serving.plan(digests, places, check=check)

    async def read_chunks(self, job: ReadJob) -> list[Part]:
        """See `ContentSource`."""
        mine = cast("ReadChunks", job)
        parts = await self._runtime.offload(serving.read, self._runtime.disk, mine)
        if mine.changed:
            await self._database.run(partial(index.mark_changed, entries=mine.changed))
        return parts

    def _visible(self, peer: PeerId) -> set[int]:
        is_contact = self._is_contact(peer)
        return {n for n, share in self._shares.items() if share.audience.admits(peer, is_contact=is_contact)}

    async def _list(self, visible: Collection[int], path: str, after: str, limit: int) -> Listing | None:
        if not path:
            shares = [(share, share.name) for n, share in self._shares.items() if n in visible]
            roots = [
                ListedEntry(name, share.kind, share.bytes, share.cid.to_bytes()) for share, name in shares
            ]
            return listing.page(None, sorted(root for root in roots if root.name > after), limit)
        name, *inner = path.split("/")
        numbers = [n for n, share in self._shares.items() if n in visible and share.name == name]
        if not numbers:
            return None
        *above, last = inner or [""]
        here = await self._database.run(
            partial(index.find_entry, share=numbers[0], folder="/".join(above), name=last)
        )
        if here is None or (inner and not last):
            return None
        entries: list[ListedEntry] = []
        if here.kind == "dir" and limit:
            entries = await self._database.run(
                partial(
                    index.list_folder, share=numbers[0], folder="/".join(inner), after=after, limit=limit + 1
                )
            )
        return listing.page(listing.to_wire(here, last or name), entries, limit)
