"""The routes of the peer table, over HTTP to a node that answers at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import ANNA, BEN
from tests.frontends.fake_peers import SEEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi


def lines(api: RunningApi, method: str, path: str, body: Any = None) -> Any:
    response, raw = api.send(method, path, body)
    assert response.status == 200, raw
    return [json.loads(line) for line in raw.splitlines()]


def test_peers_are_contacts_first_then_connected(api: RunningApi) -> None:
    _, found = api.json("GET", "/v1/peers")
    assert [(one["peer_id"], one["name"]) for one in found["items"]] == [
        (str(ANNA), "anna"),
        (str(BEN), None),
    ]
    first = found["items"][0]
    assert (first["rtt_ms"], first["latency_ms"], first["jitter_ms"], first["latency_at"]) == (
        12.3,
        20.0,
        1.0,
        SEEN,
    )
    assert first["addresses"] == ["/ip4/192.0.2.7/tcp/4101"]
    assert (first["download_bytes_per_s"], first["upload_bytes_per_s"], first["upload_at"]) == (
        12_500_000.0,
        None,
        None,
    )
    assert (found["total"], found["offset"], found["leads"]) == (2, 0, 1)


def test_peers_come_in_pages(api: RunningApi) -> None:
    api.node.peers.strangers = 500
    _, found = api.json("GET", "/v1/peers?offset=400&limit=50")
    assert (len(found["items"]), found["total"], found["offset"]) == (50, 502, 400)
    assert len(api.json("GET", "/v1/peers")[1]["items"]) == 100
    first = api.json("GET", "/v1/peers?sort=latency&limit=2")[1]["items"]
    assert [one["peer_id"] for one in first] == [str(BEN), str(ANNA)]
    for wrong in ("sort=size", "limit=0", "limit=201", "offset=-1", "limit=many"):
        assert api.json("GET", f"/v1/peers?{wrong}")[0] == 400


def test_a_peer_is_shown_added_renamed_and_removed(api: RunningApi) -> None:
    assert api.json("GET", "/v1/peers/anna")[1]["peer_id"] == str(ANNA)
    status, added = api.json("POST", "/v1/peers", {"peer": f"/ip4/1.2.3.4/tcp/1/p2p/{BEN}", "name": "ben"})
    assert (status, added["name"]) == (201, "ben")
    assert api.json("POST", "/v1/peers", {"peer": "ben", "name": "benjamin"})[1]["name"] == "benjamin"
    assert api.json("PATCH", "/v1/peers/ben", {"name": "b"})[1]["name"] == "b"
    status, removed = api.json("DELETE", "/v1/peers/ben")
    assert (status, removed["removed"]) == (200, str(BEN))
    assert api.json("PATCH", "/v1/peers/ben", {"name": "b"})[0] == 404


def test_whoever_is_no_contact_is_forgotten_too(api: RunningApi) -> None:
    assert api.json("DELETE", f"/v1/peers/{BEN}")[1]["removed"] == str(BEN)
    status, found = api.json("DELETE", f"/v1/peers/{BEN}")
    assert (status, found["error"]) == (404, "PeerUnknown")


def test_an_imported_address_is_forgotten_by_itself(api: RunningApi) -> None:
    path = "/v1/peers/%2Fip4%2F192.0.2.7%2Ftcp%2F4101"
    assert api.json("DELETE", path)[1]["removed"] == "/ip4/192.0.2.7/tcp/4101"
    assert api.json("DELETE", path)[0] == 404
    assert api.json("DELETE", f"{path}%2Fp2p%2F{BEN}")[1]["removed"] == str(BEN)
    assert api.json("DELETE", "/v1/peers/%2Fnowhere")[0] == 400


def test_a_peer_is_blocked_and_unblocked(api: RunningApi) -> None:
    status, found = api.json("POST", "/v1/blocks", {"peer": "anna"})
    assert (status, found["peer_id"], found["blocked"], found["changed"]) == (201, str(ANNA), True, True)
    assert not api.json("POST", "/v1/blocks", {"peer": "anna"})[1]["changed"]
    assert api.json("GET", "/v1/peers/anna")[1]["blocked"]
    assert api.json("DELETE", "/v1/blocks/anna")[1]["changed"]
    assert not api.json("DELETE", "/v1/blocks/anna")[1]["changed"]
    assert api.json("POST", "/v1/blocks", {"peer": "nobody"})[0] == 404


def test_a_list_is_taken_in(api: RunningApi, tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    file.write_text('{"a": 1, "b": 2}')
    for body in ({"path": str(file)}, {"text": '{"a": 1, "b": 2}'}):
        *_, report = lines(api, "POST", "/v1/peer-list", body)
        assert report["event"] == "result"
        assert (report["added"], report["leads"], report["skipped"], report["problem_count"]) == (2, 1, 2, 5)
        assert report["problems"][0] == {"line": 3, "text": "it is no JSON"}


@pytest.mark.parametrize(
    "body",
    [{}, {"path": "relative"}, {"path": "/a\0b"}, {"path": "/a", "text": "{}"}, {"text": "hello"}, {"p": 1}],
)
def test_what_is_no_list_is_refused(api: RunningApi, body: Any) -> None:
    status, found = api.json("POST", "/v1/peer-list", body)
    assert (status, found["error"]) == (400, "InputError")


def test_the_table_is_written_as_a_list(api: RunningApi) -> None:
    begin, entry, left_out, result = lines(api, "GET", "/v1/peer-list?form=classic")
    assert json.loads(begin["head"] + begin["tail"]) == {"ip_address": []}
    assert entry["entry"]["form"] == "classic"
    assert left_out["reason"] == "no IPv4 address, only IPv6"
    assert result == {"event": "result", "form": "classic", "entries": 1, "left_out": 1}
    assert (
        json.loads("".join(lines(api, "GET", "/v1/peer-list")[0][end] for end in ("head", "tail")))["peers"]
        == []
    )
    assert api.json("GET", "/v1/peer-list?form=xml")[0] == 400


def test_the_node_says_something_of_itself(api: RunningApi) -> None:
    assert api.json("GET", "/v1/metadata")[1] == {"entries": {}}
    assert api.json("POST", "/v1/metadata", {"key": "a/b", "value": "c d"})[1] == {"entries": {"a/b": "c d"}}
    assert api.json("DELETE", "/v1/metadata/a%2Fb")[1] == {"entries": {}}
    status, found = api.json("DELETE", "/v1/metadata/a")
    assert (status, found["error"]) == (404, "NotFound")
    for key, value in (("", "x"), ("k" * 65, "x"), ("k", "x" * 257)):
        status, found = api.json("POST", "/v1/metadata", {"key": key, "value": value})
        assert (status, found["hint"]) == (400, "keep a few short facts; a share holds more")
