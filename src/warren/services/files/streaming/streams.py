"""Files by their content id, to be read at any place: from a share here, or while they come from others.

In:  a content id of one file, and who has it as far as that is known. Out: a `Reading`, of which verified
bytes are read. All who read the same share one fetch. It grows in a folder of the node's own, is fetched in
the order in which it is read, pauses when nobody reads, and is removed some time after the last one did.

Refuses folders, and more fetches at once than `STREAMS_MAX`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from warren.core.errors import Closed, InputError, LimitReached, SourceChanged, SourceVanished, StorageError
from warren.runtime.waiting import settle
from warren.services.files.streaming.growing import read_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Runtime, StrPath
    from warren.services.files.streaming.shared import SharedFile
    from warren.services.files.transfer import Transfer

STREAMS_MAX: Final = 16
"""Fault: a program that opens one file after the other and reads none: each takes connections and disk."""
LINGER_S: Final = 600.0
"""What nobody reads any more is kept for so long: players close and open again when somebody seeks."""
PAUSE_S: Final = 10.0
"""What nobody reads any more is fetched on for so long: who seeks comes back at once, who closed the player
does not want the rest."""
PAUSED_BYTES_PER_S: Final = 1
"""And then as good as not."""
READ_BYTES_MAX: Final = 1024 * 1024
_Key: TypeAlias = "tuple[Cid, tuple[PeerId, ...] | None]"
_log = logging.getLogger(__name__)


class Reading(Protocol):
    """One who reads a file. Close it."""

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        ...

    async def read(self, offset: int, length: int) -> bytes:
        """Some bytes from `offset` on, `length` at most, as soon as there are any; b"" at the end.

        Raises what made the fetch fail, `SourceChanged` and `SourceVanished` where a share is no longer what
        it was, `Closed`, `InputError`.
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
        keep: bool = True,
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
        self._plays: dict[_Key, _Play] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()
        self._closed = False

    async def start(self) -> None:
        """Remove what an earlier run left."""
        await self._remove(self._folder)

    async def close(self) -> None:
        """Stop all of it, and remove what came."""
        self._closed = True
        for play in list(self._plays.values()):
            self._end(play)
        await settle(self._endings)
        await self._remove(self._folder)

    async def open(self, cid: Cid, peers: Sequence[PeerId] = (), *, only: bool = False) -> Reading:
        """Begin to read the file `cid`. peers: who has it, as far as that is known; only: ask nobody else.

        Raises `InputError` for a folder, `LimitReached`, `Closed`, and what makes a fetch fail.
        """
        found = None if only else await self._shared.find_file(cid)
        if found is not None:
            return SharedReading(self._runtime, found)
        if self._closed:
            raise Closed("the node stops")
        play = self._play(cid, tuple(peers), only=only)
        reading = PlayReading(play)
        try:
            await reading.begin()
        except BaseException:
            reading.close()
            if play.is_folder and not play.readers:
                self._end(play)  # of no use to anybody
            raise
        return reading

    def _play(self, cid: Cid, peers: tuple[PeerId, ...], *, only: bool) -> _Play:
        """The fetch that is under way, if there is one; else a new one."""
        key = (cid, peers if only else None)
        play = self._plays.get(key)
        if play is None:
            self._make_room()
            folder = os.path.join(self._folder, str(next(self._numbers)))
        elif play.failed:
            folder = play.drop()  # what was verified is not fetched again
        else:
            for peer in peers:
                play.transfer.add_source(peer)
            return play
        transfer = self._fetching.get(
            cid, folder, peers=peers, name="content", only=only, sequential=True, keep=False
        )
        play = self._plays[key] = _Play(self._runtime, transfer, folder, self._end)
        return play

    def _make_room(self) -> None:
        """End what nobody reads, where there is too much."""
        if len(self._plays) < STREAMS_MAX:
            return
        idle = [play for play in self._plays.values() if not play.readers]
        if not idle:
            raise LimitReached(
                "files.streaming.STREAMS_MAX",
                f"{STREAMS_MAX} files are read already while they come",
                hint="close one of them",
            )
        self._end(min(idle, key=lambda play: play.idle_since))

    def _end(self, play: _Play) -> None:
        for key, one in list(self._plays.items()):
            if one is play:
                del self._plays[key]
                task = asyncio.create_task(self._stop(play))
                self._endings.add(task)
                task.add_done_callback(self._endings.discard)

    async def _stop(self, play: _Play) -> None:
        await play.stop()
        await self._remove(play.folder)

    async def _remove(self, folder: str) -> None:
        try:
            await self._runtime.offload(self._runtime.disk.remove_tree, folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("%s cannot be removed: %s", folder, error)


class _Play:
    """One fetch, for all who read it. on_idle: called with it when nobody did for `LINGER_S`."""

    def __init__(
        self, runtime: Runtime, transfer: Transfer, folder: str, on_idle: Callable[[_Play], None]
    ) -> None:
        self.transfer = transfer
        self.folder = folder
        self.readers = 0
        self.idle_since = 0.0
        self._runtime = runtime
        self._on_idle = on_idle
        self._dropped = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def failed(self) -> bool:
        """Whether nothing more comes, and not all is there."""
        return self.transfer.done and self.transfer.outcome is None

    @property
    def is_folder(self) -> bool:
        """Whether it turned out to be one."""
        growing = self.transfer.growing
        return growing is not None and growing.is_folder

    @property
    def size(self) -> int | None:
        """Bytes of the whole file; None before that is known."""
        if self.transfer.outcome is not None:
            return self.transfer.outcome.bytes
        return self.transfer.growing.size if self.transfer.growing is not None else None

    async def begun(self) -> None:
        """Wait until its size is known. Raises what makes the fetch fail, `InputError` for a folder."""
        while not (self.transfer.done or self.is_folder or self.size is not None):
            await self.transfer.moved()
        if self.is_folder:
            raise InputError("a folder cannot be read as one file", hint="name a file in it")
        if self.transfer.done:
            await self._path()

    async def read(self, offset: int, length: int) -> bytes:
        """See `Reading`."""
        while length > 0 and (self.size is None or offset < self.size):
            growing = self.transfer.growing
            if self.transfer.done:
                return await self._read_whole(offset, length)
            if growing is None:
                await self.transfer.moved()
            elif data := await growing.read(offset, length):
                return data
            elif not self.transfer.done:
                await growing.wait(offset)
        return b""

    async def _read_whole(self, offset: int, length: int) -> bytes:
        path = os.fspath(await self._path())
        length = min(length, (self.size or 0) - offset)
        data = await self._runtime.offload(read_piece, self._runtime.disk, path, offset, length)
        if data is None:
            raise StorageError(f"{path} is gone", hint="open it again")
        return data

    async def _path(self) -> Path:
        """Where it lies. Raises what made the fetch fail."""
        if self.transfer.cancelled:
            raise Closed("reading was ended", hint="open it again")
        return await self.transfer.result()

    def join(self) -> None:
        """One more reads it."""
        self.readers += 1
        self._stop_timer()
        self.transfer.set_cap(0)

    def leave(self) -> None:
        """One of them reads no more."""
        self.readers -= 1
        if not (self.readers or self._dropped):
            loop = asyncio.get_running_loop()
            self.idle_since = loop.time()
            self._timer = loop.call_later(PAUSE_S, self._pause)

    def _pause(self) -> None:
        """Nobody came back."""
        self.transfer.set_cap(PAUSED_BYTES_PER_S)
        self._timer = asyncio.get_running_loop().call_later(LINGER_S - PAUSE_S, self._on_idle, self)

    def drop(self) -> str:
        """It is of use only to those who read it still; returns its folder, which is another's now."""
        self._dropped = True
        self._stop_timer()
        return self.folder

    async def stop(self) -> None:
        """End it."""
        self.drop()
        self.transfer.cancel()
        await self.transfer.wait_ended()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class PlayReading:
    """Somebody who reads what comes. See `Reading`."""

    def __init__(self, play: _Play) -> None:
        self._play: _Play | None = play
        self._size = 0
        play.join()

    async def begin(self) -> None:
        """Wait until its size is known. Raises what makes the fetch fail, `InputError` for a folder."""
        if self._play is not None:
            await self._play.begun()
            self._size = self._play.size or 0

    @property
    def size(self) -> int:
        """See `Reading`."""
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        """See `Reading`."""
        if self._play is None:
            raise Closed("this reading is closed")
        return await self._play.read(*_checked(offset, length))

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
        offset, length = _checked(offset, length)
        length = min(length, max(0, self.size - offset))
        try:
            data = await self._runtime.offload(self._file.read, self._runtime.disk, offset, length)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceVanished(f"{self._file.name} is gone", hint="share it again") from error
        except OSError as error:
            raise StorageError(f"cannot read {self._file.name}: {error.strerror}") from error
        if data is None:
            raise SourceChanged(f"{self._file.name} is no longer what it was", hint="share it again")
        return data

    def close(self) -> None:
        """See `Reading`."""


def _checked(offset: int, length: int) -> tuple[int, int]:
    if offset < 0 or length < 0:
        raise InputError(
            f"there are no {length} bytes at {offset}", hint="places and lengths are not negative"
        )
    return offset, min(length, READ_BYTES_MAX)
