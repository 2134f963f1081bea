"""Which file or folder somebody means: a path on the disk, SHARE/PATH, or a content id.

In:  what was typed, the shares. Out: its content id, and where it lies. Refuses what is not shared here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from warren.core.cid import Cid
from warren.core.errors import ContentUnknown, InvalidCid, NotFound
from warren.services.resources.scopes import EVERYWHERE, Scope
from warren.services.resources.store import Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Runtime


class SharedThing(Protocol):
    """A file or folder that is shared, or lies in a share. path: SHARE/FOLDER/NAME."""

    @property
    def path(self) -> str: ...
    @property
    def cid(self) -> Cid: ...


class Shared(Protocol):
    """A share. path: where it lies on the disk, free of symlinks. ready: it is hashed. audience: whom it
    admits; its text says that.
    """

    @property
    def name(self) -> str: ...
    @property
    def cid(self) -> Cid: ...
    @property
    def path(self) -> Path: ...
    @property
    def kind(self) -> str: ...
    @property
    def ready(self) -> bool: ...
    @property
    def audience(self) -> object: ...


class Shelf(Protocol):
    """What is shared, as far as it is hashed."""

    def shares(self) -> Sequence[Shared]: ...

    async def find(self, path: str, asker: PeerId | None = None) -> SharedThing:
        """What lies at SHARE/FOLDER/NAME; for an asker, if it may see that. Raises `ContentUnknown`."""
        ...

    async def find_cid(self, cid: Cid) -> Sequence[tuple[Path, str]]:
        """Where this content lies: the path of the share, and the path in it ("": itself)."""
        ...

    def files_ending(self, top: Path, ending: str) -> AsyncIterator[list[tuple[str, Cid]]]:
        """The files of the share at `top` whose names end so, as (path in it, content id), page by page."""
        ...


class Meant(NamedTuple):
    """A content id, and where it lies; place None: nowhere here. scope: for whom what is said of it is."""

    cid: Cid
    place: Place | None
    scope: Scope = EVERYWHERE


async def resolve(runtime: Runtime, shelf: Shelf, ref: str | Path | Cid) -> Meant:
    """What `ref` means. Raises `ContentUnknown`, and `NotFound` for a path that leads nowhere."""
    cid = ref if isinstance(ref, Cid) else _cid_in(str(ref))
    if cid is not None:
        found = await shelf.find_cid(cid)
        return Meant(cid, Place(*found[0]) if found else None)
    text = str(ref)
    if Path(text).is_absolute():
        return await _on_disk(runtime, shelf, text)
    name, _, inner = text.strip("/").partition("/")
    share = next((one for one in shelf.shares() if one.name == name), None)
    if share is None:
        raise ContentUnknown(f"nothing is shared as {name!r}", hint="list the shares with: warren ls")
    return await _in_share(shelf, share, inner)


async def _on_disk(runtime: Runtime, shelf: Shelf, text: str) -> Meant:
    try:
        path = Path(await runtime.offload(runtime.disk.real_path, text))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NotFound(f"cannot read {text}: {reason}", hint="check the path") from error
    holding = [one for one in shelf.shares() if path == one.path or one.path in path.parents]
    if not holding:
        raise ContentUnknown(f"{text} is not shared", hint="share it first: warren share PATH")
    share = max(holding, key=lambda one: len(one.path.parts))
    inner = path.relative_to(share.path).as_posix()
    return await _in_share(shelf, share, "" if inner == "." else inner)


async def _in_share(shelf: Shelf, share: Shared, inner: str) -> Meant:
    found = await shelf.find(f"{share.name}/{inner}" if inner else share.name)
    return Meant(found.cid, Place(share.path, inner), scope_of(share))


def scope_of(share: Shared) -> Scope:
    """For whom it is what is said of something in the share."""
    return Scope(os.fsencode(share.path), str(share.audience))


def _cid_in(text: str) -> Cid | None:
    try:
        return Cid.parse(text)
    except InvalidCid:
        return None
