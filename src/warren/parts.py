"""What a running node is made of, and how it is put together. Only wiring: what a node does is decided below.

In:  a `Config` and a `Runtime` (by default the operating system). Out: `Parts`, started; whatever has to be
stopped again is on the stack that the caller gave. Parts start in the order data folder, network, services,
listeners, and stop in the reverse one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.identify import Identify
from warren.protocols.invite.protocol import InviteProtocol
from warren.protocols.perf import Perf
from warren.protocols.ping import KeepAlive, Ping
from warren.runtime.migrations import numbered_scripts
from warren.services.contacts.contacts import Contacts
from warren.services.contacts.keeper import Keeper
from warren.services.dht.assembly import assemble_dht
from warren.services.files.fetcher import Fetcher
from warren.services.files.library import Library
from warren.services.identity.home import DHT_NAME, INDEX_NAME, STATE_NAME, Home
from warren.services.speedtest import RUN_BYTES_MAX
from warren.services.whereabouts.whereabouts import Whereabouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from warren.config import Config
    from warren.network.stack import Stack
    from warren.runtime.seam import Runtime
    from warren.services.dht.dht import Dht

    Work = Callable[[], Awaitable[None]]

# Whose tables `state.db` holds.
OWNERS_OF_STATE = ("warren.services.contacts", "warren.services.files", "warren.services.dht")
# A part that fails by a fault of ours is started again after this long.
_RESTART_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Parts:
    """What a running node is made of. background: what runs as long as the node, by name, supervised."""

    runtime: Runtime
    network: Network
    whereabouts: Whereabouts
    ping: Ping
    perf: Perf
    contacts: Contacts
    invites: InviteProtocol
    library: Library
    fetcher: Fetcher
    dht: Dht
    started_at: float
    background: list[tuple[str, Work]]


async def assemble(
    config: Config, given: Runtime | None, built_of: Stack | None, agent: str, stack: AsyncExitStack
) -> Parts:
    """Put a node together and start it; `stack` takes what ends it. agent: what it says it runs.

    built_of: what its network is built of, where that is not the usual.

    Raises StorageError, ConfigError.
    """
    runtime = given
    if runtime is None:
        runtime = _real_runtime()
        stack.push_async_callback(runtime.close)
    home = Home(config.home, runtime)
    key = await home.open()
    stack.push_async_callback(home.close)
    state = await runtime.open_database(home.place(STATE_NAME), numbered_scripts(*OWNERS_OF_STATE))
    stack.push_async_callback(state.close)
    network = Network(runtime, key, config.network, built_of)
    whereabouts = Whereabouts(network)
    contacts = Contacts(
        state,
        runtime.clock,
        runtime.entropy,
        key.peer_id,
        config.name,
        whereabouts.reachable,
        network.events.emit,
    )
    await contacts.load()
    stack.push_async_callback(contacts.close)
    identify = Identify(network, agent, whereabouts.reachable)
    network.router.on_changed = _once_a_turn(identify.push)
    index, is_contact = home.place(INDEX_NAME), contacts.is_contact
    library = await Library.open(runtime, network, config.files, state, index, is_contact=is_contact)
    stack.push_async_callback(library.close)
    dht, dht_work = await assemble_dht(
        network, key, config.dht, whereabouts.reachable, state, home.place(DHT_NAME), stack
    )
    keeper = Keeper(network, contacts, runtime.clock, runtime.entropy)
    parts = Parts(
        runtime=runtime,
        network=network,
        whereabouts=whereabouts,
        ping=Ping(network),
        perf=Perf(network, is_contact, bytes_max=RUN_BYTES_MAX),
        contacts=contacts,
        invites=InviteProtocol(network, contacts, runtime.clock),
        library=library,
        fetcher=Fetcher(runtime, network, config.files),
        dht=dht,
        started_at=runtime.clock.now(),
        background=[("keeping contacts", keeper.run), *dht_work],
    )
    stack.push_async_callback(network.stop)
    stack.push_async_callback(parts.fetcher.close)
    await whereabouts.listen([Multiaddr.parse(text) for text in config.listen])
    keep_alive = KeepAlive(network)
    keep_alive.start()
    stack.callback(keep_alive.stop)
    return parts


async def supervised(doing: str, work: Work) -> None:
    """Keep a part running: a fault in it is logged, and costs neither the node nor its peers."""
    while True:
        try:
            await work()
            return
        except Exception:  # noqa: BLE001  the boundary of supervision
            _log.exception("%s failed; trying again", doing)
            await asyncio.sleep(_RESTART_S)


def _real_runtime() -> Runtime:
    from warren.runtime.real.runtime import RealRuntime

    return RealRuntime()


def _once_a_turn(work: Callable[[], None]) -> Callable[[], None]:
    """However often it is called in one turn of the loop, `work` is done once, in the next."""
    due = False

    def do() -> None:
        nonlocal due
        due = False
        work()

    def soon() -> None:
        nonlocal due
        if not due:
            due = True
            asyncio.get_running_loop().call_soon(do)

    return soon
