"""How the DHT of a node is put together: the protocol, what it keeps, what it publishes.

In:  a network, a configuration, the databases. Out: a `Dht` that is loaded, and what runs as long as the
node, by name. While the DHT is switched off there is nothing to load or run, and no database is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.network.events import PeerIdentified
from warren.protocols.kad.kad import Kad
from warren.protocols.kad.namespaces import namespaces_of
from warren.protocols.kad.store import Providers, Records
from warren.runtime.rebuildable import open_rebuildable
from warren.services.dht import kept
from warren.services.dht.dht import Dht, Parts
from warren.services.dht.publisher import Publisher
from warren.services.dht.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AsyncExitStack

    from warren.core.keys import PrivateKey
    from warren.core.multiaddr import Multiaddr
    from warren.network.network import Network
    from warren.protocols.kad.config import KadConfig
    from warren.runtime.seam import Database, StrPath

Work = tuple[str, "Callable[[], Awaitable[None]]"]


async def assemble_dht(
    network: Network,
    key: PrivateKey,
    config: KadConfig,
    reachable: Callable[[], Sequence[Multiaddr]],
    state: Database,
    path: StrPath,
    stack: AsyncExitStack,
) -> tuple[Dht, list[Work]]:
    """Put it together. reachable: where others may dial this node. path: of `dht.db`; `stack` closes it.

    Raises `StorageError`.
    """
    if config.mode == "off":
        return Dht(key, config.protocol, None), []
    runtime = network.runtime
    records, providers = Records(config.store), Providers(config.store)
    database = await open_rebuildable(runtime, path, kept.MIGRATIONS, kept.check)
    shelf = Shelf(database, records, providers, runtime.clock)
    stack.push_async_callback(shelf.close)
    await shelf.load()
    namespaces = namespaces_of(config.protocol, runtime.clock.wall)
    kad = Kad(network, config, records, providers, namespaces, reachable)
    clock, entropy, knows = runtime.clock, runtime.entropy, namespaces.knows
    publisher = Publisher(kad, records, providers, key.peer_id, state, clock, entropy, knows)
    await publisher.load()
    network.events.on(PeerIdentified, lambda _: publisher.met_somebody())  # after the one of `kad`
    work: list[Work] = [
        ("the DHT", kad.run),
        ("publishing in the DHT", publisher.run),
        ("storing what the DHT keeps", shelf.run),
    ]
    return Dht(key, config.protocol, Parts(kad, records, providers, publisher)), work
