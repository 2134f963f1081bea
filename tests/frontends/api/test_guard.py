"""Who is turned away, over a real socket."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import ANNA, CID
from tests.frontends.support import HANGS_S, TOKEN, running_api
from warren.config import ApiConfig
from warren.core.cid import Cid
from warren.core.errors import ContentUnknown
from warren.frontends.api import guard as guard_module
from warren.frontends.api import server as server_module
from warren.frontends.api.grants import Grants

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi

FILE = f"/v1/files/{CID}"


def refused(api: RunningApi, status: int, error: Any, **headers: Any) -> Any:
    response, raw = api.request(
        "GET", "/v1/status", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    assert response.status == status
    assert json.loads(raw)["error"] == error
    assert response.headers["connection"] == "close"
    assert "access-control-allow-origin" not in response.headers
    return response


def test_no_token(api: RunningApi) -> None:
    response = refused(api, 401, "TokenNeeded", Authorization=None)
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "given",
    [
        "Bearer wrong",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xe9",
    ],
)
def test_a_wrong_token(api: RunningApi, given: Any) -> None:
    refused(api, 401, "TokenNeeded", Authorization=given)


def test_openapi_needs_the_token_too(api: RunningApi) -> None:
    response, _ = api.request("GET", "/openapi.json", headers={"Authorization": None})
    assert response.status == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_foreign_host(api: RunningApi, host: Any) -> None:
    refused(api, 421, "WrongHost", Host=host)


def test_two_hosts(api: RunningApi) -> None:
    said = raw(api, f"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nHost: evil\r\n\r\n")
    assert b"200" not in said.splitlines()[0]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_our_own_names(api: RunningApi, name: str) -> None:
    response, _ = api.request("GET", "/v1/status", headers={"Host": f"{name}:{api.port}"})
    assert response.status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://localhost"]
)
def test_a_foreign_origin(api: RunningApi, origin: Any) -> None:
    refused(api, 403, "ForeignOrigin", Origin=origin.format(port=api.port))


def test_our_own_origin(api: RunningApi) -> None:
    response, _ = api.request("GET", "/v1/status", headers={"Origin": f"http://localhost:{api.port}"})
    assert response.status == 200


def test_a_preflight_is_not_answered(api: RunningApi) -> None:
    response, _ = api.request("OPTIONS", "/v1/status", headers={"Origin": "http://evil.example"})
    assert response.status == 403


def test_a_long_body_is_refused_by_its_announced_length(api: RunningApi) -> None:
    said = raw(api, head(api, "Content-Length: 99999999"))
    assert said.startswith(b"HTTP/1.1 413")


def test_a_long_body_without_length_is_refused_when_it_is_too_long(tmp_path: Path) -> None:
    with running_api(tmp_path / "h", ApiConfig(body_bytes_max=1000)) as api:
        chunk = b"400\r\n" + b"x" * 0x400 + b"\r\n"
        said = raw(api, head(api, "Transfer-Encoding: chunked").encode() + chunk)
        assert said.startswith(b"HTTP/1.1 413")
        assert api.json("GET", "/v1/status")[0] == 200


def test_a_body_that_does_not_come_is_given_up(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "BODY_TIMEOUT_S", 0.1)
    assert raw(api, head(api, "Content-Length: 10")).startswith(b"HTTP/1.1 408")


def test_a_head_that_does_not_come_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEAD_TIMEOUT_S", 0.1)
    with running_api(tmp_path / "h") as api:
        assert raw(api, "GET /v1/st") == b""


def test_a_head_without_end_is_refused(api: RunningApi) -> None:
    said = raw(api, "GET / HTTP/1.1\r\nX: " + "x" * 100_000)
    assert said.startswith(b"HTTP/1.1 4")


def test_strangers_cannot_hold_all_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEAD_TIMEOUT_S", 0.2)
    with running_api(tmp_path / "h", ApiConfig(requests_max=2)) as api:
        held = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(20)]
        try:
            deadline = time.monotonic() + HANGS_S
            while True:
                try:
                    assert api.json("GET", "/v1/status")[0] == 200
                    break
                except (ConnectionError, OSError):
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
        finally:
            for one in held:
                one.close()


def test_too_many_requests_at_once(tmp_path: Path) -> None:
    with running_api(tmp_path / "h", ApiConfig(requests_max=2)) as api:
        api.call(api.node.hold.clear)
        streams = [api.client.stream("POST", "transfers", body={"ref": f"anna/{i}"}) for i in range(2)]
        threads = [threading.Thread(target=next, args=(stream,)) for stream in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        refused(api, 429, "LimitReached")
        api.call(api.node.hold.set)
        assert [list(stream)[-1]["event"] for stream in streams] == ["result", "result"]
        assert api.json("GET", "/v1/status")[0] == 200


def test_websockets_are_refused(api: RunningApi) -> None:
    upgrade = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA=="
    )
    assert not raw(api, head(api, upgrade, "GET")).startswith(b"HTTP/1.1 101")


def head(api: RunningApi, line: Any, method: str = "POST") -> Any:
    known = f"Host: 127.0.0.1:{api.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
    return f"{method} /v1/join HTTP/1.1\r\n{known}{line}\r\n\r\n"


def raw(api: RunningApi, data: Any) -> Any:
    """Send bytes as they are, and read until the server closes or answers and keeps still."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
        connection.sendall(data if isinstance(data, bytes) else data.encode())
        said = b""
        try:
            while piece := connection.recv(65536):
                said += piece
                if b"\r\n\r\n" in said:
                    break
        except ConnectionResetError:
            pass
        return said


