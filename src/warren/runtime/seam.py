"""The seam to the world, as narrow interfaces.

In:  what the floors above ask of the world: the time, chance, byte links, names, services on the local link,
files, work off the loop, a database.
Out: answers from the operating system (`warren.runtime.real`) or from a seeded world
(`warren.runtime.simulated`). A whole node runs unchanged on either; one conformance suite (`tests/runtime`)
holds both to what is written here.

Errors: everything here fails with `OSError` (or a subclass such as `FileExistsError`,
`ConnectionRefusedError`, `TimeoutError`), except `Database`, which raises `warren.core.errors.StorageError`
for what is wrong with the storage and lets the errors of the given function through. Services turn an
`OSError` into their own words, because only they know what the user was doing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    import builtins
    import os
    import sqlite3
    from collections.abc import Callable, Sequence

StrPath: TypeAlias = "str | os.PathLike[str]"
BytesLike: TypeAlias = "bytes | bytearray | memoryview"
Kind: TypeAlias = Literal["file", "dir", "symlink", "other"]
Family: TypeAlias = Literal[0, 4, 6]
ProtocolFactory: TypeAlias = "Callable[[], asyncio.BufferedProtocol]"

Admit: TypeAlias = "Callable[[str], bool]"

T = TypeVar("T")
P = TypeVar("P", bound=asyncio.BufferedProtocol)


class Clock(Protocol):
    """Time, read and never waited for: waiting is the event loop's business."""

    def now(self) -> float:
        """Monotonic seconds on the same scale as `loop.time()` of the running loop."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 (UTC). It may jump; use it only to annotate and to sign validity spans."""
        ...


class Entropy(Protocol):
    """Chance.

    Real entropy is fit for keys; simulated entropy is a function of the seed and the node's name.
    """

    def bytes(self, n: int) -> builtins.bytes:
        """Return `n` random bytes."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """Return a number drawn evenly from [low, high]."""
        ...

    def below(self, n: int) -> int:
        """Return an integer drawn evenly from [0, n); `n` must be positive."""
        ...


class Listener(Protocol):
    """A listening socket. `port` is the actual one, also where 0 was asked for."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    def close(self) -> None:
        """Stop accepting; links that were accepted live on. Closing twice is harmless."""
        ...


class Transport(Protocol):
    """Ordered byte links to other hosts.

    What `connect` returns and what an accepted link hands to `connection_made` obeys `asyncio.Transport`:
    write (it has taken or copied the bytes on return unless `get_write_buffer_size() > 0`),
    set_write_buffer_limits, pause_reading, resume_reading, write_eof, close, abort, is_closing and
    get_extra_info("peername" | "sockname"). The protocol is called as `asyncio.BufferedProtocol` says,
    pause_writing, resume_writing and eof_received included.
    """

    async def connect(
        self,
        factory: Callable[[], P],
        host: str,
        port: int,
        *,
        from_listener: Listener | None = None,
        timeout_s: float = 10.0,
    ) -> tuple[asyncio.Transport, P]:
        """Open a link to a numeric address; names go through `resolve` first.

        `from_listener` dials from that listener's port, which hole punching needs. Raises `TimeoutError`
        after `timeout_s` seconds, `ConnectionRefusedError` where nobody listens, another `OSError`
        otherwise.
        """
        ...

    async def listen(
        self, factory: ProtocolFactory, host: str, port: int, *, admit: Admit | None = None
    ) -> Listener:
        """Accept links at a numeric address; port 0 takes a free one. An IPv6 listener takes IPv6 only.

        `admit` is asked with the address of each newcomer before anything is made for it; where it says False
        the link is closed at once. A flood of newcomers then costs little.
        """
        ...

    async def resolve(self, name: str, family: Family = 0) -> list[str]:
        """Return the numeric addresses of a DNS name, of IPv4 (4), IPv6 (6) or both (0); never an empty
        list.
        """
        ...

    async def resolve_txt(self, name: str) -> list[bytes]:
        """Return the TXT records of a DNS name, the strings of each joined; never an empty list.

        Raises `socket.gaierror` where there are none, `TimeoutError` where no name server answers.
        """
        ...

    def interface_addresses(self) -> list[str]:
        """Return the numeric addresses of this machine, loopback included, IPv6 link-local left out. It
        does not block.
        """
        ...


