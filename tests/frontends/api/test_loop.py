"""No request of the API holds the loop for long: lists come slice by slice, files are touched in threads.

Counted, not timed: a busy machine changes how long things take, and not what is done in one turn of the loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import run
from warren.config import Config
from warren.core.errors import WarrenError
from warren.frontends.api.streams import LIST_SLICE, ListResponse
from warren.node import Node
from warren.runtime.real.runtime import RealRuntime

if TYPE_CHECKING:
    from pathlib import Path

FILES = 2_000


def test_a_long_list_is_made_slice_by_slice() -> None:
    """Others have their turn after each slice: 10,000 contacts cost one turn of the loop no more than 200."""
    made, most, sent = 0, 0, []

    def document(number: int) -> dict[str, Any]:
        nonlocal made
        made += 1
        return {"number": number}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def main() -> None:
        nonlocal made, most
        answering = asyncio.ensure_future(ListResponse(range(10_000), document)({}, None, send))  # type: ignore[arg-type]
        while not answering.done():
            made = 0
            await asyncio.sleep(0)
            most = max(most, made)
        await answering

    run(main())
    assert most == LIST_SLICE
    assert b"".join(sent).count(b"number") == 10_000


class Watched:
    """A disk, or an open folder of it, that notes who uses it."""

    def __init__(self, disk: Any, threads: dict[str, set[int]] | None = None) -> None:
        self._disk = disk
        self.threads: dict[str, set[int]] = {} if threads is None else threads

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._disk, name)

        def call(*args: Any, **options: Any) -> Any:
            self.threads.setdefault(name, set()).add(threading.get_ident())
            result = real(*args, **options)
            return Watched(result, self.threads) if name == "open_folder" else result

        return call


def test_sharing_and_listing_touch_no_file_and_no_database_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Share a folder of thousands of files, list it, list the shares, fail to share: all off the loop."""
    folder = tmp_path / "Photos"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.txt").write_bytes(b"%d" % number)
    here = threading.get_ident()
    opened: list[int] = []
    real = sqlite3.connect

    def connect(*args: Any, **options: Any) -> Any:
        opened.append(threading.get_ident())
        return real(*args, **options)

    monkeypatch.setattr(sqlite3, "connect", connect)

    async def main() -> Watched:
        runtime = RealRuntime()
        watched = Watched(runtime.disk)
        runtime.disk = watched  # type: ignore[assignment]
        async with Node(Config(home=tmp_path / "home", listen=(), name="anna"), runtime=runtime) as node:
            share = await node.share(folder)
            assert share.files == FILES
            assert len(await node.list_files(None, "Photos")) == FILES
            assert len(node.shares()) == 1
            with pytest.raises(WarrenError):
                await node.share(tmp_path / "none")
        await runtime.close()
        return watched

    watched = run(main())
    assert {"scan", "open_read", "lock"} <= set(watched.threads), "else this shows nothing"
    assert opened
    assert [name for name, threads in watched.threads.items() if here in threads] == []
    assert here not in opened
