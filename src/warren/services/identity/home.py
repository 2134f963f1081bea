"""The data folder of one running node.

In:  its path, or None for a node that leaves no trace. Out: the identity, and places for the databases.

    identity.key   the private key, mode 0600: keyfile.py
    node.lock      held as long as a node uses the folder; says its process id. The system frees it with the
                   process, however that ends; it also tells two nodes of one process apart
    state.db       what must not be lost
    index.db       what is shared and where its chunks lie
    dht.db         what is kept of the DHT for others
    streams/       files that are read while they come; emptied by every start

Refuses a folder that another node uses: two writers with one identity would confuse every peer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import ReadOnlyTarget, StorageError
from warren.core.keys import ED25519_SEED_BYTES, PrivateKey
from warren.services.identity.keyfile import load_or_make

if TYPE_CHECKING:
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Lock, Runtime

LOCK_NAME = "node.lock"
STATE_NAME = "state.db"
INDEX_NAME = "index.db"
DHT_NAME = "dht.db"
DIRECTORY_NAME = "directory.db"
_MEMORY = ":memory:"


class Home:
    """Use `open` before and `close` after everything else."""

    __slots__ = ("_lock", "_runtime", "path")

    def __init__(self, path: Path | None, runtime: Runtime) -> None:
        self.path = path
        self._runtime = runtime
        self._lock: Lock | None = None

    async def open(self) -> PrivateKey:
        """Make the folder if need be, claim it, and return the identity kept there.

        Raises StorageError (another node uses it), ReadOnlyTarget, and what keyfile.py raises.
        """
        if self.path is None:
            return PrivateKey.from_seed(self._runtime.entropy.bytes(ED25519_SEED_BYTES))
        await self._runtime.offload(self._make, self.path)
        self._lock = await self._runtime.offload(self._claim, self.path)
        try:
            disk, entropy = self._runtime.disk, self._runtime.entropy
            return await self._runtime.offload(load_or_make, disk, self.path, entropy)
        except BaseException:
            await self.close()
            raise

    def folder(self, name: str, instead: Path, peer: PeerId) -> Path:
        """Where the folder `name` goes. Without a data folder it is a hidden one in `instead`, for this node
        alone.
        """
        return instead / f".warren-{name}-{peer}" if self.path is None else self.path / name

    def place(self, name: str) -> Path | str:
        """Where the database `name` goes; ":memory:" without a folder."""
        return _MEMORY if self.path is None else self.path / name

    async def close(self) -> None:
        """Let another node use the folder."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def _make(self, path: Path) -> None:
        try:
            self._runtime.disk.make_dirs(path, 0o700)
        except OSError as error:
            raise ReadOnlyTarget(
                f"cannot make the data folder {path}: {error.strerror}", hint="choose another one (--home)"
            ) from error

    def _claim(self, path: Path) -> Lock:
        disk, file = self._runtime.disk, path / LOCK_NAME
        try:
            return disk.lock(file)
        except BlockingIOError as error:
            raise in_use(path, disk.lock_holder(file)) from error
        except OSError as error:
            raise ReadOnlyTarget(
                f"cannot write to the data folder {path}: {error.strerror}",
                hint="choose another one (--home)",
            ) from error


def in_use(path: Path, pid: int | None) -> StorageError:
    """The error of who comes second. pid: of who has the folder; 0 or None where that is not known."""
    return StorageError(
        f"a node already runs on {path}" + (f" (process {pid})" if pid else ""),
        hint="stop that one (warren down), or choose another data folder (--home)",
    )
