from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import ANNA, BEN, CID

if TYPE_CHECKING:
    from tests.frontends.support import RunningApi


def search(api: RunningApi, **body: Any) -> list[dict[str, Any]]:
    response, raw = api.send("POST", "/v1/search", body)
    assert response.status == 200, raw
    return [json.loads(line) for line in raw.splitlines()]


@pytest.fixture(autouse=True)
def merges(api: RunningApi) -> None:
    api.node.merges = True


def test_hits_come_one_by_one_and_then_how_it_ended(api: RunningApi) -> None:
    *lines, last = search(api, words="old")
    newest = {line["number"]: line for line in lines if line["event"] == "hit"}
    assert newest[1] == {
        "event": "hit",
        "number": 1,
        "cid": str(CID),
        "name": "old.pdf",
        "size": 2_500_000,
        "kind": "file",
        "title": "Old maps",
        "abstract": "",
        "authors": ["Ada"],
        "domains": [],
        "tags": [],
        "licence": "",
        "score": 2.0,
        "online": True,
        "holders": [
            {
                "peer_id": str(ANNA),
                "called": f"anna (…{str(ANNA)[-8:]})",
                "name": "anna",
                "own": False,
                "paths": ["Maps/old.pdf"],
                "online": True,
                "latency_s": 0.0123,
            },
            {
                "peer_id": str(BEN),
                "called": str(BEN),
                "name": None,
                "own": False,
                "paths": ["map.pdf"],
                "online": False,
                "latency_s": None,
            },
        ],
    }
    assert (newest[2]["name"], newest[2]["kind"], newest[2]["online"]) == ("Atlas", "dir", False)
    assert {line["event"] for line in lines} <= {"hit", "progress"}
    assert last == {
        "event": "result",
        "asked": 4,
        "about": 5,
        "hits": 2,
        "in_time": True,
        "errors": [{"peer_id": str(BEN), "called": str(BEN), "message": "gone"}],
    }


def test_filters_reach_the_node(api: RunningApi) -> None:
    search(
        api,
        words='old "map"',
        suffixes=["pdf"],
        size_min=1,
        size_max=9,
        author="ada",
        domain="maps",
        online=True,
        limit=5,
        after=10,
        ttl=3,
    )
    assert api.node.searched == {
        "words": 'old "map"',
        "suffixes": ["pdf"],
        "size_min": 1,
        "size_max": 9,
        "author": "ada",
        "domain": "maps",
        "online": True,
        "limit": 5,
        "after": 10,
        "ttl": 3,
    }


def test_the_seconds_end_it(api: RunningApi) -> None:
    api.call(api.node.hold.clear)
    *_, last = search(api, words="hold", seconds=0.2)
    assert (last["in_time"], last["asked"], last["about"]) == (False, 4, 6)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"words": "x" * 501},
        {"words": "old", "limit": 0},
        {"words": "old", "limit": 501},
        {"words": "old", "ttl": 256},
        {"words": "old", "seconds": 0},
        {"words": "old", "suffixes": ["a"] * 33},
        {"words": "old", "word": "new"},
    ],
)
def test_what_cannot_be_searched_is_a_mistake(api: RunningApi, body: dict[str, Any]) -> None:
    response, raw = api.send("POST", "/v1/search", body)
    assert response.status == 400, raw
