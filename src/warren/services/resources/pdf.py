"""What a PDF file says of itself: title, authors and keywords.

In:  an open file. Out: metadata; keywords become tags. Who made the file may be hostile: it is read with
bounds on bytes, memory and time, and whatever goes wrong in it means that it says nothing. Blocks; call it in
`offload`. `pypdf` is an extra (`warren[pdf]`), imported when the first file is read.

The document information dictionary (ISO 32000-2, 14.3.3) comes first, XMP where that says nothing.
"""

from __future__ import annotations

import io
import logging
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from warren.core.entry import NAME_CHARS_MAX, NAMES_MAX, TITLE_CHARS_MAX, Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

    from warren.runtime.seam import ReadFile

# Attack: a file that takes for ever. A sound one takes some hundredths of a second.
SECONDS_MAX: Final = 3.0
# Attack: a file that is read from end to end, again and again. What is read counts, not how large it is.
READ_BYTES_MAX: Final = 64 * 1024 * 1024
# Attack: a small stream that unfolds to gigabytes.
STREAM_BYTES_MAX: Final = 16 * 1024 * 1024
# Attack: a table of millions of objects that are not there.
OBJECTS_MAX: Final = 200_000
# Attack: an XMP packet as large as a book.
XMP_BYTES_MAX: Final = 1024 * 1024
_HEADER_WITHIN: Final = 1024
_HEADER: Final = b"%PDF-"
_PARTS: Final = re.compile(r"[;\n\r]| and | & ")
_KEYWORDS: Final = re.compile(r"[;,\n\r]")
_NO_TITLE: Final = frozenset({"untitled", "title", "document"})
_BEFORE_TITLE: Final = re.compile(r"^Microsoft \w+ - ")
_CALLS_BETWEEN_LOOKS: Final = 0xFF

_log = logging.getLogger(__name__)


class _TooMuch(BaseException):
    """A bound was met. No `Exception`, so that nothing in between takes it for a fault of the file."""


def is_there() -> bool:
    """Whether the extra is installed."""
    return find_spec("pypdf") is not None


def read(file: ReadFile, now: Callable[[], float]) -> Metadata:
    """What the file says of itself; empty where it is no PDF or cannot be read. `now` is in seconds.

    Raises `OSError` where the disk is to blame.
    """
    if _HEADER not in file.pread(0, _HEADER_WITHIN):
        return Metadata()
    bounds = _bounds()
    bounded = _Bounded(file, now() + SECONDS_MAX, now)
    try:
        with bounds, bounded.watched():
            return _read(io.BufferedReader(bounded))
    except (_TooMuch, Exception) as error:
        if bounded.failed is not None:
            raise bounded.failed from error
        _log.debug("a PDF file says nothing of itself: %s: %s", type(error).__name__, error)
        return Metadata()


class _Bounded(io.RawIOBase):
    """A file for the parser, for so long and for so many bytes."""

    def __init__(self, file: ReadFile, deadline: float, now: Callable[[], float]) -> None:
        self._file = file
        self._size = file.stat().size
        self._at = 0
        self._left = READ_BYTES_MAX
        self._deadline = deadline
        self._now = now
        self.failed: OSError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._check_time()
        try:
            data = self._file.pread(self._at, len(buffer))
        except OSError as error:
            self.failed = error
            raise
        self._left -= len(data)
        if self._left < 0:
            raise _TooMuch(f"more than {READ_BYTES_MAX} bytes of it were read")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._at = base + offset
        return self._at

    def watched(self) -> _Watch:
        return _Watch(self._check_time)

    def _check_time(self) -> None:
        if self._now() > self._deadline:
            raise _TooMuch(f"it took more than {SECONDS_MAX:g} s")


class _Watch:
    """Looks at the time every so many calls of this thread: a thread cannot be stopped from outside."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._calls = 0
        self._before: Any = None

    def __enter__(self) -> None:
        self._before = sys.getprofile()
        sys.setprofile(self._look)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _look(self, _frame: FrameType, _event: str, _argument: object) -> None:
        self._calls += 1
        if not self._calls & _CALLS_BETWEEN_LOOKS:
            self._check()


def _bounds() -> AbstractContextManager[object]:
    """What the parser is held to."""
    from pypdf import apply_configuration  # noqa: PLC0415  an extra, and slow to import

    _hush()
    return apply_configuration(
        maximum_declared_stream_length=STREAM_BYTES_MAX,
        array_based_stream_maximum_output_length=STREAM_BYTES_MAX,
        zlib_maximum_output_length=STREAM_BYTES_MAX,
        lzw_maximum_output_length=STREAM_BYTES_MAX,
        run_length_maximum_output_length=STREAM_BYTES_MAX,
        stream_decoding_work_maximum_length=4 * STREAM_BYTES_MAX,
        xmp_maximum_input_length=XMP_BYTES_MAX,
        jbig2dec_binary=None,  # nothing here wants pictures: no other program is run
    )


def _read(stream: io.BufferedReader) -> Metadata:
    from pypdf import PdfReader  # noqa: PLC0415  as above

    reader = PdfReader(stream, xref_stream_maximum_entries=OBJECTS_MAX)
    info = reader.metadata
    title = _title(info.title if info else None)
    authors = _several(_authors(info.author if info else None))
    tags = _several(_split(_KEYWORDS, info.keywords if info else None))
    if not (title and authors and tags):
        more = _from_xmp(reader)
        title, authors, tags = title or more.title, authors or more.authors, tags or more.tags
    return Metadata(title=title, authors=authors, tags=tags)


def _from_xmp(reader: Any) -> Metadata:
    """The same from the XMP packet, which may be missing or broken without harm to the rest."""
    try:
        xmp = reader.xmp_metadata
        if xmp is None:
            return Metadata()
        titles = xmp.dc_title or {}
        title = titles.get("x-default") or next(iter(titles.values()), "")
        tags = xmp.dc_subject or _split(_KEYWORDS, xmp.pdf_keywords)
        return Metadata(_title(title), authors=_several(xmp.dc_creator or ()), tags=_several(tags))
    except Exception as error:  # noqa: BLE001  as above
        _log.debug("a PDF file has no sound XMP packet: %s", error)
        return Metadata()


def _title(text: object) -> str:
    title = _BEFORE_TITLE.sub("", _line(text, TITLE_CHARS_MAX))
    return "" if title.casefold() in _NO_TITLE else title


def _authors(text: object) -> Iterator[str]:
    """`A. One; B. Two`, `A. One and B. Two`, `Anna One, Ben Two`; but `One, Anna` is one."""
    for part in _split(_PARTS, text):
        names = part.split(",")
        whole = len(names) == 1 or not all(" " in name.strip() for name in names)
        yield from [part] if whole else names


def _split(parts: re.Pattern[str], text: object) -> list[str]:
    return parts.split(text) if isinstance(text, str) else []


def _several(texts: Iterable[object]) -> tuple[str, ...]:
    lines = dict.fromkeys(_line(text, NAME_CHARS_MAX) for text in texts)
    return tuple(line for line in lines if line)[:NAMES_MAX]


def _line(text: object, most: int) -> str:
    """One line of what shows, cut to size."""
    if not isinstance(text, str):
        return ""
    shown = "".join(char if char.isprintable() else " " for char in text[: most * 4])
    return " ".join(shown.split())[:most].rstrip()


def _hush() -> None:
    """A broken file is nothing that the log should be full of, unless somebody asked for that."""
    logger = logging.getLogger("pypdf")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL + 1)
