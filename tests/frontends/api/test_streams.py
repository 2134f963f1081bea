"""Streams and long lists, without a server: what is sent, when, and what ends when the client goes."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import CID
from tests.support import run
from warren.core.errors import PeerUnknown
from warren.frontends.api import streams, views
from warren.frontends.api.streams import ListResponse, NdjsonResponse, with_progress
from warren.services.files.types import FileEntry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Client:
    """The server's side of one request, in memory."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.gone = asyncio.Event()
        self.began = asyncio.Event()
        self.complete = False

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
            self.began.set()
            self.complete = not message.get("more_body", False)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


def answer(response: Any) -> Client:
    async def main() -> Client:
        client = Client()
        await response({"type": "http"}, client.receive, client.send)
        return client

    return run(main())


async def documents(*found: Any) -> AsyncIterator[dict[str, Any]]:
    for one in found:
        if isinstance(one, Exception):
            raise one
        yield one


def test_lines_come_in_order() -> None:
    client = answer(NdjsonResponse(documents({"a": 1}, {"b": "é"})))
    assert (client.status, client.lines, client.complete) == (200, [{"a": 1}, {"b": "é"}], True)


def test_a_stream_of_nothing_is_whole() -> None:
    client = answer(NdjsonResponse(documents()))
    assert (client.status, client.body, client.complete) == (200, b"", True)


def test_an_error_at_once_is_a_plain_answer() -> None:
    client = answer(NdjsonResponse(documents(PeerUnknown("who?"))))
    assert (client.status, client.lines[0]["error"], client.complete) == (404, "PeerUnknown", True)


def test_a_later_error_is_the_last_line(caplog: pytest.LogCaptureFixture) -> None:
    client = answer(NdjsonResponse(documents({"a": 1}, ZeroDivisionError("secret"))))
    assert (client.status, client.complete) == (200, True)
    assert client.lines[1]["event"] == "error"
    assert client.lines[1]["error"] == "InternalError"
    assert b"secret" not in client.body
    assert "ZeroDivisionError" in caplog.text


def test_silence_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ALIVE_EVERY_S", 0.01)

    async def main() -> None:
        client, more = Client(), asyncio.Event()

        async def slow() -> AsyncIterator[dict[str, Any]]:
            await more.wait()
            yield {"event": "result"}

        task = asyncio.create_task(NdjsonResponse(slow())({}, client.receive, client.send))
        await client.began.wait()
        more.set()
        await task
        assert client.lines[0] == {"event": "alive"}
        assert client.lines[-1] == {"event": "result"}

    run(main())


@pytest.mark.parametrize("how", ["the client goes", "the server stops"])
def test_the_work_ends_with_the_stream(how: str) -> None:
    async def main() -> None:
        client, ended = Client(), asyncio.Event()

        async def endless() -> AsyncIterator[dict[str, Any]]:
            try:
                yield {"event": "progress"}
                await asyncio.Event().wait()
            finally:
                ended.set()

        task = asyncio.create_task(NdjsonResponse(endless())({}, client.receive, client.send))
        await client.began.wait()
        if how == "the client goes":
            client.gone.set()
            await task
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert ended.is_set()

    run(main())


def test_progress_is_the_newest_and_then_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PROGRESS_EVERY_S", 0.01)

    async def main() -> list[Any]:
        seen = asyncio.Event()

        async def work(report: Callable[[int], None]) -> dict[str, Any]:
            for number in range(1000):
                report(number)
            await seen.wait()
            return {"sum": 5}

        found = []
        async for document in with_progress(work, lambda number: {"number": number}):
            found.append(document)
            seen.set()
        return found

    assert run(main()) == [{"event": "progress", "number": 999}, {"event": "result", "sum": 5}]


def test_leaving_progress_cancels_the_work() -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def work(report: Callable[[int], None]) -> dict[str, Any]:
            report(1)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return {}

        stream: Any = with_progress(work, lambda number: {"number": number})
        await anext(stream)
        await stream.aclose()
        assert cancelled.is_set()

    run(main())


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 1000])
def test_a_list_is_one_document(count: int) -> None:
    client = answer(ListResponse(range(count), lambda number: {"n": number}))
    assert json.loads(client.body) == {"items": [{"n": number} for number in range(count)]}
    assert client.complete


def test_a_long_list_never_holds_the_loop() -> None:
    """In CPU time of the loop's thread, which a busy machine does not stretch."""
    entries = [FileEntry(f"file {i}", f"folder/file {i}", "file", i, CID) for i in range(20_000)]

    async def main() -> float:
        client, longest = Client(), 0.0
        response = ListResponse(entries, lambda one: views.file(one, "peer/"))
        task = asyncio.create_task(response({}, client.receive, client.send))
        while not task.done():
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)
        assert len(json.loads(client.body)["items"]) == 20_000
        return longest

    assert run(main()) < 0.02
