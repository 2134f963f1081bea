"""What the DHT of a node can be told: mode, protocol, and the bounds of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from warren.core.bounds import check_settings
from warren.core.errors import ConfigError
from warren.protocols.kad.lookup import LookupConfig
from warren.protocols.kad.routing_table import TableConfig
from warren.protocols.kad.store import StoreConfig

MODES: Final = ("auto", "client", "server", "off")
PROTOCOL_DEFAULT: Final = "/warren/kad/1.0.0"
PUBLIC_PREFIX: Final = "/ipfs/"
"""Protocols of networks of the whole internet, in which only peers that it can reach may serve."""
_PROTOCOL_CHARS_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class KadConfig:
    """The DHT. Times in seconds.

    mode: `server` answers others, `client` only asks, `off` does neither; `auto` serves where others can
    reach this node: it listens, and for a public DHT (`/ipfs/...`) on an address of the internet.
    protocol: which DHT this node belongs to; nodes of another protocol are not seen.
    """

    mode: str = "auto"
    protocol: str = PROTOCOL_DEFAULT
    paths: int = 3
    """Disjoint paths on which values and providers are looked up: so many liars must be met at once."""
    connections_max: int = 60
    """Connections that look-ups open, and requests at once. Stops a busy node from taking all the room for
    connections, its own and others'."""
    connection_idle_s: float = 20.0
    """A connection that was made for a look-up is closed after so long without use."""
    request_cost_per_s: float = 50.0
    """Requests answered to one peer in the long run; to check and keep a record costs as much as ten.
    Stops who asks without end."""
    request_burst: float = 500.0
    """The same at once."""
    streams_per_peer_max: int = 32
    """Streams of one peer that are served at once: stops who opens streams and says nothing. JavaScript opens
    as many."""
    test_every_s: float = 60.0
    """Between tests of peers in the table that were not heard of for long; one at a time."""
    join_lookups_max: int = 3
    """So often at most, and 8 s apart, a node that joins looks itself up while it finds others each time: one
    look does not find the neighbours in a network that has just come up, or among liars."""
    self_every_s: float = 1800.0
    """Between look-ups of ourselves, which keep the nearest peers known and make us known to them."""
    table: TableConfig = field(default_factory=TableConfig)
    lookup: LookupConfig = field(default_factory=LookupConfig)
    store: StoreConfig = field(default_factory=StoreConfig)

    def __post_init__(self) -> None:
        check_settings(self, "dht.")
        if self.mode not in MODES:
            raise ConfigError(
                f"dht.mode must be one of {', '.join(MODES)}, not {self.mode!r}", hint='write mode = "auto"'
            )
        fits = self.protocol.startswith("/") and self.protocol.isprintable()
        if not fits or len(self.protocol) > _PROTOCOL_CHARS_MAX or " " in self.protocol:
            raise ConfigError(
                f"dht.protocol must be a protocol id, not {self.protocol[:80]!r}",
                hint=f'write protocol = "{PROTOCOL_DEFAULT}"',
            )
