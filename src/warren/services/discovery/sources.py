"""Which discoveries a node has, by its configuration: they are made and tied together here.

In:  the configuration, the parts of a node that they need. Out: `Discovery`, not running yet. The DHT joins
where one is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from warren.services.discovery.acquaintances import Acquaintances, Known
from warren.services.discovery.bootstrap import Bootstrap
from warren.services.discovery.choice import ChoicePolicy
from warren.services.discovery.config import check_bootstrap, split_name
from warren.services.discovery.dht import DhtRouting
from warren.services.discovery.discovery import Discovery
from warren.services.discovery.dns import Dns
from warren.services.discovery.finder import Finder, Table
from warren.services.discovery.mdns import NAME as MDNS
from warren.services.discovery.mdns import Mdns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.runtime.seam import Runtime
    from warren.services.discovery.config import DiscoveryConfig
    from warren.services.discovery.dht import Providing
    from warren.services.discovery.interfaces import Advertiser, Discoverer


class PeerTable(Table, Known, Protocol):
    """What discovery needs of the peer table."""


def discovery_of(
    config: DiscoveryConfig,
    runtime: Runtime,
    network: Network,
    where: Callable[[], Sequence[Multiaddr]],
    table: PeerTable,
    dht: Providing | None = None,
    is_held_offline: Callable[[PeerId], bool] = lambda _: False,
) -> Discovery:
    """All that `config` asks for. where: the addresses at which others reach this node. is_held_offline: whom
    others cannot reach, and this node does not try for that.
    """
    chance, names, me = runtime.entropy, runtime.transport, network.peer_id

    def gone(peer: PeerId) -> None:
        discovery.vanished(peer, MDNS)

    mdns = Mdns(runtime.multicast, runtime.clock, chance, me, where, on_gone=gone)
    listed = [check_bootstrap(one) for one in config.bootstrap]
    discoverers: list[Discoverer] = [
        Bootstrap(listed, names, chance),
        Dns([split_name(one) for one in config.dns], names, chance),
    ]
    # Looked through for the sake of dials alone.
    searched: list[Discoverer] = [Acquaintances(table, chance)]
    advertisers: list[Advertiser] = []
    if config.mdns:
        discoverers.append(mdns)
        advertisers.append(mdns)
    if dht is not None:
        routing = DhtRouting(dht, me, chance)
        searched.append(routing)
        advertisers.append(routing)
    policy = ChoicePolicy(connections=config.connections)
    finder = Finder(
        network,
        table,
        runtime.clock,
        chance,
        where,
        policy,
        on_doubt=mdns.doubt,
        on_met=mdns.met,
        is_held_offline=is_held_offline,
    )
    discovery = Discovery(
        config.namespace,
        finder,
        discoverers=[*discoverers, *searched],
        followed=[*discoverers, *searched] if config.connections else discoverers,
        advertisers=advertisers,
        background=[mdns] if config.mdns else [],
        emit=network.events.emit,
    )
    return discovery
