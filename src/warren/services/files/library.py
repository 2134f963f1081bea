"""The library: what this node shares, and serving it to those who may have it.

In: paths and audiences from the user, requests of peers. Out: shares with their content ids; listings, nodes
and chunks for peers. A peer sees what the audiences admit it to, and nothing else in any way: what is not for
it is answered like what is not there. A share is kept up to date by itself (`keeper.py`); what did not change
is not read again.

What is shared and with whom stands in the durable database, committed before it is acknowledged; the index
beside it can be lost. What it does not hold is hashed again in the background, and not served until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from warren.core.cid import Cid
from warren.core.errors import ContentUnknown, InputError, NotFound, StorageError, WarrenError
from warren.protocols.transfer.messages import LISTING_ENTRIES_MAX, PROTOCOL_ID
from warren.protocols.transfer.server import ServerLimits, TransferServer
from warren.runtime.rebuildable import open_rebuildable
from warren.runtime.waiting import finish
from warren.services.files import comparing, index, listing, shares
from warren.services.files.changes import PAGE_ENTRIES, Listeners
from warren.services.files.hashing import find_data_folder, join
from warren.services.files.holders.frozen import NotTheSame
from warren.services.files.importer import Importer
from warren.services.files.lending import Lending
from warren.services.files.offering import Offering
from warren.services.files.share_name import choose_name
from warren.services.files.streaming.shared import SharedFile
from warren.services.files.types import Audience, Share, ShareChanged, ShareProgress, ShareRemoved
from warren.services.files.upkeep import Upkeep
from warren.services.files.uploads.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.runtime.seam import Database, Runtime, StrPath
    from warren.services.files.changes import OnChanged
    from warren.services.files.comparing import Place
    from warren.services.files.config import FilesConfig
    from warren.services.files.index import EntryRow, KnownFile
    from warren.services.files.revising import Totals
    from warren.services.files.swarm.swarms import Swarms
    from warren.services.files.types import FileEntry, Progress, Skipped

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
        swarms: Swarms,
        uploads: Uploads,
    ) -> None:
        self._runtime = runtime
        self._uploads = uploads
        self._config = config
        self._state = state
        self._database = database
        self._wanted: dict[Path, Share] = {}
        """What the user shares, by path; `_shares` are those of them that the index holds, by number."""
        self._shares: dict[int, Share] = {}
        self._upkeep = Upkeep(runtime, database, config, self)
        self.lending = Lending(self._build_apart, self._free)
        """What is held ready for some without being shared."""
        self._offering = Offering(
            runtime,
            database,
            self._shares,
            swarms,
            self._upkeep.is_missing,
            self.lending.held,
            uploads.note,
        )
        swarms.shelf = self._offering
        self.listeners = Listeners()
        self._steady: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Held while what is committed of a share changes, or is walked."""
        self._sharing = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._letting_go: set[asyncio.Task[None]] = set()
        self._network: Network | None = None

    @classmethod
    async def open(
        cls,
        runtime: Runtime,
        network: Network,
        config: FilesConfig,
        state: Database,
        path: StrPath,
        swarms: Swarms,
        uploads: Uploads | None = None,
    ) -> Library:
        """Open the index at `path` and serve on `network` what `state` says is shared.

        swarms: has the fetches under way, which are served as well, and knows who may have what. uploads:
        decides what is sent when; it stays the caller's to close.

        `state` is the durable database, with the table of schema/0002_shares.sql; it stays the caller's to
        close. Raises `StorageError`.
        """
        database = await open_rebuildable(runtime, path, index.MIGRATIONS, index.check)
        uploads = uploads or Uploads(runtime.clock, config.upload_limits())
        library = cls(runtime, config, state, database, swarms, uploads)
        try:
            await library._start(network)
        except BaseException:
            await library.close()
            raise
        return library

    async def _start(self, network: Network) -> None:
        self._wanted = {share.path: share for share in await self._state.run(shares.load)}
        self._shares |= await self._database.run(partial(index.reconcile, wanted=self._wanted.values()))
        self._wanted |= {share.path: share for share in self._shares.values()}
        self._sweep()
        self._network = network
        for number, share in self._shares.items():
            self._upkeep.begin(number, share)
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
        network.handle_stream(PROTOCOL_ID, TransferServer(self._offering, limits, self._uploads).serve)

    async def close(self) -> None:
        """Stop serving and close the index. Closing twice is harmless."""
        network, self._network = self._network, None
        if network is not None:
            network.remove_handler(PROTOCOL_ID)
        await self._upkeep.close()
        for task in list(self._letting_go):
            await _stop(task)
        await _stop(self._restoring)
        await _stop(self._sweeping)  # looked up only now: a restoring that ends begins a sweep
        try:
            await self._offering.close()
        finally:
            await self._database.close()

    # --- the user's side ----------------------------------------------------------------------------------

    def shares(self) -> list[Share]:
        """What is shared, by name."""
        found = sorted(self._wanted.values(), key=lambda share: share.name)
        return [self._upkeep.described(share) for share in found]

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
        same are not read again. From then on it is kept up to date by itself. A replica becomes a share as
        others are. Raises `NotFound`, `StorageError`, `InputError` for a name that is taken or malformed.
        """
        async with self._sharing:
            top = await self._find(os.fspath(path))
            old = self._wanted.get(Path(top))
            taken = {share.name for share in self._wanted.values() if share is not old}
            chosen = old.name if old and name is None else choose_name(name, top, taken)
            kept = old.audience if old and not old.replica else Audience()
            return await self._hash(top, chosen, audience or kept, old, progress)

    async def adopt(
        self, path: StrPath, root: Cid, audience: Audience, pages: AsyncIterator[Sequence[EntryRow]]
    ) -> Share | None:
        """Share what was fetched as a replica, from rows of the index, without reading its content.

        pages: all of its entries with their chunks and nodes, those of a folder before its own. None where it
        lies in something that is shared already. Raises `NotFound`, `StorageError`, `InputError` for what
        cannot be shared, and what `pages` raises.
        """
        async with self._sharing:
            top = await self._find(os.fspath(path))
            if any(share.path in {Path(top), *Path(top).parents} for share in self._wanted.values()):
                return None
            name = choose_name(None, top, {share.name for share in self._wanted.values()})
            async with self._new_number(top) as number:
                files = 0
                last: EntryRow | None = None
                async for rows in pages:
                    await self._database.run(partial(index.add, share=number, rows=rows))
                    files += sum(row.kind == "file" for row in rows)
                    last = rows[-1]
                if last is None or last.cid != root.to_bytes() or last.kind == "symlink":
                    raise StorageError(f"{top} is not {root}")
                share = Share(name, Path(top), root, audience, last.kind, files, last.size, replica=True)
                await finish(self._commit(number, share, None))
            self._keep(share.path)
            return share

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
        async with self._steady[share.path]:
            try:
                await self._state.run(partial(shares.drop, path=share.path))
            except StorageError:
                self._wanted[share.path] = share
                self._shares |= gone
                raise
            await self.listeners.tell(share, removed=[share.name])
        await self._upkeep.stop(share.path)
        self._emit(ShareRemoved(share.name))
        await self._hide(list(gone))
        self._sweep()

    async def list_files(self, path: str = "") -> list[FileEntry]:
        """What lies at `path` (SHARE/FOLDER) of what this node shares. Raises `ContentUnknown`."""
        path = path.strip("/")
        found: list[FileEntry] = []
        after = ""
        while True:
            page = await self._offering.list_among(set(self._shares), path, after, LISTING_ENTRIES_MAX)
            if page is None:
                raise ContentUnknown(f"nothing is shared at {path!r}", hint="list the shares with: warren ls")
            found += listing.to_user(page, path)
            if not page.more:
                return found
            after = page.entries[-1].name

    @property
    def is_paused(self) -> bool:
        """Whether changes wait."""
        return self._upkeep.pace.is_paused

    def pause(self) -> None:
        """Take in no changes until `resume`, or a restart; they are remembered. What is shared by hand is
        hashed all the same.
        """
        self._upkeep.pace.pause()
        self._show_all()

    def resume(self) -> None:
        """Take in what changed meanwhile, and all that changes."""
        self._upkeep.pace.resume()
        self._show_all()

    def subscribe(self, on_changed: OnChanged) -> Callable[[], None]:
        """Have `on_changed` told what changes in the shares from now on. Returns what ends that."""
        return self.listeners.add(on_changed)

    async def entries(self, path: Path | None = None) -> AsyncIterator[tuple[Share, FileEntry]]:
        """All files and folders that are shared now, share by share; `path`: of the share there alone.

        What is being hashed again, or not reachable, is not among them. A share does not change while it is
        walked, and what changes after is told to who subscribed before. Holds a page of it in memory.
        """
        for share in self.shares():
            if path not in (None, share.path):
                continue
            async with self._steady[share.path]:
                for number in () if self._upkeep.is_missing(share) else self._numbers_of(share.path):
                    async for page in self._pages(number):
                        for entry in page:
                            yield self._shares[number], entry

    async def _pages(self, number: int, old: int | None = None) -> AsyncIterator[list[FileEntry]]:
        """The entries of a share; `old`: those that are not the same under that number."""
        share = self._shares[number]
        after: Place | None = None
        while True:
            if old is None:
                ask = partial(comparing.page, share=number, after=after, limit=PAGE_ENTRIES)
            else:
                ask = partial(comparing.appeared, new=number, old=old, after=after, limit=PAGE_ENTRIES)
            lines = await self._database.run(ask)
            if not lines:
                return
            after = lines[-1][:2]
            yield [comparing.entry_of(share, line) for line in lines]

    async def find(self, path: str, asker: PeerId | None = None) -> FileEntry:
        """The file or folder at `path` (SHARE/FOLDER/NAME) itself; for an asker, if it may see that.

        Raises `ContentUnknown`.
        """
        path = path.strip("/")
        visible = set(self._shares) if asker is None else self._offering.listed(asker)
        found = await self._offering.list_among(visible, path, "", 0)
        if found is None or found.here is None:
            raise ContentUnknown(f"nothing is shared at {path!r}", hint="list the shares with: warren ls")
        return listing.line(found.here, path)

    async def find_cid(self, cid: Cid) -> list[tuple[Path, str]]:
        """Where this content is shared: the path of the share, and the path in it ("": itself)."""
        shares = dict(self._shares)
        found = await self._database.run(partial(index.find_cid, visible=set(shares), cid=cid.to_bytes()))
        return [(shares[number].path, join(folder, name)) for number, folder, name in found]

    async def find_file(self, cid: Cid) -> SharedFile | None:
        """A shared file with this content, if there is one that is what it was."""
        found = await self._database.run(
            partial(index.find_file, visible=set(self._shares), cid=cid.to_bytes())
        )
        for place in found:
            file = SharedFile(*place)
            with contextlib.suppress(OSError):
                if await self._runtime.offload(file.read, self._runtime.disk, 0, 0) is not None:
                    return file
        return None

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
        *,
        replica: bool = False,
    ) -> Share:
        """Hash what lies at `top` into the index, then share it, unless `old` was unshared meanwhile.

        replica: it must be what `old` is; raises `NotTheSame`.
        """
        try:
            async with self._new_number(top) as number:
                share = await self._build(number, top, name, audience, progress)
                if replica and old is not None and share.cid != old.cid:
                    raise NotTheSame("", "is another")
                share = replace(share, replica=replica)
                await self._upkeep.stop(share.path)
                await finish(self._commit(number, share, old))
        finally:
            self._keep(Path(top))
        return share

    @contextlib.asynccontextmanager
    async def _new_number(self, top: str) -> AsyncIterator[int]:
        """A number in the index for what is hashed at `top`; all under it goes if that came to nothing."""
        number = await self._database.run(partial(index.begin, path=top))
        try:
            yield number
        except BaseException:
            if number not in self._shares:
                await self._hide([number])
            raise
        finally:
            self._sweep()

    def _keep(self, path: Path) -> None:
        held = self.holding(path)
        if held is not None and self._network is not None:
            self._upkeep.begin(*held)

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

    async def _build_apart(
        self, path: StrPath, progress: Callable[[Progress], None] | None
    ) -> tuple[int, Share]:
        """Hash what lies at `path` under a number of its own, without sharing it. At the next start the index
        knows nothing of it.
        """
        async with self._sharing:
            top = await self._find(os.fspath(path))
            name = choose_name(None, top, ())
            async with self._new_number(top) as number:
                share = await self._build(number, top, name, Audience(), progress)
                await self._database.run(partial(index.finish, number=number, share=share))
        return number, share

    async def _free(self, number: int) -> None:
        await self._hide([number])
        self._sweep()

    async def _commit(self, number: int, share: Share, old: Share | None) -> None:
        """Let the share appear, in place of its older self. Not to be cancelled half-way."""
        await self._database.run(partial(index.finish, number=number, share=share))
        self._refuse_unshared(share, old)
        async with self._steady[share.path]:
            await self._state.run(partial(shares.keep, share=share))
            self._refuse_unshared(share, old)
            numbers = {one: self._shares.pop(one) for one in self._numbers_of(share.path)}
            self._wanted[share.path] = self._shares[number] = share
            await self._tell_shared(number, numbers)
        await self._hide(list(numbers))
        self.show(share.path)

    async def _tell_shared(self, number: int, numbers: dict[int, Share]) -> None:
        """Tell how a share differs from what it was under other numbers."""
        share, old = self._shares[number], None
        for one, before in numbers.items():
            if (before.name, before.audience, before.replica) == (share.name, share.audience, False):
                old = one
                await self._tell_vanished(share, number, old)
            else:
                await self.listeners.tell(share, removed=[before.name])
        await self.listeners.tell_pages(share, self._pages(number, old))

    async def _tell_vanished(self, share: Share, number: int, old: int) -> None:
        after: Place | None = None
        while True:
            ask = partial(comparing.vanished, new=number, old=old, after=after, limit=PAGE_ENTRIES)
            places = await self._database.run(ask)
            if not places:
                return
            after = places[-1]
            await self.listeners.tell(share, removed=[comparing.path_of(share, *one) for one in places])

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
                    await self._hash(top, share.name, share.audience, share, replica=share.replica)
                except NotTheSame as error:
                    logger.warning("%r is not shared on as a copy: %s; %s", share.name, error, error.hint)
                    self._wanted[share.path] = replace(share, state="changed", note=str(error))
                    self.show(share.path)
                except WarrenError as error:
                    logger.warning("%r is not served until it is shared again: %s", share.name, error)

    # --- what keepers need (Holder) ------------------------------------------------------------------------

    def steady(self, path: Path) -> asyncio.Lock:
        """See `Holder`."""
        return self._steady[path]

    def holding(self, path: Path) -> tuple[int, Share] | None:
        """See `Holder`."""
        found = [(number, share) for number, share in self._shares.items() if share.path == path]
        return found[-1] if found else None

    async def take_in(
        self, number: int, totals: Totals, skipped: Sequence[Skipped], skipped_count: int
    ) -> None:
        """See `Holder`."""
        share = replace(
            self._shares[number],
            cid=Cid.from_bytes(totals.cid),
            files=totals.files,
            bytes=totals.bytes,
            skipped=tuple(skipped),
            skipped_count=skipped_count,
        )
        await self._state.run(partial(shares.keep, share=share))
        if number in self._shares:
            self._wanted[share.path] = self._shares[number] = share
            self.show(share.path)

    async def hash_file(self, share: Share) -> None:
        """See `Holder`."""
        top = os.fspath(share.path)
        async with self._new_number(top) as number:
            made = await self._build(number, top, share.name, share.audience, None)
            await finish(self._commit(number, made, share))

    async def tell_all(self, number: int) -> None:
        """See `Holder`."""
        await self.listeners.tell_pages(self._shares[number], self._pages(number))

    def show(self, path: Path) -> None:
        """See `Holder`."""
        share = self._wanted.get(path)
        if share is not None:
            self._emit(ShareChanged(self._upkeep.described(share)))

    def let_go(self, path: Path) -> None:
        """See `Holder`."""
        task = asyncio.create_task(self._let_go(path))
        self._letting_go.add(task)
        task.add_done_callback(self._letting_go.discard)

    async def _let_go(self, path: Path) -> None:
        try:
            await self.unshare(os.fspath(path))
        except WarrenError as error:
            logger.warning("%r is removed, and stays in the list of shares for now: %s", path.name, error)

    def show_progress(self, share: Share, progress: Progress) -> None:
        """See `Holder`."""
        self._emit(ShareProgress(share.name, progress))

    def _show_all(self) -> None:
        for path in list(self._wanted):
            self.show(path)

    def _emit(self, event: object) -> None:
        if self._network is not None:
            self._network.events.emit(event)

    def _sweep(self) -> None:
        """Free the room of what is no longer shared, in the background."""
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep_all())

    async def _sweep_all(self) -> None:
        with _room_is_kept():
            while not await self._database.run(index.sweep_some):
                pass


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
