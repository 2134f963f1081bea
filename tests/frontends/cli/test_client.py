"""What the command line makes of a node that does not answer as it should."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from warren.core.errors import ConnectionClosed, MisuseError, NodeNotRunning, RequestTimeout, WarrenError
from warren.frontends.cli.client import Client, rebuilt
from warren.frontends.home import Door

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextlib.contextmanager
def answering(answer: bytes | None, timeout_s: float = 5) -> Iterator[Client]:
    """A client of a server that answers one request with these bytes; None: with silence."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if answer is None:
                    done.wait(5)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Client(Door("127.0.0.1", listener.getsockname()[1], 4711, "token"), timeout_s)
        finally:
            done.set()
            thread.join(5)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(client: Client) -> list[Any]:
    return list(client.stream("POST", "ping", body={}))


def test_lines_until_the_result_without_signs_of_life() -> None:
    said = b'{"event":"alive"}\n{"event":"progress","n":1}\n', b'{"event":"result"}\n', b'{"event":"more"}\n'
    with answering(HEAD + b"".join(map(chunk, said)) + b"0\r\n\r\n") as client:
        assert stream(client) == [{"event": "progress", "n": 1}, {"event": "result"}]


def test_who_types_commands_is_not_sent_to_the_description_of_the_api() -> None:
    error = rebuilt({"error": "InputError", "message": "title: too long", "hint": "see /openapi.json for it"})
    assert str(error) == "title: too long"
    assert error.hint == "what each option takes is in the --help of the command"
    assert rebuilt({"error": "InputError", "message": "no", "hint": "try again"}).hint == "try again"


def test_a_line_may_come_in_pieces() -> None:
    with answering(HEAD + chunk(b'{"event":') + chunk(b'"result"}\n') + b"0\r\n\r\n") as client:
        assert stream(client) == [{"event": "result"}]


@pytest.mark.parametrize(
    "rest",
    [
        b"0\r\n\r\n",
        chunk(b'{"event":"progress"}\n') + b"0\r\n\r\n",
        chunk(b'{"event":'),
        b"5\r\nab",
        b"zz\r\n",
    ],
)
def test_a_stream_without_result_is_told(rest: bytes) -> None:
    with answering(HEAD + rest) as client, pytest.raises(ConnectionClosed) as caught:
        stream(client)
    assert "warren logs" in caught.value.hint


def test_an_answer_cut_short() -> None:
    with (
        answering(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a"') as client,
        pytest.raises(ConnectionClosed, match="broke off"),
    ):
        client.get("status")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NodeNotRunning, match=r"\(process 4711\) does not answer"):
        Client(Door("127.0.0.1", port, 4711, "token")).get("status")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n"])
def test_somebody_else_there(answer: bytes) -> None:
    with answering(answer) as client, pytest.raises(NodeNotRunning):
        client.get("status")


def test_silence() -> None:
    with answering(None, 0.05) as client, pytest.raises(RequestTimeout):
        client.get("status")


def test_silence_within_a_stream() -> None:
    class Slow(Client):
        pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Slow(Door("127.0.0.1", listener.getsockname()[1], 1, "t"), 0.2)
        thread = threading.Thread(target=lambda: held.append(listener.accept()[0]))
        held: list[socket.socket] = []
        thread.start()
        lines = client.stream("POST", "ping", body={})

        def answer() -> None:
            thread.join(5)
            held[0].sendall(HEAD + chunk(b'{"event":"progress"}\n'))

        helper = threading.Thread(target=answer)
        helper.start()
        assert next(lines) == {"event": "progress"}
        with pytest.raises(RequestTimeout):
            next(lines)
        helper.join(5)
        held[0].close()


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b'{"error":"InternalError","message":"a bug"}', MisuseError, "a bug"),
        (b'{"error":"Nonsense","message":"what"}', WarrenError, "what"),
        (b'{"error":"annotations"}', WarrenError, "the node answered with an error"),
        (b"<html>", WarrenError, "the node answered with an error"),
        (b"[]", WarrenError, "the node answered with an error"),
    ],
)
def test_errors_that_are_none_of_the_tree(body: bytes, kind: type[WarrenError], message: str) -> None:
    answer = b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with answering(answer) as client, pytest.raises(WarrenError, match=message) as caught:
        client.get("status")
    assert type(caught.value) is kind
