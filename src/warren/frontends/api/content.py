"""A file's bytes as an HTTP answer: all of them or one range, as they come.

In:  a `Reading`, the request's headers. Out: 200, 206, 304 or 416, by RFC 9110, sections 13 and 14
(https://www.rfc-editor.org/rfc/rfc9110#section-14). The content id is the strong entity tag: content never
changes. Of several ranges in one request all of the file is sent instead, as the RFC allows.

What a peer shares is not to be trusted: a browser is told to guess no type, and to run nothing of it.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to `end`, which is not one of them."""

    start: int
    end: int


def span_of(header: str | None, size: int) -> Span | None:
    """What the `Range` header asks for; all where it asks for nothing that is understood; None: there is no
    such range.
    """
    found = _RANGE.fullmatch(header) if header else None
    if found is None or not (found[1] or found[2]):
        return Span(0, size)
    if not found[1]:
        last = int(found[2])
        return Span(max(0, size - last), size) if last and size else None
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    if found[2] and int(found[2]) < start:
        return Span(0, size)  # malformed: to be ignored
    return Span(start, end) if start < size else None


def content(reading: Reading, cid: Cid, name: str, asked: Mapping[str, str], *, is_head: bool) -> Response:
    """The answer; it closes the reading."""
    tag = f'"{cid}"'
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {
        "accept-ranges": "bytes",
        "etag": tag,
        "cache-control": "private, immutable, max-age=31536000",
        "content-type": kind,
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
    }
    if name:
        headers["content-disposition"] = f"inline; filename*=UTF-8''{quote(name, safe='')}"
    if tag in asked.get("if-none-match", ""):
        reading.close()
        return Response(status_code=304, headers=headers)
    is_partial = "range" in asked and asked.get("if-range", tag) == tag
    span = span_of(asked["range"] if is_partial else None, reading.size)
    if span is None:
        size = reading.size
        reading.close()
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{size}"})
    headers["content-length"] = str(span.end - span.start)
    is_partial = (span.start, span.end) != (0, reading.size)
    if is_partial:
        headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{reading.size}"
    return _Content(reading, span, 206 if is_partial else 200, headers, is_head=is_head)


class _Content(Response):
    """Sends what is read as it comes. The connection breaks where the rest cannot be had."""

    def __init__(
        self, reading: Reading, span: Span, status: int, headers: Mapping[str, str], *, is_head: bool
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        self._reading = reading
        self._span = span
        self._is_head = is_head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        work = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.wait({work, gone})
            self._reading.close()

    async def _send(self, send: Send) -> None:
        at, end = self._span.start, 0 if self._is_head else self._span.end
        block = await self._read(at, end)  # before the head: what fails at once has a status of its own
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while block:
            await send({"type": "http.response.body", "body": block, "more_body": True})
            at += len(block)
            block = await self._read(at, end)
        await send({"type": "http.response.body", "body": b""})

    async def _read(self, at: int, end: int) -> bytes:
        return await self._reading.read(at, min(BLOCK_BYTES, end - at)) if at < end else b""


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
