"""Who may talk to the API: the first thing every request meets, before anything of it is parsed.

In:  ASGI requests. Out: the same, to the application within; or a refusal.

Any web page that the user visits, any program of another user on this machine can send requests to a loopback
port. In this order, each refused with a JSON error:

    421  another Host than our own      a web page whose name was rebound to 127.0.0.1 (DNS rebinding)
    403  a foreign Origin               a web page that sends requests across sites
    401  no token, or a wrong one       programs of other users, who cannot read the token's file
    429  too many requests at once      a program opening without end
    413  a body over the cap            a program filling memory
    408  a body that does not come      a program holding requests open

There are no CORS headers: no web page of another origin can read an answer. WebSockets are refused.

Players know no other way to be let in than a password in the address. So where a file is read, and nowhere
else, the token may be that (`Authorization: Basic`). Browsers send such a password again by themselves, also
for what pages of others embed; so no request that a browser says comes from elsewhere is let in by it.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from warren.frontends.api.errors import document, encode

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_BASIC = b'Basic realm="warren", charset="UTF-8"'
_FILE = re.compile(r"/v1/files/[^/]+")
# The body of any request is a small JSON document from the same machine.
BODY_TIMEOUT_S = 10.0


class _Refusal(Exception):
    """challenge: how a client may show who it is, for status 401."""

    def __init__(
        self, status: int, error: str, message: str, hint: str = "", code: int = 2, challenge: bytes = b""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.challenge = challenge
        self.body = encode(document(error, message, hint, code))


class Guard:
    """Wraps an ASGI application.

    token: what `Authorization: Bearer ...` must carry; where a file is read, a password may be it as well.
    hosts: the values of `Host` that name us (`127.0.0.1:4180`); `set_hosts` once the port is known.
    body_bytes_max: a longer request body is refused.
    requests_max: requests answered at once; more are refused.
    """

    def __init__(self, app: App, *, token: str, body_bytes_max: int, requests_max: int) -> None:
        self._app = app
        self._token = token.encode()
        self._body_bytes_max = body_bytes_max
        self._requests_max = requests_max
        self._requests = 0
        self._hosts: frozenset[bytes] = frozenset()
        self._origins: frozenset[bytes] = frozenset()

    def set_hosts(self, hosts: Iterable[str]) -> None:
        """Say by which names the API may be addressed."""
        known = [host.encode() for host in hosts]
        self._hosts = frozenset(known)
        self._origins = frozenset(b"http://" + host for host in known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope["headers"], is_file=_reads_file(scope))
        except _Refusal as refusal:
            await _refuse(refusal, send)
            return
        self._requests += 1
        try:
            body = await self._read(receive)
            await self._app(scope, _Replay(body, receive).receive, send)
        except _Refusal as refusal:
            await _refuse(refusal, send)
        finally:
            self._requests -= 1

    async def _read(self, receive: Receive) -> bytes:
        """The whole body. It is read here, so that no work starts on one that is too long or never ends."""
        body = bytearray()
        more = True
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Refusal(400, "InputError", "the client went before its request was complete")
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self._body_bytes_max:
                        raise _too_large(self._body_bytes_max)
        except TimeoutError:
            raise _Refusal(408, "RequestTimeout", "the request's body did not come in time", code=6) from None
        return bytes(body)

    def _check(self, headers: Iterable[tuple[bytes, bytes]], *, is_file: bool) -> None:
        values: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            values.setdefault(name, []).append(value)
        if not _one_of(values.get(b"host", []), self._hosts):
            raise _Refusal(421, "WrongHost", "this API answers only to its own address")
        if b"origin" in values and not _one_of(values[b"origin"], self._origins):
            raise _Refusal(403, "ForeignOrigin", "web pages of other origins may not use this API")
        may_be_basic = is_file and not _is_from_elsewhere(values.get(b"sec-fetch-site", []))
        if not self._authorized(values.get(b"authorization", []), may_be_basic=may_be_basic):
            raise _Refusal(
                401,
                "TokenNeeded",
                "the token is missing or wrong",
                'send "Authorization: Bearer TOKEN" with the content of api.token in the data folder',
                challenge=_BASIC if may_be_basic else b"Bearer",
            )
        if self._requests >= self._requests_max:
            raise _Refusal(429, "LimitReached", "too many requests at once", "wait for others to end", 6)
        length = values.get(b"content-length", [b"0"])[0]
        if not length.isdigit() or int(length) > self._body_bytes_max:
            raise _too_large(self._body_bytes_max)

    def _authorized(self, given: list[bytes], *, may_be_basic: bool) -> bool:
        """Compares in constant time: how long it takes says nothing about the token."""
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        if may_be_basic and scheme.lower() == b"basic":
            return hmac.compare_digest(_password(token), self._token)
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


class _Replay:
    """Hands a body that was read on to the application; what comes after it passes untouched."""

    __slots__ = ("_body", "_receive")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def receive(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _reads_file(scope: Scope) -> bool:
    """Whether a file is read, and nothing else is done, as in http://warren:TOKEN@HOST:PORT/v1/files/CID."""
    return scope["method"] in {"GET", "HEAD"} and _FILE.fullmatch(scope["path"]) is not None


def _is_from_elsewhere(given: list[bytes]) -> bool:
    """Whether a browser says that this is not what its user typed, nor a page of our own."""
    return any(one not in {b"none", b"same-origin"} for one in given)


def _password(basic: bytes) -> bytes:
    try:
        return base64.b64decode(basic, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _one_of(given: list[bytes], known: frozenset[bytes]) -> bool:
    return len(given) == 1 and given[0].lower() in known


def _too_large(bytes_max: int) -> _Refusal:
    return _Refusal(413, "InputError", f"the request's body is over {bytes_max} bytes")


async def _refuse(refusal: _Refusal, send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(refusal.body)).encode()),
        (b"connection", b"close"),
    ]
    if refusal.challenge:
        headers.append((b"www-authenticate", refusal.challenge))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": refusal.body})
