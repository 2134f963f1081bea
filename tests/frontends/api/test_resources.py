"""The routes of resources and groups, against a node that answers at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.frontends.fake_node import ANNA, BEN, CID

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi

NOTHING = {"title": "", "abstract": "", "authors": [], "domains": [], "tags": [], "licence": ""}


def test_resources_are_edited_and_cleared(api: RunningApi) -> None:
    assert api.json("GET", "/v1/resources") == (200, {"items": []})
    ref = quote("papers/a.pdf", safe="")
    status, changed = api.json("PATCH", f"/v1/resources/{ref}", {"title": "Mine", "tags": ["x", "x"]})
    assert status == 200
    assert changed == {
        "cid": str(CID),
        "paths": ["papers/a.pdf"],
        "metadata": {**NOTHING, "title": "Mine", "authors": ["Anna"], "tags": ["x"]},
        "by_hand": ["title", "tags"],
        "seq": 7,
        "others": [
            {
                "publisher": str(BEN),
                "called": str(BEN),
                "seq": 3,
                "metadata": {**NOTHING, "title": "What Ben says"},
            }
        ],
    }
    assert api.json("GET", "/v1/resources")[1] == {"items": [changed]}
    assert api.json("GET", f"/v1/resources/{ref}") == (200, changed)
    _, emptied = api.json("PATCH", f"/v1/resources/{ref}", {"authors": [], "title": None})
    assert (emptied["metadata"]["title"], emptied["metadata"]["authors"]) == ("Mine", [])
    assert api.json("DELETE", f"/v1/resources/{ref}")[1]["metadata"]["title"] == "From the file"


def test_a_path_of_this_machine_names_a_resource(api: RunningApi) -> None:
    ref = quote("/home/anna/a b.txt", safe="")
    assert api.json("GET", f"/v1/resources/{ref}")[1]["paths"] == ["/home/anna/a b.txt"]


def test_what_cannot_be_said_is_refused(api: RunningApi) -> None:
    for body in ({"titel": "x"}, {"title": "x" * 301}, {"authors": "Anna"}, {"tags": ["x"] * 33}):
        status, problem = api.json("PATCH", "/v1/resources/a", body)
        assert (status, problem["error"]) == (400, "InputError")
    status, problem = api.json("PATCH", "/v1/resources/a", {"title": "\ud800"})
    assert (status, problem["error"]) == (400, "InputError")
    assert api.json("GET", "/v1/resources/none")[0] == 404


def test_a_share_is_said_something_of(api: RunningApi, tmp_path: Path) -> None:
    body = {"path": str(tmp_path), "metadata": {"title": "Mine", "tags": ["x"]}}
    response, raw = api.send("POST", "/v1/shares", body)
    assert response.status == 200, raw
    assert json.loads(raw.splitlines()[-1])["event"] == "result"
    _, found = api.json("GET", f"/v1/resources/{tmp_path.name}")
    assert (found["metadata"]["title"], found["by_hand"]) == ("Mine", ["title", "tags"])
    assert api.json("POST", "/v1/shares", {**body, "metadata": {"nothing": 1}})[0] == 400


def test_groups_come_and_go(api: RunningApi, tmp_path: Path) -> None:
    assert api.json("GET", "/v1/groups") == (200, {"items": []})
    status, made = api.json("POST", "/v1/groups", {"name": "family", "members": ["anna"]})
    whole = {"name": "family", "members": [{"peer_id": str(ANNA), "name": "anna"}], "shares": []}
    assert (status, made) == (201, whole)
    api.send("POST", "/v1/shares", {"path": str(tmp_path), "audience": "group:family"})
    assert api.json("GET", "/v1/shares")[1]["items"][0]["audience"] == "group:family"
    assert api.json("GET", "/v1/groups/family")[1]["shares"] == [tmp_path.name]
    assert api.json("PATCH", "/v1/groups/family", {"remove": ["anna"]})[1]["members"] == []
    assert api.json("PATCH", "/v1/groups/family", {"add": [str(ANNA)]})[1]["members"] == whole["members"]
    assert api.json("GET", "/v1/groups")[1]["items"][0]["name"] == "family"
    gone = {"removed": "family", "shares": [tmp_path.name]}
    assert api.json("DELETE", "/v1/groups/family") == (200, gone)
    for method, body in (("GET", None), ("PATCH", {"add": ["anna"]}), ("DELETE", None)):
        assert api.json(method, "/v1/groups/family", body)[0] == 404


def test_who_is_no_contact_is_in_no_group(api: RunningApi) -> None:
    status, problem = api.json("POST", "/v1/groups", {"name": "family", "members": ["ben"]})
    assert (status, problem["error"]) == (404, "PeerUnknown")
    assert api.json("POST", "/v1/groups", {"name": "family", "members": ["nobody"]})[0] == 404
    assert api.json("POST", "/v1/groups", {"name": "family", "member": ["anna"]})[0] == 400
