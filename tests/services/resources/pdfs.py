"""PDF files for tests: sound ones, and the parts that hostile ones are made of."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from warren.runtime.seam import Stat

if TYPE_CHECKING:
    from collections.abc import Callable


def sound(**info: str) -> bytes:
    """A PDF of one empty page whose information dictionary says this."""
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.add_metadata({f"/{name}": text for name, text in info.items()})
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def raw(*objects: bytes, info: int = 2, trailer: bytes = b"") -> bytes:
    """A PDF with these objects, numbered from 1; the first is the catalog, number `info` the information."""
    data = b"%PDF-1.7\n"
    places = []
    for number, one in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    ends = b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R %s >>" % (len(objects) + 1, info, trailer)
    start = len(data)
    return data + b"xref\n0 %d\n0000000000 65535 f \n%s%s\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1, table, ends, start
    )  # fmt: skip


class Held:
    """A file that is held in memory."""

    def __init__(self, data: bytes, fail: Callable[[], None] = lambda: None) -> None:
        self._data = data
        self._fail = fail
        self.bytes_read = 0

    def pread(self, offset: int, length: int) -> bytes:
        if offset or length > 1024:
            self._fail()
        found = self._data[offset : offset + length]
        self.bytes_read += len(found)
        return found

    def pread_nowait(self, offset: int, length: int) -> None:
        """Never."""

    def stat(self) -> Stat:
        return Stat("file", len(self._data), 0, 0)

    def close(self) -> None:
        pass
