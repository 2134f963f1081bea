"""Whole nodes of which some share a file and one reads it."""

from __future__ import annotations

import contextlib
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from warren import testing
from warren.services.files.config import FilesConfig
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.cid import Cid
    from warren.services.files.streaming.streams import Reading
    from warren.testing import Nodes

MIB = 1024 * 1024
CAP = 2 * MIB
"""Bytes a second that each of those who share sends at most."""
STREAMS = "/home/warren/streams"
READER = 0


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def put(nodes: Nodes, number: int, path: str, data: bytes) -> None:
    disk = nodes.runtime(number).disk
    disk.make_dirs(path.rpartition("/")[0])
    with contextlib.suppress(FileNotFoundError):
        disk.remove(path)
    file = disk.open_write(path, create=True)
    file.pwrite(0, data)
    file.close()


def streams_of(nodes: Nodes) -> list[str]:
    """The folders in which something grows at the one who reads."""
    try:
        return [entry.name for entry in nodes.runtime(READER).disk.scan(STREAMS)]
    except FileNotFoundError:
        return []


@asynccontextmanager
async def sharers(count: int = 1, *, cap: int = CAP) -> AsyncIterator[Nodes]:
    """Node 0 reads what nodes 1 to `count` share, each with this cap."""
    config = replace(QUIET, files=FilesConfig(up_bytes_per_s=cap))
    async with testing.network(count + 1, config=config) as nodes:
        yield nodes


async def share(nodes: Nodes, data: bytes, *who: int) -> Cid:
    """Share a file at these nodes; returns its content id."""
    shares = []
    for number in who:
        put(nodes, number, "/films/film.mkv", data)
        shares.append(await nodes[number].share("/films/film.mkv", "public"))
    cid = shares[0].cid
    assert cid is not None
    return cid


async def read_all(reading: Reading, start: int = 0) -> bytes:
    data = bytearray()
    while block := await reading.read(start + len(data), MIB):
        data += block
    return bytes(data)
