"""A node at one moment, made up."""

from __future__ import annotations

from dataclasses import dataclass

from tests.frontends.fake_node import ADDRESS, ME
from warren.network.counts import Counts, Sort
from warren.services.dht.dht import DhtStatus
from warren.services.presence.model import PresenceCounts
from warren.services.status.board import Snapshot


@dataclass
class Found:
    found: int = 6
    tried: int = 5
    met: int = 4


MESSAGES = {Sort("directory", "query", "in"): 5, Sort("directory", "hits", "out"): 8}
SNAPSHOT = Snapshot(
    peer_id=ME,
    agent="warren/9",
    uptime_s=12.5,
    addresses=(ADDRESS.with_peer(ME),),
    roles=("dht",),
    listening=True,
    counts=Counts(3, 2, 1, 1, 7, 1000, 2000, {"inbound": 9}, {"per_ip_max": 2}, MESSAGES),
    peers_known=40,
    dht=DhtStatus("server", "/warren/kad/1.0.0", 17, 3, 2, 1),
    discovery=Found(),
    presence=PresenceCounts(12, 2, 7),
)