# --- a password in the address, for players ----------------------------------------------------------------


OTHER = Cid.raw_sha256(bytes(range(32)))


FAR, LONG_AGO = 4_000_000_000, 1_000_000_000
"""Seconds since 1970: when the keys of these tests were made."""


def key(cid: Cid = CID, more: str = "", *, secret: str = TOKEN, made_at: float = FAR) -> str:
    return Grants(secret).make(f"{cid}{more}", made_at)[0]


def basic(password: str | None = None, user: str = "warren") -> str:
    return "Basic " + base64.b64encode(f"{user}:{key() if password is None else password}".encode()).decode()


def asked(api: RunningApi, method: str, path: str, given: str | None, **more: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in more.items()}
    return api.request(method, path, headers={"Authorization": given, **sent})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("user", ["warren", "", "any"])
def test_a_file_is_read_with_its_key_as_password(api: RunningApi, method: str, user: str) -> None:
    response, raw = asked(api, method, FILE, basic(user=user))
    assert (response.status, raw) == (200, b"content\n" if method == "GET" else b"")


@pytest.mark.parametrize(
    "given",
    [
        None,
        basic("wrong"),
        basic(""),
        basic(TOKEN),
        basic(key() + "x"),
        basic(key()[:-1]),
        basic(key(), "warren:x"),
        basic(key(OTHER)),
        basic(key(secret="another run's token")),
        basic(key(made_at=LONG_AGO)),
        basic(key(made_at=LONG_AGO).replace("file-1", "file-4")),
        "Basic " + base64.b64encode(key().encode()).decode(),
        f"Bearer {key()}",
        basic().replace("Basic ", "Basic !"),
        "Basic \xe9",
        "Basic",
        f"Basic {key()}",
        "Digest " + basic()[6:],
    ],
)
def test_a_wrong_password_says_what_a_player_may_send(api: RunningApi, given: str | None) -> None:
    response, raw = asked(api, "GET", FILE, given)
    assert (response.status, json.loads(raw)["error"]) == (401, "TokenNeeded")
    assert response.headers["www-authenticate"] == 'Basic realm="warren", charset="UTF-8"'
    assert api.node.opened == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (basic(TOKEN), "the token is no password: addresses are kept and shown"),
        (basic(key(OTHER)), "the key in this address is wrong, of an earlier run, or for another file"),
        (basic("wrong"), "the key in this address is wrong, of an earlier run, or for another file"),
        (basic(key(made_at=LONG_AGO)), "this address was good until 2001-09-10 01:46:40+00:00"),
        (f"Bearer {key()}", "a key to a file reads that file alone, as the password of its address"),
        (None, "the token is missing or wrong"),
    ],
)
def test_who_may_not_read_a_file_is_told_why(api: RunningApi, given: str | None, why: str) -> None:
    said = json.loads(asked(api, "GET", FILE, given)[1])
    assert said["message"].startswith(why)
    assert ("warren get REF --url" in said["hint"]) == (given not in (None, f"Bearer {key()}"))


def test_a_range_is_read_with_a_key(api: RunningApi) -> None:
    named = key(more="?name=film.mkv")
    response, raw = asked(api, "GET", f"{FILE}?name=film.mkv", basic(named), Range="bytes=2-3")
    assert (response.status, raw) == (206, b"nt")


