"""`Resources`: what is said of shared files and folders.

In:  what the user says by hand, what PDF files say of themselves, what others signed; what moved, changed and
went in the shares. Out: metadata by content id, in signed words; `ResourceChanged` after each commit.

All is kept in `state.db` by content id, so metadata stays with a file that moves or is renamed; where a file
is edited, what was said by hand goes over to what lies there now. What the user said wins, field by field,
over what the file says. Several publishers may speak of the same content, each for itself: this node shows
its own words first, then those of who holds the content. What was said for a place in a share is told to
those alone whom the share admits, though the same content lies elsewhere, too (scopes.py).

Refuses what core/entry.py, store.py and refs.py refuse.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.errors import ContentUnknown, LimitReached, StorageError
from warren.core.resource import Resource
from warren.services.resources import pdf, store
from warren.services.resources.refs import Meant, resolve, scope_of
from warren.services.resources.said import Said
from warren.services.resources.scopes import covers_plainly, said_of
from warren.services.resources.store import Place, Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from warren.core.cid import Cid
    from warren.core.entry import Metadata
    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Database, Runtime
    from warren.services.resources.refs import Shared, SharedThing, Shelf
    from warren.services.resources.scopes import Covers
    from warren.services.resources.store import Follow

PDF_ENDING: Final = ".pdf"
# Fault: a tree of a million described files that is moved. More than these are looked for, not remembered.
CHANGES_MAX: Final = 10_000
PAGE_WORDS: Final = 500
NO_EXTRA: Final = (
    "PDF files are shared, but not asked for title, authors and keywords: that needs pypdf (docs/install.md)"
)
AGAIN_S: Final = 1.0
AGAIN_MAX_S: Final = 60.0
"""What could not be kept, for a full disk say, is looked at again after this, then after twice as long."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ResourceChanged:
    """What this node says of a content id is something else now; it is committed. Empty: nothing any more."""

    cid: Cid
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Described:
    """What is said of a file or folder.

    metadata: as this node shows it. by_hand: the fields that the user said. seq: of this node's word; 0: it
    says nothing. paths: where it is shared, as SHARE/PATH. others: what others say of it.
    """

    cid: Cid
    metadata: Metadata
    by_hand: tuple[str, ...]
    seq: int
    paths: tuple[str, ...]
    others: tuple[Resource, ...] = ()


