"""One set-up of a checkout at a time. Standard library only."""

from __future__ import annotations

import os

from tools.setup_words import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO, Self

WINDOWS = os.name == "nt"


class SetupLock:
    """A lock among all runs of this checkout, the operating system's: no killed run can leave it behind.

    The children of the holder inherit it. So when run.py is killed and its pip lives on, the next run waits
    for that pip to end instead of working against it.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / ".venv.lock"
        self._file: IO[bytes] | None = None

    @property
    def fd(self) -> int:
        assert self._file is not None  # asked only while it is held
        return self._file.fileno()

    def __enter__(self) -> Self:
        self._file = self._path.open("ab")
        if not self._try():
            say("Another run is setting up this checkout; waiting for it.")
            self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def _try(self) -> bool:
        try:
            if WINDOWS:
                import msvcrt

                msvcrt.locking(self.fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            else:
                import fcntl

                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _wait(self) -> None:
        if WINDOWS:
            import time

            while not self._try():
                time.sleep(0.2)
        else:
            import fcntl

            fcntl.flock(self.fd, fcntl.LOCK_EX)
