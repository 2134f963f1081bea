"""The file that holds a node's identity.

In:  `identity.key` in the data folder; chance for a new key. Out: the key; at the first start also the file.
The file holds the private key as libp2p's protobuf (68 bytes: seed and public key), mode 0600.
Spec: https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md#keys

A key that was being written when the node was killed lies beside it as a draft; the next start removes it.

Refuses a file that others may read, and one that is damaged: the public half does not belong to the private
one, or it is no key at all. Never replaces a file that exists: whoever loses the key loses the peer id.
"""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING

from warren.core.errors import InvalidKey, ReadOnlyTarget, StorageError
from warren.core.keys import ED25519_SEED_BYTES, PrivateKey

if TYPE_CHECKING:
    from pathlib import Path

    from warren.runtime.seam import Disk, Entropy

FILE_NAME = "identity.key"
_MODE = 0o600
_OTHERS = 0o077
# A key file has 68 bytes, in an older form 100; a longer file is something else.
_FILE_BYTES_MAX = 1024


def load_or_make(disk: Disk, home: Path, entropy: Entropy) -> PrivateKey:
    """The identity kept in `home`; a new one if there is none. Blocks: call it through `Runtime.offload`.

    Raises StorageError (damaged, or others may read it), ReadOnlyTarget (it cannot be read or
    made).
    """
    path = home / FILE_NAME
    with contextlib.suppress(OSError):  # a folder that cannot be read is told of below
        disk.remove_drafts(path)
    try:
        return _load(disk, path)
    except FileNotFoundError:
        return _make(disk, path, entropy)
    except OSError as error:
        raise StorageError(
            f"cannot read the identity {path}: {error.strerror}", hint="check who owns the file"
        ) from error


def _load(disk: Disk, path: Path) -> PrivateKey:
    file = disk.open_read(path, follow_link=False)
    try:
        _check_private(path, file.stat().mode)
        data = file.pread(0, _FILE_BYTES_MAX)
    finally:
        file.close()
    try:
        return PrivateKey.from_protobuf(data)
    except InvalidKey as error:
        raise StorageError(
            f"the identity {path} is damaged: {error}",
            hint=f"put a backup there; to become a new peer, unknown to all contacts: rm {_quoted(path)}",
        ) from error


def _check_private(path: Path, mode: int) -> None:
    if mode & _OTHERS:
        raise StorageError(
            f"other users may read or change the identity {path} (mode {mode:04o})",
            hint=f"run: chmod 600 {_quoted(path)}",
        )


def _make(disk: Disk, path: Path, entropy: Entropy) -> PrivateKey:
    key = PrivateKey.from_seed(entropy.bytes(ED25519_SEED_BYTES))
    try:
        disk.write_whole(path, key.to_protobuf(), _MODE)
    except OSError as error:
        raise ReadOnlyTarget(
            f"cannot keep the identity in {path.parent}: {error.strerror}",
            hint="check the disk, or choose another data folder (--home)",
        ) from error
    return key


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
