"""The library: what this node shares, and serving it to those who may have it.

In: paths and audiences from the user, requests of peers. Out: shares with their content ids; listings, nodes
and chunks for peers. A peer sees what the audiences admit it to, and nothing else in any way: what is not for
it is answered like what is not there. A share is brought up to date by sharing it again; what did not change
is not read again.

What is shared and with whom stands in the durable database, committed before it is acknowledged; the index
beside it can be lost. What it does not hold is hashed again in the background, and not served until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from warren.core.cid import Cid
from warren.core.errors import ContentUnknown, InputError, NotFound, StorageError, WarrenError
from warren.protocols.transfer.messages import LISTING_ENTRIES_MAX, PROTOCOL_ID
from warren.protocols.transfer.server import ServerLimits, TransferServer
from warren.runtime.rebuildable import open_rebuildable
from warren.services.files import index, listing, serving, shares
from warren.services.files.hashing import find_data_folder, join
from warren.services.files.importer import Importer
from warren.services.files.index import ListedEntry
from warren.services.files.share_name import choose_name
from warren.services.files.types import Audience, Share
from warren.services.files.waiting import finish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.transfer.messages import Listing
    from warren.protocols.transfer.server import Part, ReadJob
    from warren.runtime.seam import Database, Runtime, StrPath
    from warren.services.files.config import FilesConfig
    from warren.services.files.index import EntryRow, KnownFile, Place
    from warren.services.files.serving import ReadChunks
    from warren.services.files.types import FileEntry, Progress

logger = logging.getLogger(__name__)

PAGE_FILES = 1000
"""Files that are looked through in one go."""


class Library:
    """The shares of one node. Make it with `open`; it serves until `close`."""

    def __init__(
        self,
        runtime: Runtime,
        config: FilesConfig,
        state: Database,
        database: Database,
        is_contact: Callable[[PeerId], bool],
        groups_of: Callable[[PeerId], Collection[str]],
    ) -> None:
        self._runtime = runtime
        self._config = config
        self._state = state
        self._database = database
        self._is_contact = is_contact
        self._groups_of = groups_of
        self._wanted: dict[Path, Share] = {}
        """What the user shares, by path; `_shares` are those of them that the index holds, by number."""
        self._shares: dict[int, Share] = {}
        self._sharing = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._network: Network | None = None

    @classmethod
    async def open(
        cls,
        runtime: Runtime,
        network: Network,
        config: FilesConfig,
        state: Database,
        path: StrPath,
        *,
        is_contact: Callable[[PeerId], bool],
        groups_of: Callable[[PeerId], Collection[str]] = lambda _: (),
    ) -> Library:
        """Open the index at `path` and serve on `network` what `state` says is shared.

        groups_of: the names of the groups that a peer is in, asked anew for each request.

        `state` is the durable database, with the table of schema/0002_shares.sql; it stays the caller's to
        close. Raises `StorageError`.
        """
        database = await open_rebuildable(runtime, path, index.MIGRATIONS, index.check)
        library = cls(runtime, config, state, database, is_contact, groups_of)
        try:
            await library._start(network)
        except BaseException:
            await library.close()
            raise
        return library

    async def _start(self, network: Network) -> None:
        self._wanted = {share.path: share for share in await self._state.run(shares.load)}
        self._shares = await self._database.run(partial(index.reconcile, wanted=self._wanted.values()))
        self._wanted |= {share.path: share for share in self._shares.values()}
        self._sweep()
        missing = [share for share in self._wanted.values() if not share.ready]
        if missing:
            names = ", ".join(repr(share.name) for share in missing)
            logger.warning("the index does not hold %s: hashing again what is shared", names)
            self._restoring = asyncio.create_task(self._restore(missing))
        limits = ServerLimits(
            streams_max=self._config.serve_streams_max,
            streams_per_peer=self._config.serve_streams_per_peer,
            ahead_bytes=self._config.serve_ahead_bytes,
            idle_s=self._config.idle_s,
            strangers_max=self._config.serve_strangers_max,
            strangers_per_peer=self._config.serve_strangers_per_peer,
            strangers_ahead_bytes=self._config.serve_strangers_ahead_bytes,
            strangers_idle_s=self._config.strangers_idle_s,
            stall_s=self._config.stall_s,
        )
        network.handle_stream(PROTOCOL_ID, TransferServer(self, limits).serve)
        self._network = network

    async def close(self) -> None:
        """Stop serving and close the index. Closing twice is harmless."""
        network, self._network = self._network, None
        if network is not None:
            network.remove_handler(PROTOCOL_ID)
        await _stop(self._restoring)
        await _stop(self._sweeping)  # looked up only now: a restoring that ends begins a sweep
        await self._database.close()

    # --- the user's side ----------------------------------------------------------------------------------

    def shares(self) -> list[Share]:
        """What is shared, by name."""
        return sorted(self._wanted.values(), key=lambda share: share.name)

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
            top = await self._find(os.fspath(path))
            old = self._wanted.get(Path(top))
            taken = {share.name for share in self._wanted.values() if share is not old}
            chosen = old.name if old and name is None else choose_name(name, top, taken)
            kept = old.audience if old else Audience()
            return await self._hash(top, chosen, audience or kept, old, progress)

    async def unshare(self, ref: str) -> Share:
        """Stop sharing, by name, path or content id; the files stay.

        Raises `ContentUnknown`, and `StorageError` where that cannot be kept: then it is still shared.
        """
        for share in self._wanted.values():
            if ref in {share.name, str(share.cid)} or Path(ref) == share.path:
                del self._wanted[share.path]
                gone = {number: self._shares.pop(number) for number in self._numbers_of(share.path)}
                await finish(self._drop(share, gone))
                return share
        raise ContentUnknown(f"nothing is shared as {ref!r}", hint="list the shares with: warren ls")

    async def _drop(self, share: Share, gone: dict[int, Share]) -> None:
        """Not to be cancelled half-way: what is gone here and not in the database comes back at a restart."""
        try:
            await self._state.run(partial(shares.drop, path=share.path))
        except StorageError:
            self._wanted[share.path] = share
            self._shares |= gone
            raise
        await self._hide(list(gone))
        self._sweep()

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

    async def find(self, path: str, asker: PeerId | None = None) -> FileEntry:
        """The file or folder at `path` (SHARE/FOLDER/NAME) itself; for an asker, if it may see that.

        Raises `ContentUnknown`.
        """
        path = path.strip("/")
        visible = set(self._shares) if asker is None else self._visible(asker)
        found = await self._list(visible, path, "", 0)
        if found is None or found.here is None:
            raise ContentUnknown(f"nothing is shared at {path!r}", hint="list the shares with: warren ls")
        return listing.line(found.here, path)

    async def find_cid(self, cid: Cid) -> list[tuple[Path, str]]:
        """Where this content is shared: the path of the share, and the path in it ("": itself)."""
        shares = dict(self._shares)
        found = await self._database.run(partial(index.find_cid, visible=set(shares), cid=cid.to_bytes()))
        return [(shares[number].path, join(folder, name)) for number, folder, name in found]

    async def files_ending(self, top: Path, ending: str) -> AsyncIterator[list[tuple[str, Cid]]]:
        """The files of the share at `top` whose names end so, as (path in it, content id), page by page."""
        after = ("", "")
        while numbers := self._numbers_of(top):
            page = await self._database.run(
                partial(index.files_ending, share=numbers[0], ending=ending, after=after, limit=PAGE_FILES)
            )
            yield [(join(folder, name), Cid.from_bytes(cid)) for folder, name, cid in page]
            if len(page) < PAGE_FILES:
                return
            after = page[-1][:2]

    async def _find(self, path: str) -> str:
        disk, offload = self._runtime.disk, self._runtime.offload
        try:
            top = await offload(disk.real_path, path)
        except OSError as error:
            raise NotFound(f"cannot read {path}: {error.strerror}", hint="check the path") from error
        if (home := await offload(find_data_folder, disk, top)) is not None:
            raise InputError(
                f"{home} is the data folder of a node, with its private key: nothing in it can be shared",
                hint="share a folder elsewhere",
            )
        return top

    # --- hashing and committing ---------------------------------------------------------------------------

    async def _hash(
        self,
        top: str,
        name: str,
        audience: Audience,
        old: Share | None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Share:
        """Hash what lies at `top` into the index, then share it, unless `old` was unshared meanwhile."""
        number = await self._database.run(partial(index.begin, path=top))
        try:
            share = await self._build(number, top, name, audience, progress)
            await finish(self._commit(number, share, old))
        except BaseException:
            if number not in self._shares:
                await self._hide([number])
            raise
        finally:
            self._sweep()
        return share

    async def _build(
        self,
        number: int,
        top: str,
        name: str,
        audience: Audience,
        progress: Callable[[Progress], None] | None,
    ) -> Share:
        old = self._numbers_of(Path(top))

        async def keep(rows: Sequence[EntryRow]) -> None:
            await self._database.run(partial(index.add, share=number, rows=rows))

        async def known(folder: str) -> dict[str, KnownFile]:
            return await self._database.run(partial(index.known_files, share=old[0], folder=folder))

        importer = Importer(
            self._runtime, self._config.hash_jobs, keep=keep, known=known if old else None, report=progress
        )
        done = await importer.run(top)
        return Share(
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

    async def _commit(self, number: int, share: Share, old: Share | None) -> None:
        """Let the share appear, in place of its older self. Not to be cancelled half-way."""
        await self._database.run(partial(index.finish, number=number, share=share))
        self._refuse_unshared(share, old)
        await self._state.run(partial(shares.keep, share=share))
        self._refuse_unshared(share, old)
        numbers = self._numbers_of(share.path)
        for one in numbers:
            del self._shares[one]
        self._wanted[share.path] = self._shares[number] = share
        await self._hide(numbers)

    def _refuse_unshared(self, share: Share, old: Share | None) -> None:
        if old is not None and share.path not in self._wanted:
            raise ContentUnknown(f"{share.name!r} was unshared while it was hashed", hint="share it again")

    def _numbers_of(self, path: Path) -> list[int]:
        return [number for number, share in self._shares.items() if share.path == path]

    async def _hide(self, numbers: Sequence[int]) -> None:
        """Free the room of what is no longer shared. Where that fails, the next start does it."""
        with _room_is_kept():
            await self._database.run(partial(index.hide, numbers=numbers))

    async def _restore(self, missing: Sequence[Share]) -> None:
        """Hash again what the index does not hold."""
        for share in missing:
            async with self._sharing:
                if self._wanted.get(share.path) is not share:
                    continue  # unshared or shared again meanwhile
                try:
                    top = await self._find(str(share.path))
                    if Path(top) != share.path:
                        raise NotFound(f"{share.path} is something else now")
                    await self._hash(top, share.name, share.audience, share)
                except WarrenError as error:
                    logger.warning("%r is not served until it is shared again: %s", share.name, error)

    def _sweep(self) -> None:
        """Free the room of what is no longer shared, in the background."""
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep_all())

    async def _sweep_all(self) -> None:
        with _room_is_kept():
            while not await self._database.run(index.sweep_some):
                pass

    # --- the peers' side (ContentSource) ------------------------------------------------------------------

    def is_known(self, peer: PeerId) -> bool:
        """See `ContentSource`."""
        return self._is_contact(peer) or any(peer in one.audience.peers for one in self._shares.values())

    async def list_path(self, peer: PeerId, path: str, after: str, limit: int) -> Listing | None:
        """See `ContentSource`."""
        return await self._list(self._visible(peer), path, after, limit)

    async def read_nodes(self, peer: PeerId, pending: list[bytes], bytes_max: int) -> list[bytes | None]:
        """See `ContentSource`."""
        visible = self._visible(peer)
        if not visible:
            return [None]
        return await self._database.run(
            partial(index.read_nodes, visible=visible, pending=pending, bytes_max=bytes_max)
        )

    async def plan_chunks(self, peer: PeerId, digests: Sequence[bytes], *, check: bool) -> Sequence[ReadJob]:
        """See `ContentSource`."""
        visible = self._visible(peer)
        places: Sequence[tuple[Place, ...]] = [()] * len(digests)
        if visible:
            places = await self._database.run(partial(index.find_chunks, visible=visible, digests=digests))
        return serving.plan(digests, places, check=check)

    async def read_chunks(self, job: ReadJob) -> list[Part]:
        """See `ContentSource`."""
        mine = cast("ReadChunks", job)
        parts = await self._runtime.offload(serving.read, self._runtime.disk, mine)
        if mine.broken or mine.changed or mine.sound:
            await self._database.run(
                partial(index.mark, changed=mine.changed, broken=mine.broken, sound=mine.sound)
            )
        return parts

    def _visible(self, peer: PeerId) -> set[int]:
        is_contact, groups = self._is_contact(peer), self._groups_of(peer)
        return {
            number
            for number, share in self._shares.items()
            if share.audience.admits(peer, is_contact=is_contact, groups=groups)
        }

    async def _list(self, visible: Collection[int], path: str, after: str, limit: int) -> Listing | None:
        if not path:
            found = [share for n, share in self._shares.items() if n in visible]
            roots = [ListedEntry(one.name, one.kind, one.bytes, one.cid.to_bytes()) for one in found]
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


async def _stop(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def _room_is_kept() -> Iterator[None]:
    """Freeing room in the index may fail (a full disk): nothing is lost, and the next start frees it."""
    try:
        yield
    except StorageError as error:
        logger.warning("what is no longer shared keeps its room in the index for now: %s", error)
