from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import ADDRESS, ANNA, BEN, CID, ME
from warren.core.peer_id import PeerId

if TYPE_CHECKING:
    from tests.frontends.support import RunningApi

IPNS = "/ipns/k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def post(api: RunningApi, path: str, **body: Any) -> list[dict[str, Any]]:
    response, raw = api.send("POST", f"/v1/dht/{path}", body)
    assert response.status == 200, raw
    return [json.loads(line) for line in raw.splitlines()]


def test_what_was_put_as_text_is_got_as_text_and_bytes(api: RunningApi) -> None:
    (done,) = post(api, "put", name="my näme", value="a value")
    key = f"/warren/{ME}/my näme"
    assert done == {
        "event": "result",
        "key": key,
        "key_base64": b64(key.encode()),
        "sequence": 7,
        "stored": 2,
        "asked": 3,
    }
    for wanted in ({"key": key}, {"key_base64": b64(key.encode())}, {"name": "my näme"}):
        (found,) = post(api, "get", **wanted)
        assert (found["value"], found["value_base64"]) == ("a value", b64(b"a value"))
        assert (found["peer_id"], found["sequence"]) == (str(ANNA), 7)
        assert found["called"].startswith("anna (…")


def test_bytes_come_in_base_64_and_are_null_as_text(api: RunningApi) -> None:
    (done,) = post(api, "put", name_base64=b64(b"\xff\0/ x"), value_base64=b64(b"\xfe"))
    assert done["key"] is None
    (found,) = post(api, "get", name_base64=b64(b"\xff\0/ x"))
    assert (found["key"], found["value"]) == (None, None)
    assert base64.b64decode(found["value_base64"]) == b"\xfe"
    _, listed = api.json("GET", "/v1/dht/published")
    assert listed["items"][0]["name"] is None
    assert base64.b64decode(listed["items"][0]["name_base64"]) == b"\xff\0/ x"


def test_a_name_of_a_peer(api: RunningApi) -> None:
    response, raw = api.send("POST", "/v1/dht/get", {"peer": "anna", "name": "greeting"})
    assert response.status == 404
    assert json.loads(raw)["message"] == f"nobody has a value under /warren/{ANNA}/greeting"


def test_finished_records(api: RunningApi) -> None:
    (done,) = post(api, "put-record", key=IPNS, value_base64=b64(b"record"))
    assert done["key"] == IPNS
    assert base64.b64decode(done["key_base64"]) == b"/ipns/" + PeerId.parse(IPNS[6:]).to_bytes()
    (found,) = post(api, "get", key=IPNS)
    assert (found["value"], found["peer_id"], found["called"]) == ("record", None, None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("put", {"name": "n"}),
        ("put", {"value": "v"}),
        ("put", {"name": "n", "name_base64": "bg==", "value": "v"}),
        ("put", {"name": "n", "value_base64": "?"}),
        ("put", {"name": "n", "value": "v", "else": 1}),
        ("put-record", {"key": "no key", "value_base64": ""}),
        ("get", {}),
        ("get", {"key": "/warren/x/y", "name": "n"}),
        ("get", {"key": "no key"}),
        ("find-providers", {"cid": str(CID), "count": 0}),
        ("take-back", {}),
        ("take-back", {"name": ""}),
    ],
)
def test_what_makes_no_sense_is_refused(api: RunningApi, path: str, body: Any) -> None:
    response, raw = api.send("POST", f"/v1/dht/{path}", body)
    assert response.status == 400, raw
    assert json.loads(raw)["hint"]


def test_nobody_there(api: RunningApi) -> None:
    api.node.dht.alone = True
    response, raw = api.send("POST", "/v1/dht/put", {"name": "n", "value": "v"})
    assert response.status == 502
    assert json.loads(raw)["code"] == 6


def test_providers_come_one_by_one(api: RunningApi) -> None:
    (done,) = post(api, "provide", cid=str(CID))
    assert (done["cid"], done["stored"], done["asked"]) == (str(CID), 2, 2)
    *found, last = post(api, "find-providers", cid=str(CID))
    assert [(one["peer_id"], one["addresses"]) for one in found] == [
        (str(ANNA), [f"{ADDRESS}/p2p/{ANNA}"]),
        (str(BEN), []),
    ]
    assert last == {"event": "result", "cid": str(CID), "count": 2}


def test_a_peer_is_found_by_its_petname(api: RunningApi) -> None:
    (found,) = post(api, "find-peer", peer="anna")
    assert found["addresses"] == [f"{ADDRESS}/p2p/{ANNA}"]
    assert (found["hops"], found["reached"]) == (2, True)
    assert api.json("POST", "/v1/dht/find-peer", {"peer": "nobody"})[0] == 404


def test_what_is_published_is_listed_and_taken_back(api: RunningApi) -> None:
    post(api, "put", name="n", value="v")
    post(api, "provide", cid=str(CID))
    _, listed = api.json("GET", "/v1/dht/published")
    assert [(one["kind"], one["name"], one["cid"]) for one in listed["items"]] == [
        ("record", "n", None),
        ("content", None, str(CID)),
    ]
    assert (listed["items"][0]["next_in_s"], listed["items"][1]["put_at"]) == (3600.0, None)
    assert api.json("POST", "/v1/dht/take-back", {"name": "n"}) == (200, {"taken_back": "n"})
    assert api.json("POST", "/v1/dht/take-back", {"cid": str(CID)}) == (200, {"taken_back": str(CID)})
    assert api.json("GET", "/v1/dht/published")[1] == {"items": []}
    assert api.json("POST", "/v1/dht/take-back", {"name": "n"})[0] == 404


def test_status(api: RunningApi) -> None:
    _, found = api.json("GET", "/v1/dht")
    assert (found["mode"], found["peers"]) == ("server", 2)
