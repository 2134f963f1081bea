from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import ANNA, BEN, CID, ME
from tests.frontends.support import HANGS_S
from warren.core.errors import BadContent, InputError, PeerUnknown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi


def lines(api: RunningApi, method: str, path: Any, body: Any = None) -> Any:
    response, raw = api.send(method, path, body)
    assert response.status == 200, raw
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in raw.splitlines()]


def lines_once_begun(api: RunningApi, body: Any) -> Any:
    """The lines of a transfer that goes on when its first line was read."""
    with api.opened("POST", "/v1/transfers", body) as response:
        assert response.headers["content-type"] == "application/x-ndjson"
        first = response.readline()
        api.call(api.node.hold.set)
        return [json.loads(line) for line in (first, *response.read().splitlines())]


def test_status(api: RunningApi) -> None:
    status, found = api.json("GET", "/v1/status")
    assert status == 200
    assert found["peer_id"] == str(ME)
    assert found["connected"] == 2
    assert found["contacts"] == 1
    assert found["listen"] == [f"/ip4/192.0.2.7/tcp/4101/p2p/{ME}"]


def test_stop_is_passed_on(api: RunningApi) -> None:
    assert api.json("POST", "/v1/stop", {}) == (202, {"stopping": True})
    assert api.stopped.wait(HANGS_S)


def test_events_are_lines_of_json(api: RunningApi) -> None:
    first, second = lines(api, "GET", "/v1/events")
    assert first == {"event": "PeerConnected", "peer": str(ANNA)}
    assert second["socket"] == {
        "peer_id": str(ANNA),
        "direction": "outbound",
        "remote_addr": "/ip4/192.0.2.7/tcp/4101",
    }
    assert second["raw"] == "01"
    assert second["several"] == [str(ANNA)]
    assert second["named"] == {"a": 1}


def test_invite_and_join(api: RunningApi) -> None:
    assert api.json("POST", "/v1/invites", {"uses": 3})[1]["code"] == "warren13"
    status, contact = api.json("POST", "/v1/join", {"code": "warren1x"})
    assert (status, contact["name"], contact["own_name"]) == (201, "anna", "Anna A.")


def test_ping_streams_each_round_trip(api: RunningApi) -> None:
    *each, summary = lines(api, "POST", "/v1/ping", {"peer": "anna", "count": 3, "interval_s": 0})
    assert [one["number"] for one in each] == [1, 2, 3]
    assert summary["event"] == "result"
    assert summary["median_ms"] == 0.5


def test_ping_dials_an_address(api: RunningApi) -> None:
    found = lines(api, "POST", "/v1/ping", {"peer": "/ip4/192.0.2.1/tcp/1", "count": 1})
    assert found[-1]["peer_id"] == str(BEN)


def test_speedtest(api: RunningApi) -> None:
    first, *progress, result = lines(api, "POST", "/v1/speedtest", {"peer": "anna", "seconds": 1})
    assert (first["phase"], first["called"][:4]) == ("waiting", "anna")
    assert [(one["event"], one["phase"], one["share"]) for one in progress] == [
        ("progress", "upload", 0.25),
        ("progress", "download", 0.75),
    ]
    assert progress[0]["bytes_per_s"] == 200_000_000
    assert result["download_bytes_per_s"] == 300_000_000


def test_share_list_and_unshare(api: RunningApi, tmp_path: Path) -> None:
    folder = tmp_path / "Photos"
    folder.mkdir()
    *_, shared = lines(api, "POST", "/v1/shares", {"path": str(folder), "audience": "peer:anna"})
    assert shared["cid"] == str(CID)
    assert shared["audience"] == "anna"
    assert shared["skipped"] == [{"path": "link", "reason": "leads out of the share"}]
    assert api.json("GET", "/v1/shares")[1]["items"][0]["name"] == "Photos"
    assert api.json("DELETE", f"/v1/shares/{str(folder).replace('/', '%2F')}")[0] == 200
    assert api.json("GET", "/v1/shares")[1] == {"items": []}
    *_, replica = lines(api, "POST", "/v1/shares", {"path": str(folder), "audience": "origin:anna"})
    assert replica["audience"] == "origin:anna"


def test_a_long_listing_comes_whole(api: RunningApi) -> None:
    _, found = api.json("GET", "/v1/files?peer=anna&path=many")
    assert [one["name"] for one in found["items"]] == [f"f{i}" for i in range(1001)]
    assert found["items"][7]["ref"] == f"{ANNA}/many/f7"


def test_get_streams_progress_and_ends_with_the_path(api: RunningApi, tmp_path: Path) -> None:
    api.call(api.node.hold.clear)
    found = lines_once_begun(api, {"ref": "anna/a", "output": str(tmp_path)})
    assert found[0]["event"] == "progress"
    assert found[0]["phase"] == "fetching"
    assert found[-1]["event"] == "result"
    assert found[-1]["path"] == str(tmp_path / "a")


def test_an_error_before_the_first_byte_has_its_own_status(api: RunningApi) -> None:
    api.node.without_content = {str(ANNA): BadContent(ANNA, CID)}
    status, found = api.json("GET", f"/v1/files/{CID}?holder=anna")
    assert status == BadContent.http_status
    assert found["error"] == "BadContent"
    assert found["code"] == 7
    assert f"peer anna (…{str(ANNA)[-8:]})" in found["message"]


def test_an_error_within_a_stream_is_its_last_line(api: RunningApi) -> None:
    api.call(api.node.hold.clear)
    found = lines_once_begun(api, {"ref": "anna/bad"})
    assert found[0]["event"] == "progress"
    assert found[-1]["event"] == "error"
    assert found[-1]["error"] == "BadContent"