class LocalService(NamedTuple):
    """A service that this machine offers on its local links, as DNS-SD describes one (RFC 6763).

    kind: what it is, `_p2p._udp.local`. name: which one, unique on the link, at most 63 bytes. texts: the
    strings of its TXT record, at most 255 bytes each. addresses: where `port` is reached, IPv4 and IPv6.
    """

    kind: str
    name: str
    port: int
    texts: tuple[bytes, ...]
    addresses: tuple[str, ...]


class Heard(NamedTuple):
    """What somebody on a local link said of a service; it may be a lie. `gone`: that it is there no more, and
    then there are no texts.
    """

    kind: str
    name: str
    texts: tuple[bytes, ...]
    gone: bool = False


class LocalLinks(Protocol):
    """A place on the local links of this machine: it announces services, and hears those of others."""

    async def announce(self, service: LocalService) -> None:
        """Tell everybody now, and whoever asks later, until `withdraw`; again, with what has changed."""
        ...

    async def withdraw(self, kind: str, name: str) -> None:
        """Tell everybody that the service is gone. One that was never announced is no error."""
        ...

    def ask(self, kind: str) -> None:
        """Ask who offers a service of this kind; each that does answers, also who answered before. From then
        on, what is said of the kind unasked is heard, too.
        """
        ...

    async def close(self) -> None:
        """Say goodbye for what is announced, and leave. Closing twice is harmless."""
        ...


class Multicast(Protocol):
    """What reaches everybody on the same link, and nobody else (RFC 6762)."""

    async def join(self, addresses: Sequence[str], hear: Callable[[Heard], None]) -> LocalLinks:
        """Take part on the interfaces that have these numeric addresses, and on no other.

        `hear` is called with what others say, and with what this node says itself. Raises `OSError` where no
        interface can.
        """
        ...


class DirEntry(NamedTuple):
    """One name in a folder; a symlink is reported as itself, never as what it points at.

    `inode`, `device`: as in `Stat`.
    """

    name: str
    kind: Kind
    size: int
    mtime_ns: int
    inode: int = 0
    device: int = 0


class Stat(NamedTuple):
    """What a path is.

    `inode` tells a replaced file from a changed one; it is 0 where the platform has none. `mode` holds the
    permission bits; 0o600 where the platform has none. `owned` says whether it belongs to the user that this
    process runs as; True where the platform does not tell. `device` is the file system that it lies on, by a
    number that may be another after a restart: a folder on another one than the folder above is where one is
    mounted. `links` counts the names that it has: an open file with none was removed or replaced.
    """

    kind: Kind
    size: int
    mtime_ns: int
    inode: int
    mode: int = 0o600
    owned: bool = True
    device: int = 0
    links: int = 1


