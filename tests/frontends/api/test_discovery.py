from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.fake_node import ADDRESS, ANNA, BEN
from tests.frontends.support import HANGS_S

if TYPE_CHECKING:
    from tests.frontends.support import RunningApi


def discover(api: RunningApi, **body: Any) -> list[dict[str, Any]]:
    response, raw = api.send("POST", "/v1/discover", body)
    assert response.status == 200, raw
    return [json.loads(line) for line in raw.splitlines()]


def test_who_is_found_comes_one_by_one_until_the_seconds_are_over(api: RunningApi) -> None:
    begin, *found, last = discover(api, namespace="chess", seconds=0.2)
    assert begin == {
        "event": "begin",
        "namespace": "chess",
        "sources": [
            {"name": "mdns", "active": False, "note": "listens on no local link"},
            {"name": "dht", "active": True, "note": "provider records"},
        ],
    }
    assert [(one["event"], one["peer_id"], one["addresses"], one["source"]) for one in found] == [
        ("progress", str(ANNA), [f"{ADDRESS}/p2p/{ANNA}"], "dht"),
        ("progress", str(BEN), [f"{ADDRESS}/p2p/{BEN}"], "mdns"),
        ("progress", None, [str(ADDRESS)], "dns"),
    ]
    assert found[0]["called"].startswith("anna (…")
    assert found[2]["called"] is None
    assert last == {"event": "result", "namespace": "chess", "count": 3}
    assert api.call(lambda: api.node.discovery.searches) == 0


def test_without_a_name_it_is_the_network_of_the_node(api: RunningApi) -> None:
    begin, *_, last = discover(api, seconds=0.1)
    assert begin["namespace"] == last["namespace"] == "warren"
    assert [one["name"] for one in begin["sources"]] == ["bootstrap", "mdns", "dht"]


@pytest.mark.parametrize("advertise", [True, False])
def test_the_node_is_found_there_as_long_as_the_client_stays(api: RunningApi, advertise: bool) -> None:
    discovery = api.node.discovery
    with api.opened("POST", "/v1/discover", {"namespace": "chess", "advertise": advertise}) as response:
        assert json.loads(response.readline())["event"] == "begin"
        assert json.loads(response.readline())["peer_id"] == str(ANNA)
        assert (discovery.advertised_now, discovery.searches) == (["chess"] * advertise, 1)
        response.close()
    assert discovery.idle.wait(HANGS_S)


@pytest.mark.parametrize(
    "body",
    [
        {"namespace": ""},
        {"namespace": " "},
        {"namespace": "x" * 1025},
        {"namespace": 1},
        {"seconds": 0},
        {"seconds": 1e9},
        {"advertise": "perhaps"},
        {"else": 1},
    ],
)
def test_what_makes_no_sense_is_refused(api: RunningApi, body: Any) -> None:
    response, raw = api.send("POST", "/v1/discover", body)
    assert response.status == 400, raw
    assert json.loads(raw)["hint"]
