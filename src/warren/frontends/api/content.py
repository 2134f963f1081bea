"""A file's bytes as an HTTP answer: all of them or one range, as they come.

In:  how to open a file by its content id, the request's headers. Out: 200, 206, 304 or 416, by RFC 9110,
sections 13 and 14 (https://www.rfc-editor.org/rfc/rfc9110#section-14). The content id is the strong entity
tag: content never changes. Of several ranges in one request all of the file is sent instead, as the RFC
allows.

What fails before the first byte is there raises its `WarrenError`; what fails later breaks the connection, as
the head that promised all of it is sent already. What a peer shares is not to be trusted: a browser is
told to guess no type, and to run nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import Response

from warren.core.errors import WarrenError
from warren.frontends.api.errors import report_bug

if TYPE_CHECKING:
    from warren.core.cid import Cid
    from warren.frontends.api.guard import Receive, Scope, Send
    from warren.services.files.streaming.streams import Reading

BLOCK_BYTES: Final = 1024 * 1024
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "All of the file"},
    206: {"content": {"application/octet-stream": {}}, "description": "A range of it"},
    304: {"description": "The asker has it already"},
    416: {"description": "No such range"},
}
# Longer numbers are no file's; and Python refuses to read the longest.
_RANGE = re.compile(r"bytes=[ \t,]*(\d{0,99})-(\d{0,99})[ \t,]*", re.ASCII | re.IGNORECASE)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to `end`, which is not one of them."""

    start: int
    end: int


NO_SUCH_RANGE: Final = Span(0, 0)


def span_of(header: str | None, size: int) -> Span | None:
    """The one range that a `Range` header asks for, or `NO_SUCH_RANGE`. None: it asks for nothing that is
    understood, or for several, and all of the file is to be sent.
    """
    found = _RANGE.fullmatch(header) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        last = min(int(found[2]), size)
        if not size and int(found[2]):
            return None  # the last bytes of nothing are all of it, and no range can say so
        return Span(size - last, size) if last else NO_SUCH_RANGE
    start = int(found[1])
    if found[2] and int(found[2]) < start:
        return None  # malformed
    end = min(int(found[2]) + 1, size) if found[2] else size
    return Span(start, end) if start < size else NO_SUCH_RANGE


class Content(Response):
    """The answer to a request to read the file `cid`. open_file: begins to read it.

    name: what it is called, as somebody says; its ending says its media type. When the client goes away, or
    all is sent, the reading is closed.
    """

    def __init__(
        self,
        open_file: Callable[[], Awaitable[Reading]],
        cid: Cid,
        name: str,
        asked: Mapping[str, str],
        *,
        is_head: bool,
    ) -> None:
        super().__init__()
        self._open_file = open_file
        self._tag = f'"{cid}"'
        self._name = name
        self._asked = asked
        self._is_head = is_head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        work = asyncio.ensure_future(self._answer(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            await asyncio.wait({work, gone})
        if not work.cancelled():
            work.result()

    async def _answer(self, send: Send) -> None:
        if self._is_known():
            await _send_head(send, 304, self._describing())
            await send({"type": "http.response.body", "body": b""})
            return
        with contextlib.closing(await self._open_file()) as reading:
            await self._send(send, reading)

    def _is_known(self) -> bool:
        """Whether the asker has it; see RFC 9110, section 13.1.2."""
        tags = [tag.strip().removeprefix("W/") for tag in self._asked.get("if-none-match", "").split(",")]
        return self._tag in tags or "*" in tags

    def _span(self, size: int) -> Span | None:
        """The range that is asked for; None: all."""
        header = self._asked.get("range")
        if self._is_head or self._asked.get("if-range", self._tag).strip() != self._tag:
            return None
        return span_of(header, size)

    async def _send(self, send: Send, reading: Reading) -> None:
        size, span = reading.size, self._span(reading.size)
        if span == NO_SUCH_RANGE:
            await _send_head(send, 416, {"content-range": f"bytes */{size}", "content-length": "0"})
            await send({"type": "http.response.body", "body": b""})
            return
        headers, status = self._describing(), 200
        if span is not None:
            headers["content-range"], status = f"bytes {span.start}-{span.end - 1}/{size}", 206
        start, end = (0, size) if span is None else (span.start, span.end)
        headers["content-length"] = str(end - start)
        block = b"" if self._is_head else await _read(reading, start, end)  # what fails has its own status
        await _send_head(send, status, headers)
        try:
            while block:
                await send({"type": "http.response.body", "body": block, "more_body": True})
                start += len(block)
                block = await _read(reading, start, end)
        except Exception as error:  # noqa: BLE001 (supervises what a client is sent: whatever it is, the connection breaks)
            self._break(error)
        else:
            await send({"type": "http.response.body", "body": b""})

    def _break(self, error: Exception) -> None:
        """Tell of it in the log; an answer that has no end makes the server break the connection."""
        report_bug(error)
        if isinstance(error, WarrenError):
            _log.warning("reading %s broke off: %s", self._tag, error)

    def _describing(self) -> dict[str, str]:
        headers = {
            "accept-ranges": "bytes",
            "etag": self._tag,
            "cache-control": "private, immutable, max-age=31536000",
            "content-type": media_type(self._name),
            "content-security-policy": "sandbox; default-src 'none'",
            "x-content-type-options": "nosniff",
        }
        if self._name:
            headers["content-disposition"] = f"inline; filename*=UTF-8''{quote(self._name, safe='')}"
        return headers


def media_type(name: str) -> str:
    """What the ending of a name says; nothing else of it counts."""
    kind, packed = mimetypes.guess_type("file" + PurePath(name).suffix)
    return kind if kind and not packed else "application/octet-stream"


async def _read(reading: Reading, at: int, end: int) -> bytes:
    return await reading.read(at, min(BLOCK_BYTES, end - at)) if at < end else b""


async def _send_head(send: Send, status: int, headers: Mapping[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