@pytest.mark.parametrize("given", [basic(), f"Bearer {key()}"])
def test_a_key_that_is_shown_elsewhere_says_what_it_is_for(api: RunningApi, given: str) -> None:
    said = json.loads(asked(api, "GET", "/v1/status", given)[1])
    assert said["message"] == "a key to a file reads that file alone, as the password of its address"


def test_a_key_is_for_the_holders_that_it_was_made_for(api: RunningApi) -> None:
    """Else who sees the address could let the node look up names and dial peers."""
    one = key(more="?holder=anna")
    for path in (FILE, f"{FILE}?holder=ben", f"{FILE}?holder=anna&holder=ben", f"{FILE}?holder=anna&"):
        assert asked(api, "GET", path, basic(one))[0].status == 401
    assert asked(api, "GET", f"{FILE}?holder=anna", basic())[0].status == 401


def test_no_refusal_nor_log_holds_a_key(api: RunningApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    api.node.without_content[str(ANNA)] = ContentUnknown("nobody has it")
    more = "?holder=anna"
    shown = [key(OTHER, more), key(more=more, made_at=LONG_AGO), key(more=more)]
    answers = [asked(api, "GET", FILE + more, basic(one)) for one in shown]
    assert [response.status for response, _ in answers] == [401, 401, 404]
    for _, raw in answers:
        assert not any(one[-43:].encode() in raw for one in shown)
    assert not any(one[-43:] in caplog.text for one in shown)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/status"),
        ("GET", "/v1/files"),
        ("GET", "/v1/files/"),
        ("GET", "/v1/files?peer=anna"),
        ("GET", f"{FILE}/"),
        ("GET", "/v1/files/../status"),
        ("GET", "/v1/files/%2e%2e/status"),
        ("GET", "/v1/files/..%2fstatus"),
        ("GET", "/v1/files/%2e%2e%2fstatus"),
        ("GET", "/v1/files%2F..%2Fstatus"),
        ("GET", "/v1//files/x"),
        ("GET", "//v1/files/x"),
        ("GET", "/V1/files/x"),
        ("GET", "/v1/status#/v1/files/x"),
        ("GET", "/v1/status?/v1/files/x"),
        ("GET", "/v1/filesx/x"),
        ("GET", "/openapi.json"),
        ("POST", FILE),
        ("POST", f"{FILE}/address"),
        ("GET", f"{FILE}/address"),
        ("DELETE", FILE),
        ("PATCH", FILE),
        ("OPTIONS", FILE),
        ("POST", "/v1/join"),
        ("DELETE", "/v1/shares/x"),
    ],
)
def test_a_password_opens_nothing_else(api: RunningApi, method: str, path: str) -> None:
    response, raw = asked(api, method, path, basic())
    assert (response.status, json.loads(raw)["error"]) == (401, "TokenNeeded")
    assert response.headers["www-authenticate"] == "Bearer"


def test_an_encoded_dot_is_a_content_id_and_no_path(api: RunningApi) -> None:
    for path in ("/v1/files/%2e%2e", "/v1/files/.."):
        response, raw = asked(api, "GET", path, f"Bearer {TOKEN}")
        assert (response.status, json.loads(raw)["error"]) == (400, "InvalidCid")
        assert asked(api, "GET", path, basic())[0].status == 401


@pytest.mark.parametrize("site", ["cross-site", "same-site", "elsewhere"])
def test_no_page_of_others_embeds_a_file_by_the_password_that_a_browser_kept(
    api: RunningApi, site: str
) -> None:
    response, _ = asked(api, "GET", FILE, basic(), Sec_Fetch_Site=site)
    assert response.status == 401
    assert response.headers["www-authenticate"] == "Bearer", "no browser asks its user for it"
    assert api.node.opened == []


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_a_browser_reads_a_file_where_its_user_typed_the_address(api: RunningApi, site: str) -> None:
    assert asked(api, "GET", FILE, basic(), Sec_Fetch_Site=site)[0].status == 200


def test_a_password_helps_no_foreign_host_nor_origin(api: RunningApi) -> None:
    assert asked(api, "GET", FILE, basic(), Host="evil.example")[0].status == 421
    assert asked(api, "GET", FILE, basic(), Origin="http://evil.example")[0].status == 403
