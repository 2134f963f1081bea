"""A sharded folder after some of its entries changed, built from the shards on the way to those alone.

In:  the root of the folder as it was, its blocks as they are asked for, and what became of some names. Out:
the root that `build_folder` would give to all entries, with the blocks that are new and the ids of those that
are of no use any more. Refuses what is no sharded folder (`NotSharded`); whether it still has to be one is
for the caller to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from warren.services.files.dag import pb, unixfs
from warren.services.files.dag.build import build_shard
from warren.services.files.dag.murmur3 import murmur3_x64_64
from warren.services.files.dag.pb import Link, encode_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from warren.services.files.dag.pb import Block

    Change = tuple[bytes, str, Link | None]
    """The hash of a name, the name, and what it leads to now; None: nothing."""

PLACE_CHARS = 2
"""Every name in a shard begins with its place, two hexadecimal digits; that of a shard below is no more."""


class NotSharded(Exception):
    """The folder is one block."""


class Patched(NamedTuple):
    """What became of a folder. root: nameless. dropped: content ids of blocks that are not in it any more."""

    root: Link
    blocks: list[Block]
    dropped: list[bytes]


def patch_folder(root: bytes, read: Callable[[bytes], bytes], changes: Mapping[str, Link | None]) -> Patched:
    """The folder whose root had this content id, with these entries by name; None: it is gone.

    read: the block of a content id. Raises `NotSharded`, and what `read` raises.
    """
    if unixfs.decode(pb.decode(read(root))[1]).type is not unixfs.NodeType.HAMT_SHARD:
        raise NotSharded
    patch = _Patch(read)
    hashed = [(murmur3_x64_64(name.encode()), name, link) for name, link in changes.items()]
    links = patch.shard(root, 0, hashed)
    return Patched(patch.write(links), patch.blocks, patch.dropped)


class _Patch:
    def __init__(self, read: Callable[[bytes], bytes]) -> None:
        self._read = read
        self.blocks: list[Block] = []
        self.dropped: list[bytes] = []

    def shard(self, cid: bytes, depth: int, changes: Iterable[Change]) -> dict[int, Link]:
        """What a shard holds after the changes, by place."""
        self.dropped.append(cid)
        links = {int(link.name[:PLACE_CHARS], 16): link for link in pb.decode(self._read(cid))[0]}
        by_place: dict[int, list[Change]] = {}
        for change in changes:
            by_place.setdefault(change[0][depth], []).append(change)
        for place, some in by_place.items():
            link = self._child(links.pop(place, None), depth + 1, some)
            if link is not None:
                links[place] = Link(link.cid, f"{place:02X}{link.name}", link.size)
        return links

    def _child(self, old: Link | None, depth: int, changes: list[Change]) -> Link | None:
        """What lies at a place after the changes: an entry, a shard without a name, or nothing."""
        if old is not None and len(old.name) == PLACE_CHARS:
            links = self.shard(old.cid, depth, changes)
            if len(links) > 1 or any(len(link.name) == PLACE_CHARS for link in links.values()):
                return self.write(links)
            return next((link._replace(name=link.name[PLACE_CHARS:]) for link in links.values()), None)
        entries: dict[str, Link] = {}
        if old is not None:
            entries[old.name[PLACE_CHARS:]] = old._replace(name=old.name[PLACE_CHARS:])
        for _, name, link in changes:
            entries.pop(name, None)
            if link is not None:
                entries[name] = link
        if len(entries) > 1:
            hashed = [(murmur3_x64_64(name.encode()), link) for name, link in entries.items()]
            return build_shard(hashed, depth, self.blocks)
        return next(iter(entries.values()), None)

    def write(self, links: dict[int, Link]) -> Link:
        """A shard of these."""
        bits = sum(1 << place for place in links)
        block = encode_block([links[place] for place in sorted(links)], unixfs.encode_shard(bits))
        self.blocks.append(block)
        return Link(block.cid, "", block.total)