class ReadFile(Protocol):
    """An open regular file, readable at any offset from any thread."""

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the file."""
        ...

    def pread_nowait(self, offset: int, length: int) -> bytearray | None:
        """Exactly these bytes if they are in memory, so that this does not block; None if some are not.

        None always where the platform or the file system has no such read. `length` is 1 at least.
        """
        ...

    def stat(self) -> Stat: ...

    def close(self) -> None: ...


class Folder(Protocol):
    """An open folder. What is reached through it lies in it, whatever becomes of the names that led to it.

    Each `name` is one of its own, never a path. Calls block and raise `OSError`.
    """

    def scan(self) -> list[DirEntry]:
        """See `Disk.scan`."""
        ...

    def find(self, name: str) -> DirEntry:
        """What this one name is, as `scan` lists it."""
        ...

    def stat(self) -> Stat:
        """What the folder itself is."""
        ...

    def open_read(self, name: str) -> ReadFile:
        """Open a regular file in it; a symlink is refused like anything else."""
        ...

    def read_link(self, name: str) -> str: ...

    def write_new(self, name: str, data: BytesLike, mode: int = 0o600) -> None:
        """Make a file in it that must not exist, else `FileExistsError`, and write all of `data`."""
        ...

    def close(self) -> None: ...


class WriteFile(Protocol):
    """An open regular file, writable and readable at any offset from any thread."""

    def pwrite(self, offset: int, data: BytesLike) -> None:
        """Write all of `data` at `offset`; a gap before it reads as zeros."""
        ...

    def pread(self, offset: int, length: int) -> bytes: ...

    def truncate(self, size: int) -> None: ...

    def reserve(self, size: int) -> None:
        """Set room aside for the first `size` bytes, where the file system does so without writing them; what
        the file holds and where it ends stays. ENOSPC where there is too little.
        """
        ...

    def sync(self) -> None:
        """Return once what was written survives a loss of power."""
        ...

    def close(self) -> None: ...


class Lock(Protocol):
    """A lock that is held. Closing it twice is harmless."""

    def close(self) -> None: ...


class Disk(Protocol):
    """Blocking file primitives: call them only inside `Runtime.offload`. Each raises `OSError`."""

    def scan(self, path: StrPath) -> list[DirEntry]:
        """List a folder sorted by name; an entry that vanishes meanwhile is left out."""
        ...

    def stat(self, path: StrPath) -> Stat:
        """Say what `path` is, without following a symlink at its end."""
        ...

    def open_read(self, path: StrPath, *, follow_link: bool = True) -> ReadFile:
        """Open a regular file; anything else is refused without blocking.

        With `follow_link=False` a symlink at the end of the path is refused too, in the same step, so
        nobody can slip one in between a check and the opening.
        """
        ...

    def open_folder(self, top: StrPath, path: str = "") -> Folder:
        """Open the folder at `path` ('/' between names) below the folder `top`.

        A symlink is refused at the end of `top` and anywhere in `path`, each in the same step as the opening:
        so nothing outside of `top` can be reached, whoever swaps what meanwhile. Where the platform cannot
        do that (Windows), the parts are looked at before.
        """
        ...

    def open_write(self, path: StrPath, *, create: bool, mode: int = 0o600) -> WriteFile:
        """Create a file that must not exist (`create=True`, else `FileExistsError`) or open one that must.

        A symlink at the end of the path is refused.
        """
        ...

    def write_whole(self, path: StrPath, data: BytesLike, mode: int = 0o600) -> None:
        """Put `data` under `path` at once: after a crash there is the old content or the new, never a
        mixture. A crash may leave a draft beside it, which `remove_drafts` removes.
        """
        ...

    def remove_drafts(self, path: StrPath) -> None:
        """Remove what `write_whole` left beside `path` when it was killed; nobody may write there now."""
        ...

    def make_dirs(self, path: StrPath, mode: int = 0o777) -> None:
        """Make a folder and its parents; one that exists already is fine."""
        ...

    def rename_new(self, src: StrPath, dst: StrPath) -> None:
        """Move a file, symlink or folder to a name that is free, else raise `FileExistsError`."""
        ...

    def remove(self, path: StrPath) -> None:
        """Remove a file or a symlink."""
        ...

    def remove_tree(self, path: StrPath) -> None:
        """Remove a folder and all below it, following no symlink."""
        ...

    def read_link(self, path: StrPath) -> str: ...

    def make_symlink(self, target: str, path: StrPath) -> None: ...

    def sync_dir(self, path: StrPath) -> None:
        """Return once the names in this folder survive a loss of power; does nothing where this cannot be
        asked.
        """
        ...

    def sync_tree(self, path: StrPath) -> None:
        """Return once this file or folder and all below it survive a loss of power; the name of `path` itself
        is `sync_dir`'s. It may take time for what others wrote to the same file system.
        """
        ...

    def sync_files(self, paths: Sequence[StrPath]) -> None:
        """Return once what was written to these files survives a loss of power. Many are synced at once where
        this can be asked, which may take time for what others wrote to the same file system. One that is gone
        needs no syncing.
        """
        ...

    def free_bytes(self, path: StrPath) -> int: ...

    def taken_bytes(self, path: StrPath) -> int:
        """Return what this file or folder and all below it take of the disk: with what was set aside, without
        what was never written.
        """
        ...

    def real_path(self, path: StrPath) -> str:
        """Return the absolute path with every symlink resolved; the path must exist."""
        ...

    def lock(self, path: StrPath) -> Lock:
        """Hold `path`, a file that is made if need be, until it is closed or the process ends, however it
        ends. `BlockingIOError` when another has it, be it in this process or in another one.
        """
        ...

    def lock_holder(self, path: StrPath) -> int | None:
        """Return the process id of who holds the lock, 0 if that is not known; None if nobody does."""
        ...


class Change(NamedTuple):
    """Something happened to what is at `path`: it was made, written, moved or removed. deep: whatever lies
    below it may have changed as well, untold.
    """

    path: str
    deep: bool = False


class Watch(Protocol):
    """A folder with all below it, watched. Symlinks are not followed."""

    async def changes(self) -> list[Change]:
        """Wait for changes; return those since the last call, each path once.

        Where there were too many to tell, that is the top with `deep`. Raises `OSError` when no more can be
        told: then changes go unseen until it is watched anew. For one caller at a time.
        """
        ...

    async def close(self) -> None:
        """Stop watching. Closing twice is harmless."""
        ...


class Database(Protocol):
    """An SQLite file with a single writer."""

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run `fn` off the loop in one transaction: commit when it returns, roll back when it raises.

        Calls run one after another in the order of `run`. When this returns, a durable database has
        committed to disk. Cancelling the await does not stop `fn`; it may still commit. `fn` must not
        commit or roll back itself, nor leave anything on the connection (temporary tables, functions): the
        next run may get another one. Raises `StorageError` for a full, read-only, damaged or locked file and
        `Closed` after `close`; `fn`'s own errors pass through.
        """
        ...

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run `fn`, which only reads, off the loop, and while a `run` goes on.

        It sees all that was committed when it was called, and may see more; what is committed while it reads
        it does not see. Calls run one after another. As `run` in all else.
        """
        ...

    async def read_soon(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """The same for what mostly takes less than a millisecond: `fn` is tried on the loop first, where no
        busy loop keeps it waiting, for a few milliseconds at most. If that is not enough it is called again,
        as by `read`: so it does nothing else than to return something, or to raise.
        """
        ...

    async def close(self) -> None:
        """Finish what is queued, then close the file. Closing twice is harmless."""
        ...


class Runtime(Protocol):
    """Everything a node gets from the world."""

    @property
    def clock(self) -> Clock: ...

    @property
    def entropy(self) -> Entropy: ...

    @property
    def transport(self) -> Transport: ...

    @property
    def multicast(self) -> Multicast: ...

    @property
    def disk(self) -> Disk: ...

    @property
    def fast_aes(self) -> bool:
        """Whether this machine seals in less time with AES-256-GCM than with ChaCha20-Poly1305."""
        ...

    async def offload(self, fn: Callable[..., T], *args: object) -> T:
        """Run `fn(*args)` off the loop and return what it returns.

        The real runtime has a small pool of threads; the simulated one runs it inline, in no virtual time.
        Cancelling the await does not stop `fn`.
        """
        ...

    async def watch(self, path: StrPath, *, only: str | None = None) -> Watch:
        """Watch the folder at `path`, an absolute path without symlinks in it: what changes from the return
        on is told. `only`: of what is in it nothing but the entry of this name is, and nothing below.

        Many watches cost little more than one. Raises `OSError`: with `ENOSPC` or `EMFILE` where the system
        lets nobody watch more, `ENOSYS` where it cannot tell of changes.
        """
        ...

    async def open_database(
        self, path: StrPath, migrations: Sequence[str], *, durable: bool = True
    ) -> Database:
        """Open or create the database at `path` (":memory:" for one that lives as long as it is open).

        `migrations[i]` is an SQL script that brings a file of version i (`PRAGMA user_version`) to i + 1,
        in one transaction. Raises `StorageError` for a file of a newer version than this. `durable` syncs
        every commit to disk; without it a loss of power (not a crash of the process) may lose the last
        ones.
        """
        ...

    async def close(self) -> None:
        """Wait for offloaded work under way, then free the threads. Closing twice is harmless."""
        ...
