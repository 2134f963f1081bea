"""`config.toml` with enough of its layout kept to name lines.

In:  a path.
Out: `ConfigFile`: the tables as `tomllib` reads them, and `where(name, item)` for messages: `path:line`.
Spec: TOML 1.0, https://toml.io/en/v1.0.0. `tomllib` forgets line numbers; they are found again by looking
for the key.
Refuses, as a `Problem` and never an exception: unreadable, oversized, not UTF-8, not TOML.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "config.toml"
# A file this large is not a configuration; reading it whole could exhaust memory.
FILE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a given value.

    where: the place (`/home/anna/.local/share/warren/config.toml:12`, `WARREN_NAME`, `--listen`).
    message: what is wrong. hint: the cure.
    """

    where: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(slots=True)
class ConfigFile:
    """One file; without tables if it does not exist or cannot be read (then `problem` says why)."""

    path: Path
    lines: list[str] = field(default_factory=list)
    tables: dict[str, Any] = field(default_factory=dict)
    problem: Problem | None = None

    def where(self, name: str, item: str = "") -> str:
        """The place of a dotted key, or of an item within its value."""
        for number, dotted in _keys_by_line(self.lines):
            if dotted == name or dotted.startswith(name + "."):
                further = (n for n, line in enumerate(self.lines[number - 1 :]) if item in line)
                return f"{self.path}:{number + next(further, 0)}"
        outer = name.rpartition(".")[0]  # it may stand in an inline table
        return self.where(outer, item) if outer else str(self.path)


def read(path: Path) -> ConfigFile:
    """Read the file; a missing one is an empty one."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return ConfigFile(path)
    except IsADirectoryError:
        return _broken(path, 0, "is a folder", "move it away; the settings are a file of this name")
    except OSError as error:
        return _broken(path, 0, f"cannot be read: {error.strerror}", "check the permissions of the file")
    if len(data) > FILE_BYTES_MAX:
        return _broken(path, 0, "is larger than 1 MiB", "this is not a configuration file; move it away")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _broken(path, line, "is not UTF-8 text", "save the file as UTF-8")
    lines = text.splitlines()
    try:
        return ConfigFile(path, lines, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        return _broken(path, *_syntax(lines, str(error)))


def _broken(path: Path, line: int, message: str, hint: str) -> ConfigFile:
    where = f"{path}:{line}" if line else str(path)
    return ConfigFile(path, problem=Problem(where, message, hint))


def _syntax(lines: list[str], said: str) -> tuple[int, str, str]:
    """Line, message and cure for what `tomllib` said."""
    found = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)", said)
    line = int(found[1]) if found and found[1] else max(1, len(lines))
    said = said[: found.start()] if found else said
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    message = f"not valid TOML: {said[:1].lower()}{said[1:]}" + (f", in: {shown}" if shown else "")
    if re.match(r"[\w.-]+\s*=\s*[^\s\"'\[{\d+-]", shown):
        key, value = (part.strip() for part in shown.split("=", 1))
        return line, message, f'text goes in quotes: {key} = "{value.strip(chr(34))}"'
    return line, message, 'text goes in quotes (name = "Anna"), lists in brackets (listen = ["..."])'


def _keys_by_line(lines: list[str]) -> Iterator[tuple[int, str]]:
    table = ""
    for number, line in enumerate(lines, 1):
        if found := re.match(r"\s*\[+\s*([^\[\]#]+?)\s*\]+\s*(#.*)?$", line):
            table = _bare(found[1]) + "."
            yield number, table[:-1]
        elif found := re.match(r"\s*([\w\-.\"' ]+?)\s*=", line):
            yield number, table + _bare(found[1])


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