class Resources:
    """Of one node. `run` reads what files say of themselves, as long as the node lives."""

    def __init__(
        self,
        runtime: Runtime,
        state: Database,
        key: PrivateKey,
        shelf: Shelf,
        follow: Follow = lambda *_: None,
        covers: Covers = covers_plainly,
    ) -> None:
        """follow: writes down elsewhere, within the same transaction, what this node says of a content id,
        and to whom. covers: whether the first audience admits all whom the second one does.
        """
        self._runtime = runtime
        self._state = state
        self._key = key
        self._shelf = shelf
        self._follow = follow
        self._covers = covers
        self._listeners: list[Callable[[ResourceChanged], None]] = []
        self._moving = asyncio.Lock()
        self._changes: deque[tuple[Place, Cid | None]] = deque()
        self._unsettled: dict[Path, None] = {}
        self._something_to_do = asyncio.Event()
        self._warned: set[str] = set()

    def listen(self, callback: Callable[[ResourceChanged], None]) -> None:
        """Have `callback` called in the loop after each change of what this node says."""
        self._listeners.append(callback)

    # --- questions ----------------------------------------------------------------------------------------

    async def all(self) -> list[Described]:
        """All of which this node says something, by where it is shared."""
        me, names, found = self._key.peer_id, self._names(), list[Described]()

        def read(db: sqlite3.Connection, after: Cid | None) -> list[Described]:
            words = store.words_by(db, me, after, PAGE_WORDS)
            places = store.places_of(db, [word.cid for word in words])
            return [
                Described(
                    word.cid,
                    word.metadata,
                    said_of(db, word.cid).names,
                    word.seq,
                    _shown(names, places[word.cid]),
                )
                for word in words
            ]

        after: Cid | None = None
        while page := await self._state.run(partial(read, after=after)):
            found += page
            after = page[-1].cid
        return await self._runtime.offload(_by_place, found)

    async def show(self, ref: str | Path | Cid) -> Described:
        """What is said of a path on the disk, of SHARE/PATH or of a content id.

        Raises `ContentUnknown` for what is neither shared nor spoken of, `NotFound`.
        """
        return await self._described(await resolve(self._runtime, self._shelf, ref))

    async def metadata_of(self, cids: Sequence[Cid], audience: str) -> Mapping[Cid, Metadata]:
        """What this node says of each to those who see it by that audience; those of which it says nothing
        are left out.
        """
        me, covers = self._key.peer_id, self._covers

        def read(db: sqlite3.Connection) -> dict[Cid, Metadata]:
            described = store.metadata_of(db, cids, me)
            told = ((cid, store.metadata_to(db, cid, audience, covers)) for cid in described)
            return {cid: metadata for cid, metadata in told if metadata}

        return await self._state.run(read)

    async def word_for(self, peer: PeerId, path: str) -> bytes | None:
        """See `warren.protocols.resource.Speaker`."""
        try:
            found = await self._shelf.find(path, peer)
        except ContentUnknown:
            return None
        name = path.strip("/").partition("/")[0]
        share = next((one for one in self._shelf.shares() if one.name == name), None)
        return await self._sealed_for(found.cid, str(share.audience)) if share is not None else None

    async def _sealed_for(self, cid: Cid, audience: str) -> bytes | None:
        """This node's word as far as it is for those who see the content by that audience."""
        key, covers = self._key, self._covers

        def read(db: sqlite3.Connection) -> bytes | Resource | None:
            whole = store.word_of(db, cid, key.peer_id)
            if whole is None:
                return None
            told = replace(whole, metadata=store.metadata_to(db, cid, audience, covers))
            return told if told != whole else store.envelope_of(db, cid, key.peer_id)

        word = await self._state.run(read)
        return word.seal(key) if isinstance(word, Resource) else word

    async def sealed(self, cid: Cid) -> bytes | None:
        """This node's own word in its signed envelope, to be handed to who may see the content."""
        return await self._state.run(lambda db: store.envelope_of(db, cid, self._key.peer_id))

    # --- what the user does -------------------------------------------------------------------------------

    async def edit(
        self,
        ref: str | Path | Cid,
        *,
        title: str | None = None,
        abstract: str | None = None,
        authors: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        licence: str | None = None,
    ) -> Described:
        """Say something of a file or folder; None leaves a field as it is, "" or () says that it is empty.

        It is for those whom the share admits; what is said of a content id is for all who see that anywhere.
        Committed when this returns. Raises what `show` raises, `InputError`, `LimitReached`.
        """
        return await self.say(ref, Said(title, abstract, authors, domains, tags, licence))

    async def say(self, ref: str | Path | Cid, said: Said) -> Described:
        """The same."""
        meant = await resolve(self._runtime, self._shelf, ref)
        before = await self._described(meant)
        if not said:
            return before
        places = [Place(*one) for one in await self._shelf.find_cid(meant.cid)]
        places += [meant.place] if meant.place else []
        await self._write(lambda writer: writer.say(meant.cid, said, meant.scope, places))
        return await self._described(meant)

    async def clear(self, ref: str | Path | Cid) -> Described:
        """Take back what was said by hand; what the file says of itself stands again. Raises as `show`."""
        meant = await resolve(self._runtime, self._shelf, ref)
        await self._described(meant)
        await self._write(lambda writer: writer.clear(meant.cid))
        return await self._described(meant, or_nothing=True)

    # --- what others say ----------------------------------------------------------------------------------

    async def accept(self, envelope: bytes) -> Resource:
        """Keep what another signed, as its word alone and while there is room; return its newest word.

        Raises `ProtocolViolation`. This node's own words are not taken from others.
        """
        word = Resource.open(envelope)
        me = self._key.peer_id
        if word.publisher != me:
            has_room = await self._state.run(lambda db: store.accept(db, word, envelope, me))
            if not has_room:
                self._warn("what others say of files is shown, but no more of it is kept: there is too much")
        kept = await self._state.run(lambda db: store.word_of(db, word.cid, word.publisher))
        return kept or word

    async def heard(self, envelope: bytes) -> Described:
        """The same, beside what else is said of that content."""
        word = await self.accept(envelope)
        found = await self._described(Meant(word.cid, None), or_nothing=True)
        if not word.metadata or word in found.others:
            return found
        return replace(found, others=(*found.others, word))

    # --- what happens in the shares -----------------------------------------------------------------------

    async def look_at(self, share: Path, cid: Cid, path: str) -> None:
        """In the share at `share` (a path on the disk) `path` is new or changed, and has this content id now.

        A folder changes with each thing in it: it is looked at by `settle`. Returns once what it says of
        itself, if it is a PDF, is kept.
        """
        try:
            await self._look_at(Place(share, path), cid)
        except LimitReached as error:
            self._warn(str(error))

    async def forget(self, share: Path, path: str) -> None:
        """Nothing lies there any more, nor below. What was said by hand is kept, should the content turn up
        again.
        """
        for one in await self._state.run(lambda db: store.paths_in(db, share, path)):
            await self._move(Place(share, one), None)

    async def heed(self, share: Shared, added: Sequence[SharedThing], removed: Sequence[str]) -> None:
        """The same for a page of changes, from within the library: `run` looks at them soon, in this order.

        added: what is new or has changed, folders too. removed: paths (SHARE/FOLDER/NAME) that are gone with
        all below, which went before the others came. A share as a whole goes under its old name when it gets
        another: where it is shared still, it is gone through instead, and so it is where this raises
        `StorageError`.
        """
        is_shared = any(one.path == share.path for one in self._shelf.shares())
        gone = [path for path in removed if _inner(path) or not is_shared]
        if len(gone) < len(removed):
            self._unsettled[share.path] = None
        places = [(Place(share.path, _inner(one.path)), one.cid) for one in added]
        try:
            found = await self._state.run(lambda db: store.of_interest(db, places, PDF_ENDING))
        except StorageError:
            self.look_through(share.path)
            raise
        if len(self._changes) + len(found) + len(gone) > CHANGES_MAX:
            self._unsettled[share.path] = None
        else:
            self._changes += [(Place(share.path, _inner(path)), None) for path in gone]
            self._changes += found
        self._something_to_do.set()

    async def settle(self, share: Path) -> None:
        """The share was hashed again: look at all places in it of which something is said."""
        top = next((one for one in self._shelf.shares() if one.path == share), None)
        if top is None or not top.ready:
            return
        await self._write(lambda writer: writer.admit(scope_of(top)))
        for path in await self._state.run(lambda db: store.paths_in(db, share)):
            try:
                found = await self._shelf.find(f"{top.name}/{path}" if path else top.name)
            except ContentUnknown:
                await self.forget(share, path)
            else:
                await self._move(Place(share, path), found.cid)

    async def shared(self, share: Shared, said: Said) -> None:
        """The user shared this, maybe again, and says so much of it. A file is looked at before this returns,
        the files of a folder soon. Raises what `edit` raises.
        """
        await self.settle(share.path)
        if said:
            await self.say(str(share.path), said)
        if share.kind == "file":
            await self.look_at(share.path, share.cid, "")
        else:
            self.look_through(share.path)

    def look_through(self, share: Path) -> None:
        """Look soon, in the background, at all places of the share of which something is said, and read what
        its PDF files say of themselves.
        """
        self._unsettled[share] = None
        self._something_to_do.set()

    async def run(self) -> None:
        """Look through the shares that there are, and at what changes in them from then on."""
        for share in self._shelf.shares():
            self.look_through(share.path)
        wait_s = AGAIN_S
        while True:
            await self._something_to_do.wait()
            self._something_to_do.clear()
            while self._changes or self._unsettled:
                try:
                    await self._look_at_next()
                    wait_s = AGAIN_S
                except StorageError as error:
                    _log.warning("what is said of files cannot follow them for now: %s", error)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, AGAIN_MAX_S)

    # --- inside -------------------------------------------------------------------------------------------

    async def _look_at_next(self) -> None:
        if self._changes:
            place, cid = self._changes[0]
            if cid is None:
                await self.forget(*place)
            else:
                await self.look_at(place.share, cid, place.path)
            self._changes.popleft()
            return
        share = next(iter(self._unsettled))
        del self._unsettled[share]
        try:
            await self._look_through(share)
        except StorageError:
            self._unsettled[share] = None
            raise

    async def _look_through(self, share: Path) -> None:
        await self.settle(share)
        async for page in self._shelf.files_ending(share, PDF_ENDING):
            if page and not pdf.is_there():
                self._warn(NO_EXTRA)
                return
            places = [(Place(share, path), cid) for path, cid in page]
            try:
                await self._look_at_all(places)
            except LimitReached as error:
                self._warn(str(error))
                return

    async def _look_at_all(self, places: Sequence[tuple[Place, Cid]]) -> None:
        for place, cid in await self._state.run(lambda db: store.of_interest(db, places, PDF_ENDING)):
            await self._look_at(place, cid)

    async def _look_at(self, place: Place, cid: Cid) -> None:
        await self._move(place, cid)
        if place.name.lower().endswith(PDF_ENDING):
            await self._read(place, cid)

    async def _move(self, place: Place, cid: Cid | None) -> None:
        def read(db: sqlite3.Connection) -> tuple[Cid | None, bool]:
            old = store.cid_at(db, place)
            return old, old is not None and bool(said_of(db, old))

        async with self._moving:
            old, is_said = await self._state.run(read)
            if old == cid:
                return
            # What a file says of itself can be had again; what was said by hand is not to be lost.
            found = await self._shelf.find_cid(old) if old is not None and is_said else ()
            elsewhere = [Place(*one) for one in found]
            await self._write(lambda writer: writer.move(place, cid, old, elsewhere))

    async def _read(self, place: Place, cid: Cid) -> None:
        """Take what a PDF says of itself, unless that was done. One at a time: it keeps a thread busy."""
        if not pdf.is_there():
            self._warn(NO_EXTRA)
            return
        async with self._moving:
            if await self._state.run(lambda db: store.is_taken(db, cid)):
                return
            try:
                taken = await self._runtime.offload(self._read_blocking, place)
            except OSError as error:
                _log.debug("%s cannot be read: %s", place, error)
                return
            await self._write(lambda writer: writer.take(cid, taken, place))

    def _read_blocking(self, place: Place) -> Metadata:
        top, path = (place.share, place.path) if place.path else (place.share.parent, place.share.name)
        inner, name = os.path.split(path)
        folder = self._runtime.disk.open_folder(top, inner)
        try:
            file = folder.open_read(name)
        finally:
            folder.close()
        try:
            return pdf.read(file, self._runtime.clock.now)
        finally:
            file.close()

    async def _write(self, change: Callable[[Writer], None]) -> None:
        """Commit a change, then tell of it, also if the caller is cancelled meanwhile."""
        write = asyncio.ensure_future(self._commit(change))
        try:
            await asyncio.shield(write)
        except asyncio.CancelledError:
            await asyncio.wait([write])
            raise

    async def _commit(self, change: Callable[[Writer], None]) -> None:
        now_ms = int(self._runtime.clock.wall() * 1000)

        def transaction(db: sqlite3.Connection) -> dict[Cid, Metadata]:
            writer = Writer(db, self._key, now_ms, self._follow, self._covers)
            change(writer)
            return writer.changed

        for cid, metadata in (await self._state.run(transaction)).items():
            for listener in self._listeners:
                listener(ResourceChanged(cid, metadata))

    async def _described(self, meant: Meant, *, or_nothing: bool = False) -> Described:
        me = self._key.peer_id

        def read(db: sqlite3.Connection) -> tuple[list[Resource], Said, list[tuple[bytes, str]]]:
            places = store.places_of(db, [meant.cid])[meant.cid]
            return store.words_on(db, meant.cid), said_of(db, meant.cid), places

        words, said, places = await self._state.run(read)
        if meant.place is not None:
            places = sorted({*places, meant.place.key})
        elif not (words or said or or_nothing):
            raise ContentUnknown(
                f"nothing with the content id {meant.cid} is shared", hint="list the shares with: warren ls"
            )
        own = next((word for word in words if word.publisher == me), Resource(me, meant.cid, 0))
        others = tuple(word for word in words if word.publisher != me and word.metadata)
        return Described(meant.cid, own.metadata, said.names, own.seq, _shown(self._names(), places), others)

    def _names(self) -> dict[bytes, str]:
        """The shares by their paths on the disk."""
        return {os.fsencode(share.path): share.name for share in self._shelf.shares()}

    def _warn(self, text: str) -> None:
        """Once."""
        if text not in self._warned:
            self._warned.add(text)
            _log.warning("%s", text)


def _inner(path: str) -> str:
    """SHARE/FOLDER/NAME -> FOLDER/NAME; of the share itself ""."""
    return path.partition("/")[2]


def _shown(names: Mapping[bytes, str], places: Iterable[tuple[bytes, str]]) -> tuple[str, ...]:
    """SHARE/PATH of each place that is in a share."""
    named = ((names[share], path) for share, path in places if share in names)
    return tuple(sorted(f"{name}/{path}" if path else name for name, path in named))


def _by_place(found: list[Described]) -> list[Described]:
    """By path; what lies nowhere comes last."""
    return sorted(found, key=lambda one: (not one.paths, one.paths, one.cid))
