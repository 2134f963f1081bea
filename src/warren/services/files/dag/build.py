"""The graphs that the profile unixfs-v1-2025 gives to files, folders and symlinks.

In: chunk digests in file order, entries of a folder, targets. Out: dag-pb blocks to keep, and the content id.
The profile: version 1 ids, raw leaves of 1 MiB, balanced with 1,024 links a node, no mode or time; a folder
is sharded (HAMT, fanout 256, murmur3) once its one block would exceed 256 KiB.
https://github.com/ipfs/specs/blob/main/IPIP/0499-unixfs-cid-profiles.md

Where implementations differ we follow IPIP-499 and boxo (Kubo): the block's exact size counts, subfolders
included, and a block of exactly 256 KiB stays whole.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError
from warren.services.files.dag import unixfs
from warren.services.files.dag.murmur3 import murmur3_x64_64
from warren.services.files.dag.pb import (
    RAW_CID_PREFIX,
    Link,
    encode_block,
    encoded_size,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.services.files.dag.pb import (
        Block,
    )

CHUNK_BYTES: Final = 1024 * 1024
WIDTH: Final = 1024
FOLDER_BYTES_MAX: Final = 256 * 1024
HASH_BYTES: Final = 8


class FileBuilder:
    """Builds the graph of one file while its chunks are hashed.

    Call `add` for each chunk in order, then `finish` once. `blocks` are the nodes so far; whoever keeps them
    may empty the list at any time. A file of one chunk is that chunk; an empty file has one empty chunk.
    """

    __slots__ = ("_levels", "blocks")

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        # For each height the links that still lack a parent, with the bytes of the file below each.
        self._levels: list[list[tuple[Link, int]]] = [[]]

    def add(self, digest: bytes, length: int) -> None:
        """The next chunk: its SHA2-256 and its bytes, `CHUNK_BYTES` for all but the last."""
        self._push(0, Link(RAW_CID_PREFIX + digest, "", length), length)

    def finish(self) -> Link:
        """The root, nameless. At least one chunk was added."""
        height = 0
        while height + 1 < len(self._levels) or len(self._levels[height]) > 1:
            if self._levels[height]:
                self._reduce(height)
            height += 1
        return self._levels[height][0][0]

    def _push(self, height: int, link: Link, file_bytes: int) -> None:
        if height == len(self._levels):
            self._levels.append([])
        level = self._levels[height]
        if len(level) == WIDTH:
            self._reduce(height)
        level.append((link, file_bytes))

    def _reduce(self, height: int) -> None:
        level = self._levels[height]
        sizes = [file_bytes for _, file_bytes in level]
        block = encode_block([link for link, _ in level], unixfs.encode_file(sizes))
        level.clear()
        self.blocks.append(block)
        self._push(height + 1, Link(block.cid, "", block.total), sum(sizes))


def build_symlink(target: str) -> Block:
    """The node of a symlink. Raises `InputError` for a target that no file system can hold."""
    if len(target.encode()) > unixfs.SYMLINK_TARGET_BYTES_MAX:
        raise InputError("the target of a symlink is longer than a path may be")
    return encode_block([], unixfs.encode_symlink(target))


def build_folder(entries: Iterable[Link]) -> tuple[Link, list[Block]]:
    """The root of a folder, nameless, and its blocks, the root's last. Names must differ."""
    links = sorted(entries, key=lambda link: link.name.encode())
    for one, other in itertools.pairwise(links):
        if one.name == other.name:
            raise InputError(f"a folder cannot hold {one.name!r} twice")
    size = 2 + len(unixfs.DIRECTORY_DATA) + sum(map(encoded_size, links))
    if size <= FOLDER_BYTES_MAX:
        block = encode_block(links, unixfs.DIRECTORY_DATA)
        return Link(block.cid, "", block.total), [block]
    blocks: list[Block] = []
    hashed = [(murmur3_x64_64(link.name.encode()), link) for link in links]
    return build_shard(hashed, 0, blocks), blocks


def build_shard(entries: list[tuple[bytes, Link]], depth: int, blocks: list[Block]) -> Link:
    """The shard, nameless, of these entries, each with the hash of its name, so many levels below the root;
    `blocks` get what it is made of. Raises `InputError` for names that no level tells apart.
    """
    if depth == HASH_BYTES:
        raise InputError(
            "the names of a folder collide in all 64 bits of their hash", hint="rename one of them"
        )
    places: dict[int, list[tuple[bytes, Link]]] = {}
    for hashed, link in entries:
        places.setdefault(hashed[depth], []).append((hashed, link))
    bits = 0
    links: list[Link] = []
    for place in sorted(places):
        bits |= 1 << place
        held = places[place]
        child = held[0][1] if len(held) == 1 else build_shard(held, depth + 1, blocks)
        links.append(Link(child.cid, f"{place:02X}{child.name}", child.size))
    block = encode_block(links, unixfs.encode_shard(bits))
    blocks.append(block)
    return Link(block.cid, "", block.total)
