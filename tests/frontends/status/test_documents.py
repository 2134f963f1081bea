"""What the status listener says, checked by a parser that is not ours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.frontends.status.snapshot import SNAPSHOT
from warren.frontends.status.documents import Metrics, server_info

if TYPE_CHECKING:
    from warren.services.status.board import Snapshot


def samples(
    now: Snapshot | None, *, ready: bool = True
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = Metrics().text(now, ready=ready).decode()
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert all(sample.name.startswith("warren_") for sample in found)
    return {(sample.name, tuple(sample.labels.items())): sample.value for sample in found}


def test_the_metrics_are_the_numbers_of_the_node() -> None:
    found = samples(SNAPSHOT)
    plain = {name: value for (name, labels), value in found.items() if not labels}
    assert plain["warren_ready"] == 1
    assert plain["warren_uptime_seconds"] == 12.5
    assert (plain["warren_peers_connected"], plain["warren_peers_known"]) == (3, 40)
    assert (plain["warren_streams"], plain["warren_sockets_handshaking"]) == (7, 1)
    assert (plain["warren_discovery_dials_total"], plain["warren_discovery_met_total"]) == (5, 4)
    assert found["warren_traffic_bytes_total", (("direction", "in"),)] == 1000
    assert found["warren_sockets", (("direction", "outbound"),)] == 1
    assert found["warren_sockets_opened_total", (("direction", "inbound"),)] == 9
    assert found["warren_sockets_refused_total", (("limit", "per_ip_max"),)] == 2
    assert found["warren_dht_mode", (("mode", "server"),)] == 1
    assert found["warren_dht_mode", (("mode", "off"),)] == 0
    assert (plain["warren_dht_peers"], plain["warren_dht_records"]) == (17, 3)
    assert (plain["warren_presence_online"], plain["warren_presence_held_offline"]) == (12, 2)
    assert plain["warren_presence_votes"] == 7
    labels = (("direction", "out"), ("kind", "hits"), ("protocol", "directory"))
    assert found["warren_messages_total", labels] == 8


def test_without_a_node_there_is_only_that_it_is_not_ready() -> None:
    assert samples(None, ready=False) == {("warren_ready", ()): 0.0}


def test_nodes_of_one_process_do_not_meet_in_a_registry() -> None:
    one, other = Metrics(), Metrics()
    assert one.text(SNAPSHOT, ready=True) != other.text(replace(SNAPSHOT, uptime_s=1.0), ready=True)
    assert one.text(SNAPSHOT, ready=True) == one.text(SNAPSHOT, ready=True)


def test_server_info_is_the_same_as_json() -> None:
    found = json.loads(server_info(SNAPSHOT, ready=True))
    assert found["peer_id"] == str(SNAPSHOT.peer_id)
    assert found["addresses"] == [str(address) for address in SNAPSHOT.addresses]
    assert found["peers"] == {"connected": 3, "known": 40}
    assert found["sockets"]["refused"] == {"per_ip_max": 2}
    assert found["traffic"] == {"bytes_in": 1000, "bytes_out": 2000}
    assert found["messages"] == {"directory": {"query": {"in": 5}, "hits": {"out": 8}}}
    assert found["presence"] == {"online": 12, "held_offline": 2, "votes": 7}
    assert found["dht"] == {"mode": "server", "peers": 17, "records": 3, "providers": 2}
    assert (found["ready"], found["roles"], found["uptime_s"]) == (True, ["dht"], 12.5)
