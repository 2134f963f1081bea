"""Files by their content id, to be read at any place: from a share here, or while they come from others.

In:  a content id of one file, and who has it as far as that is known. Out: a `Reading`, of which verified
bytes are read. All who read the same share one fetch. It grows in a folder of the node's own, is fetched in
the order in which it is read, and is removed some time after the last one stopped to read.

Refuses folders, and more fetches at once than `STREAMS_MAX`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import InputError, LimitReached, SourceChanged, StorageError
from warren.services.files.waiting import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import ReadFile, Runtime, StrPath
    from warren.services.files.streaming.shared import SharedFile
    from warren.services.files.transfer import Transfer

STREAMS_MAX: Final = 16
"""Fault: a program that opens one file after the other and reads none: each takes connections and disk."""
LINGER_S: Final = 600.0
"""What nobody reads any more is kept for so long: players close and open again when somebody seeks."""
READ_BYTES_MAX: Final = 1024 * 1024
_log = logging.getLogger(__name__)


class Reading(Protocol):
    """One who reads a file. Close it."""

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        ...

    async def read(self, offset: int, length: int) -> bytes:
        """Some bytes from `offset` on, `length` at most, as soon as there are any; b"" at the end.

        Raises what made the fetch fail, `SourceChanged` where the share is no longer what it was.
        """
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class Fetching(Protocol):
    """Starts fetches; see `Fetcher.get`."""

    def get(
        self,
        ref: Cid | str,
        folder: StrPath,
        *,
        peers: Sequence[PeerId] = (),
        name: str | None = None,
        only: bool = False,
        sequential: bool = False,
    ) -> Transfer: ...


class Shared(Protocol):
    """Finds what is shared here."""

    async def find_file(self, cid: Cid) -> SharedFile | None:
        """A shared file with this content, if there is one that can be read."""
        ...


class Streams:
    """All that is read so on one node. folder: where it grows; it is this class's own."""

    def __init__(self, runtime: Runtime, fetching: Fetching, shared: Shared, folder: str) -> None:
        self._runtime = runtime
        self._fetching = fetching
        self._shared = shared
        self._folder = folder
        self._plays: dict[Cid, _Play] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Remove what an earlier run left."""
        with contextlib.suppress(FileNotFoundError):
            await self._runtime.offload(self._runtime.disk.remove_tree, self._folder)

    async def close(self) -> None:
        """Stop all of it."""
        for cid in list(self._plays):
            self._end(cid)
        await settle(self._endings)

    async def open(self, cid: Cid, peers: Sequence[PeerId] = (), *, only: bool = False) -> Reading:
        """Begin to read the file `cid`. peers: who has it, as far as that is known; only: ask nobody else.

        Raises `InputError` for a folder, `LimitReached`, and what makes a fetch fail.
        """
        found = None if only else await self._shared.find_file(cid)
        if found is not None:
            return SharedReading(self._runtime, found)
        play = self._plays.get(cid)
        if play is None or play.failed:
            play = self._begin(cid, peers, only=only)
        reading = PlayReading(play)
        try:
            await play.begun()
        except BaseException:
            reading.close()
            raise
        return reading

    def _begin(self, cid: Cid, peers: Sequence[PeerId], *, only: bool) -> _Play:
        self._end(cid)
        if len(self._plays) >= STREAMS_MAX:
            idle = next((one for one, play in self._plays.items() if not play.readers), None)
            if idle is None:
                raise LimitReached(
                    "files.streaming.STREAMS_MAX", f"{STREAMS_MAX} files are read already while they come"
                )
            self._end(idle)
        folder = os.path.join(self._folder, str(cid))
        transfer = self._fetching.get(cid, folder, peers=peers, name="content", only=only, sequential=True)
        play = self._plays[cid] = _Play(self._runtime, transfer, folder, partial(self._end, cid))
        return play

    def _end(self, cid: Cid) -> None:
        play = self._plays.pop(cid, None)
        if play is not None:
            task = asyncio.create_task(self._remove(play))
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)

    async def _remove(self, play: _Play) -> None:
        await play.stop()
        try:
            await self._runtime.offload(self._runtime.disk.remove_tree, play.folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("%s cannot be removed: %s", play.folder, error)


class _Play:
    """One fetch, for all who read it. on_idle: called when nobody did for `LINGER_S`."""

    def __init__(self, runtime: Runtime, transfer: Transfer, folder: str, on_idle: partial[None]) -> None:
        self.runtime = runtime
        self.transfer = transfer
        self.folder = folder
        self.readers = 0
        self._on_idle = on_idle
        self._timer: asyncio.TimerHandle | None = None

    @property
    def failed(self) -> bool:
        return self.transfer.done and self.transfer.outcome is None

    async def begun(self) -> None:
        """Wait until its size is known. Raises what makes the fetch fail, `InputError` for a folder."""
        while not (self.transfer.done or self._size):
            await self.transfer.moved()
        if self.transfer.done:
            await self.transfer.result()
        growing = self.transfer.growing
        if growing is not None and not growing.is_file:
            raise InputError("a folder cannot be read as one file", hint="name a file in it")

    @property
    def _size(self) -> int:
        return self.transfer.growing.size if self.transfer.growing is not None else 0

    @property
    def size(self) -> int:
        return self.transfer.outcome.bytes if self.transfer.outcome is not None else self._size

    async def read(self, offset: int, length: int) -> bytes:
        while offset < self.size:
            if self.transfer.done:
                path = await self.transfer.result()
                return await self.runtime.offload(_read, self.runtime, os.fspath(path), offset, length)
            growing = self.transfer.growing
            if growing is not None:
                if growing.ready(offset):
                    return await growing.read(offset, length)
                growing.seek(offset)
            await self.transfer.moved()
        return b""

    def join(self) -> None:
        self.readers += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def leave(self) -> None:
        self.readers -= 1
        if not self.readers:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._on_idle)

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.transfer.cancel()
        await self.transfer.wait_ended()


class PlayReading:
    """Somebody who reads what comes. See `Reading`."""

    def __init__(self, play: _Play) -> None:
        self._play: _Play | None = play
        play.join()

    @property
    def size(self) -> int:
        """See `Reading`."""
        return self._play.size if self._play is not None else 0

    async def read(self, offset: int, length: int) -> bytes:
        """See `Reading`."""
        if self._play is None:
            return b""
        return await self._play.read(offset, min(length, READ_BYTES_MAX))

    def close(self) -> None:
        """See `Reading`."""
        play, self._play = self._play, None
        if play is not None:
            play.leave()


class SharedReading:
    """Somebody who reads what is shared here. See `Reading`."""

    def __init__(self, runtime: Runtime, file: SharedFile) -> None:
        self._runtime = runtime
        self._file = file

    @property
    def size(self) -> int:
        """See `Reading`."""
        return self._file.size

    async def read(self, offset: int, length: int) -> bytes:
        """See `Reading`."""
        length = min(length, READ_BYTES_MAX, max(0, self.size - offset))
        try:
            data = await self._runtime.offload(self._file.read, self._runtime.disk, offset, length)
        except OSError as error:
            raise StorageError(f"cannot read {self._file.name}: {error.strerror}") from error
        if data is None:
            raise SourceChanged(f"{self._file.name} is no longer what it was", hint="share it again")
        return data

    def close(self) -> None:
        """See `Reading`."""


def _read(runtime: Runtime, path: str, offset: int, length: int) -> bytes:
    try:
        file: ReadFile = runtime.disk.open_read(path)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    with contextlib.closing(file):
        return file.pread(offset, length)
