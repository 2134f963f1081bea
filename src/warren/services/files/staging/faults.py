"""What the system's errors mean to who fetches. In: an `OSError`. Out: a `StorageError` with a hint."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

from warren.core.errors import DiskFull, ReadOnlyTarget, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def named_errors(what: str) -> Iterator[None]:
    """Around work on `what`, a path below the top or a folder: its `OSError` becomes what `name_error`
    says.
    """
    try:
        yield
    except OSError as error:
        raise name_error(error, what) from error


def name_error(error: OSError, what: str) -> StorageError:
    """What the system's error means to who fetches; `what` is empty for the top of what is fetched."""
    what = what or "what is fetched"
    reason = error.strerror or str(error)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return DiskFull(
                f"no room left for {what}: {reason}",
                hint="free some space and fetch again: what is there already is not fetched twice",
            )
        case errno.EFBIG:
            return DiskFull(
                f"{what} is larger than files may be here: {reason}",
                hint="choose another folder with -o, or raise the limit (ulimit -f)",
            )
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return ReadOnlyTarget(f"{what} cannot be written: {reason}", hint="choose another folder with -o")
        case errno.ENAMETOOLONG:
            return StorageError(
                f"the path of {what} is too long here", hint="choose a folder with a shorter path with -o"
            )
        case errno.EEXIST | errno.ENOTDIR | errno.EISDIR:
            return StorageError(
                f"{what} cannot be written: something else is in its way ({reason})",
                hint="choose another folder with -o",
            )
        case errno.ENOENT | errno.EIO | errno.ENODEV | errno.ENXIO | errno.ESTALE:
            return StorageError(
                f"{what} cannot be written: its drive or folder is gone or broken ({reason})",
                hint="bring the drive back and fetch again: what was kept there is not fetched twice",
            )
    return StorageError(f"{what} cannot be written: {reason}")
