"""The command line's way to the running node: HTTP on loopback, with the token.

In:  requests as method, path and a JSON document.
Out: the answer's document, or an iterator over the lines of a stream.
Refuses, as the `WarrenError` that the node met: whatever the API answers with an error document.

It uses the standard library's HTTP client: the large ones take longer to import than most commands run.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import warren.core.errors as tree
from warren.core.errors import Ambiguous, ConnectionClosed, NodeNotRunning, RequestTimeout, WarrenError
from warren.frontends.home import Door

# The API says something at least every five seconds while it works on a stream; plain answers can take as
# long as a dial with several addresses.
TIMEOUT_S = 60.0
# A file that is read while it comes may wait for somebody who has it (`files.no_source_s`, and the dials).
READ_TIMEOUT_S = 300.0
_LINE_BYTES_MAX = 1 << 20
_BLOCK_BYTES = 1 << 18
# What the API calls a fault of its own (frontends/api/errors.py).
INTERNAL_ERROR = "InternalError"
# Whom the API tells to read its description; who types commands reads their help.
_OF_THE_API = "see /openapi.json"
_OF_OPTIONS = "what each option takes is in the --help of the command"


class Client:
    """Talks to one node. Each request has a connection of its own; leaving a stream closes it and cancels."""

    def __init__(self, door: Door, timeout_s: float = TIMEOUT_S) -> None:
        self._door = door
        self._timeout_s = timeout_s

    @property
    def pid(self) -> int:
        """The process of the node."""
        return self._door.pid

    def get(self, *parts: str, **query: str) -> Any:
        """GET /v1/part/part?query."""
        return self._answer("GET", parts, query=query)

    def post(self, *parts: str, body: Any = None) -> Any:
        """POST a document."""
        return self._answer("POST", parts, body=body or {})

    def patch(self, *parts: str, body: Any) -> Any:
        """Change what is there."""
        return self._answer("PATCH", parts, body=body)

    def delete(self, *parts: str) -> Any:
        """DELETE /v1/part/part."""
        return self._answer("DELETE", parts)

    def stream(self, method: str, *parts: str, body: Any = None, **query: str) -> Iterator[dict[str, Any]]:
        """The lines of an NDJSON answer, without those that only say that the node is alive.

        Raises the error that the node reports, before or within the stream; ConnectionClosed if it ends
        before its result.
        """
        with self._sent(method, parts, query, body) as response:
            while True:
                document = self._line(response)
                if document.get("event") == "error":
                    raise rebuilt(document)
                if document.get("event") != "alive":
                    yield document
                if document.get("event") == "result":
                    return

    def read(self, *parts: str, query: Sequence[tuple[str, str]]) -> Iterator[tuple[bytes, int]]:
        """The bytes of an answer as they come, and with each block how many there are in all.

        Raises ConnectionClosed if it breaks off before its end.
        """
        with self._sent("GET", parts, query, timeout_s=READ_TIMEOUT_S) as response:
            total = int(response.headers["content-length"])
            left = total
            while left:
                with self._breaks():
                    block = response.read1(_BLOCK_BYTES)
                if not block:
                    raise ConnectionClosed("the file broke off", hint="see: warren logs; then try again")
                left -= len(block)
                yield block, total

    def _answer(
        self, method: str, parts: tuple[str, ...], query: dict[str, str] | None = None, body: Any = None
    ) -> Any:
        with self._sent(method, parts, query, body) as response, self._breaks():
            return json.loads(response.read())

    @contextlib.contextmanager
    def _sent(
        self,
        method: str,
        parts: tuple[str, ...],
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None,
        body: Any = None,
        *,
        timeout_s: float | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request; yield its answer if it went well, and close the connection afterwards."""
        path = "/v1/" + "/".join(quote(part, safe="") for part in parts)
        path += "?" + urlencode(query) if query else ""
        headers = {"Authorization": f"Bearer {self._door.token}", "Connection": "close"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        timeout_s = timeout_s or self._timeout_s
        connection = http.client.HTTPConnection(self._door.host, self._door.port, timeout=timeout_s)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, data, headers)
                response = connection.getresponse()
            except TimeoutError as error:
                raise _slow() from error
            except (OSError, http.client.HTTPException) as error:
                raise NodeNotRunning(
                    f"the node (process {self._door.pid}) does not answer: {str(error) or 'it hung up'}",
                    hint="see warren logs; stop it with warren down",
                ) from error
            with response:
                if response.status >= 400:
                    with self._breaks():
                        said = response.read()
                    raise rebuilt(_document(said))
                yield response

    def _line(self, response: http.client.HTTPResponse) -> dict[str, Any]:
        with self._breaks():
            line = response.readline(_LINE_BYTES_MAX)
            document = json.loads(line) if line else None
        if isinstance(document, dict):
            return document
        raise ConnectionClosed("the node ended in the middle of its answer", hint="see: warren logs")

    @contextlib.contextmanager
    def _breaks(self) -> Iterator[None]:
        """Reading an answer: what breaks it off becomes one of our errors."""
        try:
            yield
        except TimeoutError as error:
            raise _slow() from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ConnectionClosed(
                f"the node's answer broke off: {error}", hint="see: warren logs"
            ) from error


def _slow() -> RequestTimeout:
    return RequestTimeout("the node did not answer in time", hint="see: warren logs")


def rebuilt(document: dict[str, Any]) -> WarrenError:
    """The error that the node met, as the same class, with its message and hint."""
    name = str(document.get("error", ""))
    known = tree.MisuseError if name == INTERNAL_ERROR else getattr(tree, name, None)
    kind = known if isinstance(known, type) and issubclass(known, WarrenError) else WarrenError
    error = kind.__new__(kind)
    hint = str(document.get("hint", ""))
    WarrenError.__init__(
        error,
        str(document.get("message") or "the node answered with an error"),
        hint=_OF_OPTIONS if hint.startswith(_OF_THE_API) else hint,
    )
    if isinstance(error, Ambiguous):
        error.candidates = [str(one) for one in document.get("candidates", [])]
    return error


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {}
