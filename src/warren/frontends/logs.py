"""The node's log: one file in the data folder, rotated, written off the loop.

In:  what the modules of Warren log. Out: lines `2026-01-31 12:00:00.123 INFO warren.network ...`.
A slow disk must not hold the node up, so a thread of its own writes. Nobody configures logging on import:
only the program does, here, when a node starts.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import logging.handlers
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from warren.frontends.printable import printable

# The logger of what happens among people, as `happenings` tells it.
HAPPENINGS = "warren.happenings"
# An attribute of records that do not go to stderr, because what they say is told there in another way.
FILE_ONLY = "file_only"
# Together with its rotated predecessors the log never takes more than about 20 MB.
FILE_BYTES_MAX = 5_000_000
FILES_KEPT = 3
FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


@contextlib.contextmanager
def logging_to(path: Path, *, debug: bool, also_stderr: bool) -> Iterator[None]:
    """Write the log to `path` while the block runs; what people want to know to stderr too, if asked."""
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    front = _Front(lines)
    sinks = list(_sinks(path, debug=debug, also_stderr=also_stderr))
    listener = logging.handlers.QueueListener(lines, *sinks, respect_handler_level=True)
    root = logging.getLogger()
    before = root.level
    root.addHandler(front)
    root.setLevel(logging.WARNING)
    logging.getLogger("warren").setLevel(logging.DEBUG if debug else logging.INFO)
    listener.start()
    try:
        yield
    finally:
        root.removeHandler(front)
        root.setLevel(before)
        listener.stop()
        for sink in sinks:
            sink.close()


class _Front(logging.handlers.QueueHandler):
    """Leaves tracebacks apart from the message, so that each sink decides whether to show them.

    What others say of themselves comes into messages: it must neither steer a terminal nor forge a line.
    """

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        record = copy.copy(record)
        record.msg, record.args, record.exc_text = printable(record.getMessage()), None, None
        return record


class _Full(logging.Formatter):
    """Time, level, name, message; tracebacks line by line, each printable."""

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


class _Brief(logging.Formatter):
    """One line for people: no traceback."""

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return level + record.getMessage()


def _is_for_people(record: logging.LogRecord) -> bool:
    is_told = record.levelno >= logging.WARNING or record.name == HAPPENINGS
    return is_told and not getattr(record, FILE_ONLY, False)


def _sinks(path: Path, *, debug: bool, also_stderr: bool) -> Iterator[logging.Handler]:
    formatter = _Full(FORMAT, TIME_FORMAT)
    file = logging.handlers.RotatingFileHandler(
        path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8"
    )
    path.chmod(0o600)
    file.setFormatter(formatter)
    yield file
    if also_stderr:
        stderr = logging.StreamHandler()
        stderr.addFilter(_is_for_people)
        stderr.setFormatter(formatter if debug else _Brief())
        yield stderr
