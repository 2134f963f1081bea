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

Players know no other way to be let in than a password in the address. Where a file is read, and nowhere else,
a key to this one file is that (`grants.py`, `Authorization: Basic`); the token is not, for addresses are kept
and shown. Browsers send such a password again by themselves, also for what pages of others embed; so no
request that a browser says comes from elsewhere is let in by it.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from warren.frontends.api.errors import document, encode
from warren.frontends.api.grants import Expired, Grants, is_key

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_BASIC = b'Basic realm="warren", charset="UTF-8"'
_FILE = re.compile(r"/v1/files/([^/]+)")
_SEND_IT = 'send "Authorization: Bearer TOKEN" with the content of api.token in the data folder'
_MAKE_ADDRESS = "make an address for the file: warren get REF --url"
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

    token: what `Authorization: Bearer ...` must carry. grants: says which passwords read which file.
    hosts: the values of `Host` that name us (`127.0.0.1:4180`); `set_hosts` once the port is known.
    body_bytes_max: a longer request body is refused.
    requests_max: requests answered at once; more are refused.
    """

    def __init__(
        self, app: App, *, token: str, grants: Grants, body_bytes_max: int, requests_max: int
    ) -> None:
        self._app = app
        self._token = token.encode()
        self._grants = grants
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
            self._check(scope["headers"], _file_read(scope))
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

    def _check(self, headers: Iterable[tuple[bytes, bytes]], file: str | None) -> None:
        """file: what `_file_read` says."""
        values: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            values.setdefault(name, []).append(value)
        if not _one_of(values.get(b"host", []), self._hosts):
            raise _Refusal(421, "WrongHost", "this API answers only to its own address")
        if b"origin" in values and not _one_of(values[b"origin"], self._origins):
            raise _Refusal(403, "ForeignOrigin", "web pages of other origins may not use this API")
        if _is_from_elsewhere(values.get(b"sec-fetch-site", [])):
            file = None
        self._authorize(values.get(b"authorization", []), file)
        if self._requests >= self._requests_max:
            raise _Refusal(429, "LimitReached", "too many requests at once", "wait for others to end", 6)
        length = values.get(b"content-length", [b"0"])[0]
        if not length.isdigit() or int(length) > self._body_bytes_max:
            raise _too_large(self._body_bytes_max)

    def _authorize(self, given: list[bytes], file: str | None) -> None:
        """Compares in constant time: how long it takes says nothing about the token. Raises `_Refusal`."""
        scheme, _, shown = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        shown = shown.strip()
        if scheme.lower() == b"bearer" and hmac.compare_digest(shown, self._token):
            return
        password = _password(shown) if scheme.lower() == b"basic" else ""
        if is_key(password or shown.decode("latin-1")) and (file is None or not password):
            what = "a key to a file reads that file alone, as the password of its address"
            raise _needed(what, _SEND_IT, file)
        if not password or file is None:
            raise _needed("the token is missing or wrong", _SEND_IT, file)
        if hmac.compare_digest(password.encode("latin-1"), self._token):
            raise _needed("the token is no password: addresses are kept and shown", _MAKE_ADDRESS, file)
        try:
            if not self._grants.opens(password, file, time.time()):
                what = "the key in this address is wrong, of an earlier run, or for another file"
                raise _needed(what, _MAKE_ADDRESS, file)
        except Expired as expired:
            when = datetime.fromtimestamp(expired.at, UTC).isoformat(sep=" ", timespec="seconds")
            raise _needed(f"this address was good until {when}", _MAKE_ADDRESS, file) from None


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


def _file_read(scope: Scope) -> str | None:
    """Which file is read, if nothing else is done, as in http://warren:KEY@HOST:PORT/v1/files/CID?holder=PEER:
    with the query, in which it says from whom.
    """
    found = _FILE.fullmatch(scope["path"]) if scope["method"] in {"GET", "HEAD"} else None
    if found is None:
        return None
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{found[1]}?{query}" if query else found[1]


def _is_from_elsewhere(given: list[bytes]) -> bool:
    """Whether a browser says that this is not what its user typed, nor a page of our own."""
    return any(one not in {b"none", b"same-origin"} for one in given)


def _password(basic: bytes) -> str:
    """The password that a player sends; "" where there is none. Each byte is a character."""
    try:
        return base64.b64decode(basic, validate=True).partition(b":")[2].decode("latin-1")
    except ValueError:
        return ""


def _needed(what: str, hint: str, file: str | None) -> _Refusal:
    """Where a file is read, a client is told that it may ask its user for a password."""
    return _Refusal(401, "TokenNeeded", what, hint, challenge=b"Bearer" if file is None else _BASIC)


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