def test_going_away_cancels_the_work(api: RunningApi) -> None:
    api.call(api.node.hold.clear)
    stream = api.client.stream("POST", "transfers", body={"ref": "anna/slow"})
    assert next(stream)["event"] == "progress"
    stream.close()
    deadline = time.monotonic() + HANGS_S
    while not api.call(lambda: api.node.cancelled):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/v1/peers/nobody", None, 404, "PeerUnknown"),
        ("GET", "/v1/peers/12D3", None, 409, "Ambiguous"),
        ("POST", "/v1/join", {"code": "hello"}, 400, "InvalidCode"),
        ("POST", "/v1/join", {"kode": "warren1"}, 400, "InputError"),
        ("POST", "/v1/join", ["warren1"], 400, "InputError"),
        ("POST", "/v1/invites", {"uses": 0}, 400, "InputError"),
        ("POST", "/v1/shares", {"path": "relative"}, 400, "InputError"),
        ("POST", "/v1/shares", {"path": "/a\0b"}, 400, "InputError"),
        ("POST", "/v1/transfers", {"ref": "anna/a", "output": "/a\0b"}, 400, "InputError"),
        ("POST", "/v1/shares", {"path": "/no/such/path"}, 507, "SourceVanished"),
        ("POST", "/v1/shares", {"path": "/", "audience": "friends"}, 400, "InputError"),
        ("POST", "/v1/ping", {"peer": "nobody"}, 404, "PeerUnknown"),
        ("DELETE", "/v1/shares/nothing", None, 404, "ContentUnknown"),
        ("GET", "/v1/nowhere", None, 404, "NotFound"),
        ("PUT", "/v1/status", None, 405, "WrongMethod"),
    ],
)
def test_errors_are_documents(
    api: RunningApi, method: str, path: Any, body: Any, status: int, error: Any
) -> None:
    found_status, found = api.json(method, path, body)
    assert (found_status, found["error"]) == (status, error)
    assert found["message"]
    assert found["code"] != 0


def test_ambiguity_lists_the_candidates(api: RunningApi) -> None:
    assert api.json("GET", "/v1/peers/12D3")[1]["candidates"] == [f"anna ({ANNA})", str(BEN)]


def test_broken_json_is_told(api: RunningApi) -> None:
    response, raw = api.request("POST", "/v1/join", b"{", {"Content-Type": "application/json"})
    assert response.status == 400
    found = json.loads(raw)
    assert found["error"] == "InputError"
    assert found["message"].startswith("the request's body is not JSON: ")


def test_a_body_that_does_not_say_it_is_json_is_refused(api: RunningApi) -> None:
    """A form on a web page can send such a body; it cannot send JSON without asking first."""
    response, raw = api.request("POST", "/v1/join", b'{"code": "warren1"}', {"Content-Type": "text/plain"})
    assert response.status == 400
    assert "Content-Type: application/json" in json.loads(raw)["message"]


def test_a_bug_is_logged_and_not_shown(
    api: RunningApi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.node.network, "peers", None)
    status, found = api.json("GET", "/v1/status")
    assert (status, found["error"]) == (500, "InternalError")
    assert "NoneType" not in json.dumps(found)
    assert any(record.exc_info for record in caplog.records)


def test_openapi_describes_everything(api: RunningApi) -> None:
    status, found = api.json("GET", "/openapi.json")
    assert status == 200
    assert "/v1/transfers" in found["paths"]
    assert "/v1/peer-list" in found["paths"]
    for path in found["paths"].values():
        for operation in path.values():
            assert operation.get("description") or operation["summary"]


def test_the_client_raises_the_error_that_the_node_met(api: RunningApi) -> None:
    with pytest.raises(PeerUnknown, match="no peer goes by 'nobody'") as caught:
        api.client.get("peers", "nobody")
    assert caught.value.hint
    with pytest.raises(InputError):
        list(api.client.stream("POST", "ping", body={}))
    with pytest.raises(BadContent):
        list(api.client.stream("POST", "transfers", body={"ref": "anna/bad"}))


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/v1/nowhere", {}, 404, 4),
        ("GET", "/v1/peers/nobody", {}, 404, 4),
        ("PUT", "/v1/status", {}, 405, 2),
        ("GET", "/v1/status", {"Authorization": "Bearer wrong"}, 401, 2),
        ("GET", "/v1/status", {"Host": "example.com"}, 421, 2),
        ("GET", "/v1/status", {"Origin": "http://example.com"}, 403, 2),
        ("POST", "/v1/join", {"Content-Length": "99999999"}, 413, 2),
    ],
)
def test_codes_are_those_of_the_command_line(
    api: RunningApi, method: str, path: str, headers: Any, status: int, code: int
) -> None:
    response, raw = api.request(method, path, None, headers)
    assert (response.status, json.loads(raw)["code"]) == (status, code)


def test_contacts_are_named_in_messages_and_hints_but_not_in_addresses(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def list_files(*_: Any) -> Any:
        raise PeerUnknown(f"{ANNA} and {BEN} at /ip4/1.2.3.4/tcp/1/p2p/{ANNA}", hint=f"warren ls {ANNA}")

    monkeypatch.setattr(api.node, "list_files", list_files)
    _, found = api.json("GET", "/v1/files?peer=anna")
    tail = str(ANNA)[-8:]
    assert found["message"] == f"anna (…{tail}) and {BEN} at /ip4/1.2.3.4/tcp/1/p2p/{ANNA}"
    assert found["hint"] == "warren ls anna"
