"""The data folder as the frontends see it: who runs here, and how to reach it.

In:  a path.
Out: `Home`: the places of its files, who holds the lock, and the door (`api.json`).

    config.toml    settings, written by people
    node.lock      held by the one node that runs here; holds its process id (services/identity/home.py)
    api.json       where the running node's API listens; mode 0600; there only while a node is ready
    api.token      the key to that API; mode 0600; new at every start
    logs/          what the node did
    listing.json   what the numbers of the last listings stand for

The lock is the truth: the system frees it when a process ends, however it ends. An `api.json` without a held
lock is a leftover of a killed node. A client must not trust it: by now another program may listen on that
port and would be handed the token.

Light on purpose: every command imports it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warren.core.errors import NodeNotRunning, ReadOnlyTarget
from warren.runtime.locks import holder

ENV_PREFIX = "WARREN_"
HOME_VARIABLE = f"{ENV_PREFIX}HOME"
# By which words run.py was called; set by it, for what people are told to type.
PROGRAM_VARIABLE = f"{ENV_PREFIX}PROGRAM"
# Text of a door file is never longer; a larger one is not ours.
_SMALL_FILE_BYTES_MAX = 1 << 16


@dataclass(frozen=True, slots=True)
class Door:
    """Where a running node's API is, and the key to it."""

    host: str
    port: int
    pid: int
    token: str


@dataclass(frozen=True, slots=True)
class Home:
    """A data folder. Nothing is touched until a method needs it."""

    path: Path

    @classmethod
    def find(cls, given: str | Path | None = None) -> Home:
        """The folder given, else `WARREN_HOME`, else the platform's place for user data."""
        chosen = given or os.environ.get(HOME_VARIABLE)
        if chosen:
            return cls(Path(chosen).expanduser().absolute())
        import platformdirs

        return cls(Path(platformdirs.user_data_dir("warren", appauthor=False)))

    @property
    def lock_file(self) -> Path:
        return self.path / "node.lock"

    @property
    def api_file(self) -> Path:
        return self.path / "api.json"

    @property
    def token_file(self) -> Path:
        return self.path / "api.token"

    @property
    def log_file(self) -> Path:
        return self.path / "logs" / "warren.log"

    @property
    def listing_file(self) -> Path:
        return self.path / "listing.json"

    def make(self) -> None:
        """Create the folder, for its owner alone, if it is not there. Raises ReadOnlyTarget."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.log_file.parent.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise ReadOnlyTarget(
                f"cannot make the data folder {self.path}: {error.strerror}",
                hint="choose another one with --home DIR",
            ) from error

    def running_pid(self) -> int | None:
        """The process that holds the lock (0 if it has not said its number yet); None if nobody does."""
        return holder(self.lock_file)

    def door(self) -> Door:
        """The way to the node that runs here. Raises NodeNotRunning, also for what a killed one left."""
        pid = self.running_pid()
        if pid is None:
            raise NodeNotRunning(f"no node runs on {self.path}", hint="start one with: warren up")
        try:
            said = json.loads(_read_small(self.api_file))
            token = _read_small(self.token_file).strip()
            door = Door(str(said["host"]), int(said["port"]), int(said["pid"]), token)
        except (ValueError, KeyError, TypeError):
            door = None
        if door is None or door.pid != pid:
            raise NodeNotRunning(
                f"the node on {self.path} (process {pid}) is just starting or stopping",
                hint="try again in a moment; see: warren logs",
            )
        return door

    def open_door(self, host: str, port: int, token: str) -> None:
        """Say where the API is. The door comes last, so whoever sees it finds the key in place."""
        write_private(self.token_file, token + "\n")
        write_private(self.api_file, json.dumps({"host": host, "port": port, "pid": os.getpid()}) + "\n")

    def forget_door(self) -> None:
        for file in (self.api_file, self.token_file):
            with contextlib.suppress(OSError):
                file.unlink()

    def remember_listing(self, kind: str, items: list[Any]) -> None:
        """Keep what the numbers 1, 2, 3... of a listing stand for. kind: 'peers', 'files' or 'resources'."""
        try:
            write_private(self.listing_file, json.dumps({**self._listings(), kind: items, "last": kind}))
        except OSError:
            return  # numbers are a convenience; the listing itself was shown

    def listed(self, kind: str, word: str) -> Any:
        """What a number of the last listing stands for; None if the word is no such number."""
        items = self._listings().get(kind, [])
        if not (word.isascii() and word.isdigit()) or not isinstance(items, list):
            return None
        return items[int(word) - 1] if 0 < int(word) <= len(items) else None

    @property
    def last_listing(self) -> str:
        """The kind of the last listing; "" before the first."""
        return str(self._listings().get("last", ""))

    def _listings(self) -> Mapping[str, Any]:
        try:
            kept = json.loads(self.listing_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    try:
        with open(draft, "x", encoding="utf-8", opener=_private) as file:
            file.write(text)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _read_small(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_SMALL_FILE_BYTES_MAX)
    except (OSError, UnicodeDecodeError):
        return ""
