"""The trees of `vectors/cases.json`, built here: the same generated content as `vectors/make.mjs` makes."""

from __future__ import annotations

import hashlib
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

from warren.services.files.dag.build import CHUNK_BYTES, FileBuilder, build_folder, build_symlink
from warren.services.files.dag.pb import Link

if TYPE_CHECKING:
    from warren.services.files.dag.pb import Block


def content(start: int, end: int, seed: int) -> bytes:
    """Bytes `start` to `end` of the generated file; `start` on a KiB."""
    numbers = range(start // 1024, (end + 1023) // 1024)
    parts = [struct.pack(">II", k, seed) + bytes(((seed + k) & 0xFF,)) * 1016 for k in numbers]
    return b"".join(parts)[: end - start]


@cache
def _chunk_digest(start: int, end: int, seed: int) -> bytes:
    return hashlib.sha256(content(start, end, seed)).digest()


def file(size: int, seed: int, blocks: list[Block]) -> Link:
    builder = FileBuilder()
    for start in range(0, size or 1, CHUNK_BYTES):
        end = min(size, start + CHUNK_BYTES)
        builder.add(_chunk_digest(start, end, seed), end - start)
    root = builder.finish()
    blocks += builder.blocks
    return root


def build(tree: dict[str, Any], blocks: list[Block]) -> Link:
    """The root of a tree; its nodes are added to `blocks`."""
    if "link" in tree:
        block = build_symlink(tree["link"])
        blocks.append(block)
        return Link(block.cid, "", block.total)
    if "folder" not in tree:
        return file(tree["bytes"], tree["seed"], blocks)
    entries = [build(child, blocks)._replace(name=name) for name, child in tree["folder"].items()]
    many: dict[str, Any] = tree.get("many", {"count": 0})
    for i in range(many["count"]):
        link = file(many["bytes"], many["seed"] + i, blocks)
        entries.append(link._replace(name=many["pattern"].replace("#", f"{i:06}")))
    root, made = build_folder(entries)
    blocks += made
    return root
