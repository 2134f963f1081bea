"""The numbers of the network floor: each limit stands beside the attack or the fault that it stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from warren.core.bounds import check_settings
from warren.network.yamux.budget import WindowLimits
from warren.network.yamux.session import YamuxLimits

# The whole network has one buffer of this size; more than a link can hold gains nothing.
READ_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Limits, timeouts and budgets of one `Network`. Times in seconds, sizes in bytes."""

    inbound_max: int = 4096
    """Sockets that others opened: stops exhaustion of memory and file descriptors. For the next one the host
    with the most sockets gives one up, idle ones first; protected peers never do. 0: nobody can connect."""
    outbound_max: int = 4096
    """Sockets that we opened: stops a faulty caller, or one led by lies, from dialling without end.
    0: dial nobody."""
    per_peer_max: int = 8
    """Sockets with one peer id: stops one identity from taking the slots of all."""
    per_ip_max: int = 256
    """Inbound sockets from one IPv4 address or IPv6 /64: stops one host that makes up identities."""
    per_ip_per_s: float = 10.0
    """Newcomers from one host in the long run; a quarter of `per_ip_max` may come at once. Stops who makes
    us answer one handshake after the other and finishes none."""
    violations_max: int = 10
    """Connections from one host that break the protocol within `violations_s`: then its newcomers are dropped
    for as long. Stops whoever was closed for an attack from coming back for the next one at once."""
    violations_s: float = 10.0
    handshakes_max: int = 256
    """Inbound sockets that have not proved a key yet: stops half-open floods. The oldest makes room for who
    comes: an honest handshake takes milliseconds. 0: nobody can connect."""
    handshakes_per_ip_max: int = 64
    """The same from one host, so that one attacker cannot push out all the others."""
    read_bytes: int = 512 * 1024
    """Taken from a link in one go: larger is faster for bulk, smaller shares the loop more evenly."""
    handshake_timeout_s: float = 10.0
    """From accepted or dialled to the muxer: stops slow handshakes (slowloris)."""
    dial_timeout_s: float = 10.0
    """One attempt at one address."""
    close_timeout_s: float = 2.0
    """How long a peer that does not read may delay our goodbye."""
    idle_timeout_s: float = 3600.0
    """A socket on whose streams no data moved for so long is closed, unless its peer is protected."""
    stream_timeout_s: float = 20.0
    """A stream that waits for its peer alone is reset after so long, at the next sweep: no protocol was named
    on it, or it was closed here and not there. Stops who hoards streams until no others can be opened."""
    negotiation_timeout_s: float = 10.0
    """For `open_stream` to agree on a protocol."""
    backoff_first_s: float = 5.0
    """After a failed dial of an address; doubles up to `backoff_max_s`: spares hosts that are down."""
    backoff_max_s: float = 300.0
    backoff_addresses_max: int = 4096
    """Addresses whose back-off is remembered: bounded memory."""
    dial_stagger_s: float = 0.25
    """Between the starts of attempts at several addresses of one peer (RFC 8305 names 250 ms).
    0: all at once."""
    dial_addresses_max: int = 16
    """Attempts for each who asks: stops records with thousands of addresses from making us a scanner."""
    hearsay_per_host_max: int = 8
    """Attempts at one host (IPv4 address, IPv6 /64; not loopback) at addresses that only others told of, by
    discovery, look-ups and probes together; those that meet their peer do not count. Stops many liars who
    name one machine from making us hammer it."""
    hearsay_per_host_every_s: float = 60.0
    """Until one host may be tried once more on the word of others."""
    addresses_per_peer_max: int = 16
    """Remembered addresses of one peer."""
    address_peers_max: int = 4096
    """Peers with remembered addresses that are not connected: bounded memory."""
    message_bytes_max: int = 4 * 1024 * 1024
    """One request, response or broadcast: checked before a buffer is made."""
    requests_per_stream_max: int = 64
    """Requests on one stream that run at once: beyond it the stream is not read."""
    pending_requests_max: int = 1024
    """Our own requests that wait on one stream."""
    yamux: YamuxLimits = field(default_factory=YamuxLimits)
    windows: WindowLimits = field(default_factory=WindowLimits)

    def __post_init__(self) -> None:
        zero = ("inbound_max", "outbound_max", "handshakes_max", "dial_stagger_s")
        check_settings(self, "network.", zero=zero, most={"read_bytes": READ_BYTES_MAX})


FOR_MANY: Final = NetworkConfig(
    inbound_max=16_384, per_ip_max=1024, per_ip_per_s=50.0, handshakes_max=2048, handshakes_per_ip_max=256
)
"""For a node with which ten thousand others stay connected: some 12 KiB of memory each while they rest. They
come back in one storm when it is started again; so many handshakes may wait as a core does in a few seconds,
and none of them times out by then. A thousand may be behind one address, as on a campus.
"""
