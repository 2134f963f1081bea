"""Listings between the index, the wire and the user.

In: entries as the index or a peer gives them. Out: the same as the other side wants them. A page ends at
`LISTING_BYTES_MAX`, so that an answer's cap holds for names of any length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from warren.core.cid import Cid
from warren.protocols.transfer.messages import LISTING_BYTES_MAX, Entry, Kind, Listing
from warren.services.files.types import FileEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.services.files.index import ListedEntry

ENTRY_OVERHEAD_BYTES: Final = 64
"""Content id, size, kind and framing of an entry."""

_TO_WIRE: Final = {"file": Kind.FILE, "dir": Kind.DIR, "symlink": Kind.SYMLINK}
_FROM_WIRE: Final[dict[Kind, Literal["file", "dir", "symlink"]]] = {
    Kind.FILE: "file",
    Kind.DIR: "dir",
    Kind.SYMLINK: "symlink",
}


def to_wire(entry: ListedEntry, name: str = "") -> Entry:
    """An entry of the index; `name` replaces its own where given."""
    return Entry(name or entry.name, _TO_WIRE[entry.kind], entry.size, entry.cid)


def page(here: Entry | None, entries: Iterable[ListedEntry], limit: int) -> Listing:
    """As many of `entries` as fit; `more` when some are left, of which there may be one over `limit`."""
    taken: list[Entry] = []
    room = LISTING_BYTES_MAX
    for entry in entries:
        room -= len(entry.name.encode()) + ENTRY_OVERHEAD_BYTES
        if len(taken) == limit or room < 0:
            return Listing(here, taken, more=True)
        taken.append(to_wire(entry))
    return Listing(here, taken)


def to_user(listing: Listing, path: str) -> list[FileEntry]:
    """The lines for what lies at `path`: of a folder its entries, else the thing itself."""
    here = listing.here
    if here is not None and here.kind is not Kind.DIR:
        return [line(here, path)]
    return [line(entry, f"{path}/{entry.name}" if path else entry.name) for entry in listing.entries]


def line(entry: Entry, path: str) -> FileEntry:
    """An entry as the user sees it, at its `path`."""
    return FileEntry(entry.name, path, _FROM_WIRE[entry.kind], entry.size, Cid.from_bytes(entry.cid))
