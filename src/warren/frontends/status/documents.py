"""What the status listener says: `/server_info` as a document, `/metrics` as text for Prometheus.

In:  a `Snapshot`, or None as long as there is no node. Out: bytes. Nothing of any other peer is in them, no
name of the user, no path of the machine.
Spec of the text: https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from warren.network.counts import Sort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from warren.services.status.board import Snapshot


def server_info(now: Snapshot, *, ready: bool) -> bytes:
    """One JSON object."""
    counts = now.counts
    document: dict[str, Any] = {
        "peer_id": str(now.peer_id),
        "agent": now.agent,
        "uptime_s": round(now.uptime_s, 3),
        "ready": ready,
        "addresses": [str(address) for address in now.addresses],
        "roles": list(now.roles),
        "peers": {"connected": counts.peers, "known": now.peers_known},
        "sockets": {
            "inbound": counts.inbound,
            "outbound": counts.outbound,
            "handshaking": counts.handshakes,
            "opened": dict(sorted(counts.opened.items())),
            "refused": dict(sorted(counts.refused.items())),
        },
        "streams": counts.streams,
        "traffic": {"bytes_in": counts.bytes_in, "bytes_out": counts.bytes_out},
        "messages": _by_protocol(counts.messages),
        "dht": {
            "mode": now.dht.mode,
            "peers": now.dht.peers,
            "records": now.dht.records,
            "providers": now.dht.providers,
        },
        "discovery": {
            "found": now.discovery.found,
            "tried": now.discovery.tried,
            "met": now.discovery.met,
        },
        "presence": {
            "online": now.presence.online,
            "held_offline": now.presence.held_offline,
            "votes": now.presence.votes,
        },
    }
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _by_protocol(messages: Mapping[Sort, int]) -> dict[str, dict[str, dict[str, int]]]:
    document: dict[str, dict[str, dict[str, int]]] = {}
    for (protocol, kind, direction), count in sorted(messages.items()):
        document.setdefault(protocol, {}).setdefault(kind, {})[direction] = count
    return document


class Metrics(Collector):
    """The metrics of one node, in a registry of their own: several nodes may live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._now: Snapshot | None = None
        self._ready = False
        self._registry.register(self)

    def text(self, now: Snapshot | None, *, ready: bool) -> bytes:
        """The text of one scrape."""
        self._now, self._ready = now, ready
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """What `generate_latest` asks for."""
        yield _gauge("ready", "1 while peers can connect, else 0.", self._ready)
        if self._now is not None:
            yield from _of_node(self._now)


def _of_node(now: Snapshot) -> Iterator[Metric]:
    info = GaugeMetricFamily("warren_info", "Always 1; says what runs.", labels=("peer_id", "agent"))
    info.add_metric((str(now.peer_id), now.agent), 1)
    yield info
    yield _gauge("uptime_seconds", "Since the node started.", now.uptime_s)
    yield _gauge("peers_connected", "Peers with a connection.", now.counts.peers)
    yield _gauge("peers_known", "Peers in the peer table.", now.peers_known)
    sockets = {"inbound": now.counts.inbound, "outbound": now.counts.outbound}
    yield _gauges("sockets", "Connections, by who opened them.", "direction", sockets)
    yield _gauge("sockets_handshaking", "Inbound connections without a proven key.", now.counts.handshakes)
    yield _gauge("streams", "Open streams.", now.counts.streams)
    traffic = {"in": now.counts.bytes_in, "out": now.counts.bytes_out}
    yield _counters("traffic_bytes", "Bytes on the wire.", "direction", traffic)
    opened = {"inbound": 0, "outbound": 0} | dict(now.counts.opened)
    yield _counters("sockets_opened", "Connections that came to carry streams.", "direction", opened)
    yield _counters("sockets_refused", "Newcomers turned away, by limit.", "limit", now.counts.refused)
    yield _messages(now.counts.messages)
    modes = {mode: mode == now.dht.mode for mode in ("off", "client", "server")}
    yield _gauges("dht_mode", "1 for the mode that the DHT is in.", "mode", modes)
    yield _gauge("dht_peers", "Peers in the routing table.", now.dht.peers)
    yield _gauge("dht_records", "Values kept.", now.dht.records)
    yield _gauge("dht_providers", "Provider records kept.", now.dht.providers)
    yield _counter("discovery_dials", "Dials on the word of a discovery.", now.discovery.tried)
    yield _counter("discovery_met", "Those at which a peer was met.", now.discovery.met)
    yield _gauge("presence_online", "Peers with a lease, at a super-peer.", now.presence.online)
    yield _gauge("presence_held_offline", "Peers that fail votes hold offline.", now.presence.held_offline)
    yield _gauge("presence_votes", "Fail votes kept.", now.presence.votes)


def _messages(counted: Mapping[Sort, int]) -> Metric:
    text = "Messages of the protocols that count theirs."
    family = CounterMetricFamily("warren_messages", text, labels=Sort._fields)
    for sort in sorted(counted):
        family.add_metric(sort, counted[sort])
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"warren_{name}", text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"warren_{name}", text, value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(GaugeMetricFamily(f"warren_{name}", text, labels=(label,)), values)


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(CounterMetricFamily(f"warren_{name}", text, labels=(label,)), values)


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]
) -> GaugeMetricFamily | CounterMetricFamily:
    for word in sorted(values):
        family.add_metric((word,), values[word])
    return family
