"""What a share is called, for its owner and for those who see it.

In: what the user wants, what is there, what is taken. Out: a name that is one everywhere. Refuses names that
are taken, that are paths, that cannot be printed, that are not UTF-8, or too long for a file system.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

NAME_BYTES_MAX: Final = 255


def choose_name(wanted: str | None, path: str, taken: Collection[str]) -> str:
    """`wanted`, else what the file or folder at `path` is called, numbered where that is taken.

    Raises `InputError`.
    """
    name = wanted if wanted is not None else os.path.basename(path) or "root"
    try:
        too_long = len(name.encode()) > NAME_BYTES_MAX
    except UnicodeEncodeError:
        raise InputError(f"the name of {path!r} is not UTF-8", hint="choose one with --name") from None
    if not name.isprintable() or not name.strip() or "/" in name or name in {".", ".."} or too_long:
        raise InputError(f"{name!r} cannot be the name of a share", hint="choose another with --name")
    if wanted is not None and name in taken:
        raise InputError(f"another share has the name {name!r}", hint="choose another with --name")
    candidates = (f"{name} ({number})" if number > 1 else name for number in range(1, len(taken) + 2))
    return next(one for one in candidates if one not in taken)
