"""Answers that take long or hold much: NDJSON streams of progress, and long lists.

In:  an asynchronous iterator of documents, or a list with the function that makes a document of an item.
Out: responses that never hold the loop for long, and that stop their work when the client goes.

A stream is one JSON document a line (https://github.com/ndjson/ndjson-spec), each with its kind in "event":

    {"event": "progress", ...}   as often as there is something new, at most ten times a second
    {"event": "result", ...}     the last line of what went well
    {"event": "error", ...}      the last line of what did not, as an error document
    {"event": "alive"}           nothing new for five seconds; the work goes on

What fails before the first line is an ordinary error with its own status.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from starlette.responses import Response

from warren.core.errors import WarrenError
from warren.frontends.api.errors import document_of, encode, report_bug, status_of
from warren.frontends.api.guard import Receive, Scope, Send
from warren.frontends.api.names import with_names

ALIVE_EVERY_S = 5.0
PROGRESS_EVERY_S = 0.1
# Making 200 documents and their JSON takes about a millisecond or two.
LIST_SLICE = 200

Document = dict[str, Any]
T = TypeVar("T")


class NdjsonResponse(Response):
    """Streams documents. The iterator is closed when it ends, fails, or the client goes."""

    media_type = "application/x-ndjson"

    def __init__(
        self, documents: AsyncIterator[Document], on_gone: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """on_gone: done where the client went before the end; not where the node ends."""
        super().__init__()
        del self.headers["content-length"]
        self._documents = documents
        self._on_gone = on_gone
        self._started = False
        self._node: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "app" in scope:
            self._node = scope["app"].state.node
        work = asyncio.ensure_future(self._run(send))
        gone = asyncio.ensure_future(_disconnect(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            has_gone = not work.done()
        finally:
            await _end(gone)
            await _end(work)
        if has_gone and self._on_gone is not None:
            with contextlib.suppress(WarrenError):  # there is nobody left to be told
                await self._on_gone()

    async def _run(self, send: Send) -> None:
        try:
            await self._relay(send)
        except Exception as error:  # noqa: BLE001  the boundary of a request: what happens becomes its answer
            report_bug(error)
            await self._fail(error, send)

    async def _relay(self, send: Send) -> None:
        following: asyncio.Future[Document | None] = _next(self._documents)
        try:
            while True:
                await asyncio.wait({following}, timeout=ALIVE_EVERY_S)
                if not following.done():
                    await self._line({"event": "alive"}, send)
                elif (document := following.result()) is not None:
                    await self._line(document, send)
                    following = _next(self._documents)
                else:
                    break
            await self._start(200, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            await _end(following)
            await _close(self._documents)

    async def _line(self, document: Document, send: Send) -> None:
        await self._start(200, send)
        await send({"type": "http.response.body", "body": encode(document) + b"\n", "more_body": True})

    async def _start(self, status: int, send: Send) -> None:
        if not self._started:
            self._started = True
            await send({"type": "http.response.start", "status": status, "headers": self.raw_headers})

    async def _fail(self, error: Exception, send: Send) -> None:
        document = with_names(document_of(error), self._node) if self._node else document_of(error)
        if self._started:
            await self._line({"event": "error", **document}, send)
        else:
            self.headers["content-type"] = "application/json"
            await self._start(status_of(error), send)
            await send({"type": "http.response.body", "body": encode(document), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class ListResponse(Response):
    """`{"items": [...]}` of any length, written slice by slice with other work in between."""

    media_type = "application/json"

    def __init__(self, items: Sequence[T], to_document: Callable[[T], Document]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._items = items
        self._to_document = to_document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b'{"items":[', "more_body": True})
        for start in range(0, len(self._items), LIST_SLICE):
            part = [self._to_document(item) for item in self._items[start : start + LIST_SLICE]]
            body = (b"," if start else b"") + encode(part)[1:-1]
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"]}"})


async def with_progress(
    work: Callable[[Callable[[T], None]], Awaitable[Document]], to_document: Callable[[T], Document]
) -> AsyncGenerator[Document, None]:
    """Run `work(report)` and yield its latest report now and then, and its result at the end.

    `report` may be called as often as one likes, from any thread: only the newest counts. Closing the
    iterator cancels the work.
    """
    latest: list[T] = []
    shown: T | None = None

    def report(progress: T) -> None:
        latest[:] = [progress]

    task = asyncio.ensure_future(work(report))
    try:
        while not (await asyncio.wait({task}, timeout=PROGRESS_EVERY_S))[0]:
            if latest and latest[0] is not shown:
                shown = latest[0]
                yield {"event": "progress", **to_document(shown)}
        yield {"event": "result", **task.result()}
    finally:
        await _end(task)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _next(documents: AsyncIterator[Document]) -> asyncio.Future[Document | None]:
    """The next document; None at the end."""
    return asyncio.ensure_future(anext(documents, None))


async def _end(task: asyncio.Future[Any]) -> None:
    """Cancel a task and see it end. How it ended was reported where it was awaited, or nobody asks."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


async def _close(documents: AsyncIterator[Document]) -> None:
    close = getattr(documents, "aclose", None)
    if close is not None:
        await close()
