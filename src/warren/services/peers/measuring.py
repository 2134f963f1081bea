"""`Measuring`: how near and how fast peers are, and who is still there. Puts the parts of it together.

In:  the network, the peer table, who is a contact, the configuration. Out: background work, speed tests on
request, and the protocol that answers those of others.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from warren.core.errors import WarrenError
from warren.protocols.perf import Perf
from warren.services.peers.anchoring import Anchoring
from warren.services.peers.anchors import FILE_NAME
from warren.services.peers.attempts import Attempts
from warren.services.peers.budget import Turns
from warren.services.peers.prober import Prober
from warren.services.peers.serving import SpeedGate
from warren.services.peers.speeds import Speeds
from warren.services.peers.speedtest import SpeedTester

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.ping import Ping
    from warren.services.peers.config import PeersConfig
    from warren.services.peers.table import PeerTable

_log = logging.getLogger(__name__)


class Source(Protocol):
    """Whom a transfer came from, and how much of it."""

    @property
    def peer(self) -> PeerId: ...

    @property
    def bytes_fetched(self) -> int: ...


class Transferred(Protocol):
    """A transfer that came to its end, as far as its speed is concerned."""

    @property
    def sources(self) -> Sequence[Source]: ...

    @property
    def seconds(self) -> float: ...

    @property
    def chunks_reused(self) -> int: ...


class Measuring:
    """One per node. `background` is what runs as long as the node, by name."""

    def __init__(
        self,
        network: Network,
        ping: Ping,
        table: PeerTable,
        is_contact: Callable[[PeerId], bool],
        config: PeersConfig,
        folder: Path | None,
    ) -> None:
        """folder: where the anchors are kept; None for a node that leaves no trace."""
        clock, entropy = network.runtime.clock, network.runtime.entropy
        turns = Turns(network.peer_id)
        self.gate = SpeedGate(turns, clock, is_contact, config)
        self.perf = Perf(network, self.gate)
        tester = SpeedTester(ping, self.perf, turns, clock, entropy)
        self.speeds = Speeds(network, table, tester, is_contact, config)
        path = folder / FILE_NAME if folder is not None else None
        self.anchoring = Anchoring(network, is_contact, config, path)
        self.attempts = Attempts(network, ping, table)
        self.prober = Prober(
            network,
            ping,
            table,
            clock,
            entropy,
            config,
            is_kept=is_contact,
        )
        self.background: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("measuring peers", self.prober.run),
            ("keeping anchors", self.anchoring.run),
            ("testing speeds", self.speeds.run),
        ]

    def close(self) -> None:
        """Serve no more tests. What runs ends with the network."""
        self.gate.close()

    async def fetched(self, transfer: Transferred) -> None:
        """A fetch is done: what came of a peer, in all that time, says how fast it is, at least."""
        if transfer.chunks_reused:  # the time also went into checking them
            return
        try:
            for source in transfer.sources:
                if source.bytes_fetched:
                    await self.speeds.transferred(
                        source.peer, source.bytes_fetched, transfer.seconds, from_it=True
                    )
        except WarrenError as error:
            _log.warning("noting the speed of a fetch failed: %s", error)
