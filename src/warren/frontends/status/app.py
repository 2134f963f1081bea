"""The status listener as an ASGI application: four paths to read, and nothing else.

In:  GET and HEAD. Out:

    /healthz       200 as long as this process answers
    /readyz        200 while peers can connect; 503 with the reason while the node starts or stops
    /server_info   JSON: what the node is and how much it does
    /metrics       the same for Prometheus

There is no token, because there is nothing to change and no secret in it. Each refused in words: other
methods (405), other paths (404), requests with a body (413), more at once than configured (429); and, where
the listener is on loopback, another Host than our own (421), which a web page sends whose name was rebound to
127.0.0.1. Each connection carries one request. What was gathered is good for half a second: no number of
requests costs more than two looks each second.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import WarrenError
from warren.frontends.api.errors import document, encode
from warren.frontends.status.documents import Metrics, server_info

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.frontends.api.guard import Receive, Scope, Send
    from warren.node import Node
    from warren.services.status.board import Snapshot

FRESH_S: Final = 0.5
"""Attack: requests without end, each of which would cost a look at every socket and at the database."""
_PATHS: Final = ("/healthz", "/readyz", "/server_info", "/metrics")
_TEXT: Final = b"text/plain; charset=utf-8"
_JSON: Final = b"application/json"
_METRICS: Final = b"text/plain; version=0.0.4; charset=utf-8"
_LOG = logging.getLogger(__name__)


class _Answer(NamedTuple):
    status: int
    kind: bytes
    body: bytes


class StatusApp:
    """Of one process; `begin` and `drain` tell it where in its life the node is.

    requests_max: requests answered at once; more are refused.
    """

    def __init__(self, *, requests_max: int) -> None:
        self._requests_max = requests_max
        self._requests = 0
        self._hosts: frozenset[bytes] | None = None
        self._node: Node | None = None
        self._reason = "the node is starting"
        self._metrics = Metrics()
        self._kept: tuple[float, Snapshot] | None = None

    def set_hosts(self, hosts: Iterable[str]) -> None:
        """Answer only requests that name one of these as `Host`."""
        self._hosts = frozenset(host.encode() for host in hosts)

    def begin(self, node: Node) -> None:
        """The node runs."""
        self._node = node

    def drain(self) -> None:
        """The node is about to end."""
        self._node, self._kept = None, None
        self._reason = "the node is stopping"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI
        if scope["type"] != "http":
            return
        self._requests += 1
        try:
            answer = self._refusal(scope) or await self._answer(scope["path"])
        except WarrenError as error:
            answer = _refuse(503, str(error))
        except Exception:  # noqa: BLE001  the boundary of supervision: a fault of ours costs its request
            _LOG.exception("a fault in the status listener")
            answer = _refuse(500, "the node hit a bug")
        finally:
            self._requests -= 1
        await _say(answer, send, bodiless=scope["method"] == "HEAD")

    def _refusal(self, scope: Scope) -> _Answer | None:
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        if self._hosts is not None and not _names_us(headers.get(b"host", []), self._hosts):
            return _refuse(421, "this listener answers only to its own address")
        if self._requests > self._requests_max:
            return _refuse(429, "too many requests at once")
        if scope["method"] not in ("GET", "HEAD"):
            return _refuse(405, "this listener can only be read: GET or HEAD")
        if b"transfer-encoding" in headers or headers.get(b"content-length", [b"0"]) != [b"0"]:
            return _refuse(413, "a request to this listener has no body")
        return None

    async def _answer(self, path: str) -> _Answer:
        match path:
            case "/healthz":
                return _Answer(200, _TEXT, b"alive\n")
            case "/readyz":
                return self._ready_answer()
            case "/server_info":
                now = await self._snapshot()
                if now is None:
                    return _refuse(503, self._reason)
                return _Answer(200, _JSON, server_info(now, ready=self._is_ready))
            case "/metrics":
                now = await self._snapshot()
                return _Answer(200, _METRICS, self._metrics.text(now, ready=self._is_ready))
            case _:
                return _refuse(404, f"there is only {', '.join(_PATHS)}")

    @property
    def _is_ready(self) -> bool:
        return self._node is not None and self._node.status.listening

    def _ready_answer(self) -> _Answer:
        if self._is_ready:
            return _Answer(200, _TEXT, b"ready\n")
        reason = self._reason if self._node is None else "the node does not listen"
        return _Answer(503, _TEXT, f"{reason}\n".encode())

    async def _snapshot(self) -> Snapshot | None:
        node = self._node
        if node is None:
            return None
        now = node.network.clock()
        if self._kept is None or now - self._kept[0] >= FRESH_S:
            self._kept = now, await node.status.snapshot()
        return self._kept[1]


def _names_us(given: list[bytes], known: frozenset[bytes]) -> bool:
    return len(given) == 1 and given[0].lower() in known


def _refuse(status: int, message: str) -> _Answer:
    name = HTTPStatus(status).phrase.title().replace(" ", "")
    return _Answer(status, _JSON, encode(document(name, message, "", 2)) + b"\n")


async def _say(answer: _Answer, send: Send, *, bodiless: bool) -> None:
    headers = [
        (b"content-type", answer.kind),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    if answer.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodiless else answer.body})
