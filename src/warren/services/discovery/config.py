"""What can be set about discovery.

Refuses: what is no address to dial, no DNS name, a namespace that is empty or too long (ConfigError, with a
cure).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from warren.core.bounds import check_settings
from warren.core.errors import ConfigError, InvalidMultiaddr
from warren.core.multiaddr import Multiaddr
from warren.services.discovery.model import DEFAULT_NAMESPACE

NAMESPACE_BYTES_MAX: Final = 255
ENTRIES_MAX: Final = 64
"""Of either list: each is looked at for ever."""
_NAME: Final = re.compile(r"(?P<name>[^:/\s]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class DiscoveryConfig:
    """How this node finds others, and lets itself be found."""

    bootstrap: tuple[str, ...] = ()
    """Addresses of peers to begin with; with `/p2p/ID` where it is known. `/dnsaddr/NAME` is a list in
    DNS."""
    dns: tuple[str, ...] = ()
    """DNS names: `NAME` for its dnsaddr records, `NAME:PORT` for all its addresses (a headless Service)."""
    mdns: bool = True
    """Find and be found on the local link. A node that listens on loopback alone does neither."""
    namespace: str = DEFAULT_NAMESPACE
    """Nodes find each other under the same one."""
    connections: int = 16
    """Peers up to which others are dialled on the word of a discovery. Attack: a liar that names thousands.
    0: nobody is dialled, and nobody is looked for among known peers or in the DHT; the node is found there
    all the same."""

    def __post_init__(self) -> None:
        check_settings(self, "discovery.", zero=("connections",), most={"connections": 1024})
        if not isinstance(self.mdns, bool):
            raise ConfigError(f"discovery.mdns must be true or false, not {self.mdns!r}", hint="write false")
        _check_list("bootstrap", self.bootstrap)
        _check_list("dns", self.dns)
        for address in self.bootstrap:
            check_bootstrap(address)
        for name in self.dns:
            split_name(name)
        if not self.namespace.strip() or len(self.namespace.encode()) > NAMESPACE_BYTES_MAX:
            raise ConfigError(
                f"discovery.namespace must be 1 to {NAMESPACE_BYTES_MAX} bytes, not {self.namespace[:80]!r}",
                hint=f"remove it to get the default, {DEFAULT_NAMESPACE}",
            )


def check_bootstrap(text: str) -> Multiaddr:
    """The address. Raises ConfigError for what cannot be dialled."""
    example = "write for instance /dns4/example.org/tcp/4101/p2p/PEER-ID"
    try:
        address = Multiaddr.parse(text)
    except InvalidMultiaddr as error:
        raise ConfigError(str(error), hint=example) from error
    is_list = address.components[0][0] == "dnsaddr"
    if not is_list and (address.transport != "tcp" or not address.port or address.is_unspecified):
        raise ConfigError(f"{text!r} cannot be dialled", hint=example)
    return address


def split_name(text: str) -> tuple[str, int | None]:
    """The DNS name, and the port if one is named. Raises ConfigError."""
    found = _NAME.fullmatch(text)
    port = int(found["port"]) if found is not None and found["port"] else None
    try:
        if found is None or port == 0:
            raise InvalidMultiaddr(f"{text!r} is no DNS name")
        Multiaddr.parse(f"/dns/{found['name']}/tcp/{port or 1}")
    except InvalidMultiaddr as error:
        raise ConfigError(
            f"{text!r} is neither a DNS name nor NAME:PORT",
            hint="write for instance example.org, or warren.default.svc.cluster.local:4101",
        ) from error
    return found["name"], port


def _check_list(name: str, given: object) -> None:
    if not isinstance(given, tuple | list) or not all(isinstance(one, str) for one in given):
        raise ConfigError(
            f"discovery.{name} must be a list of texts, not {given!r}", hint=f'{name} = ["..."]'
        )
    if len(given) > ENTRIES_MAX:
        raise ConfigError(f"discovery.{name} has {len(given)} entries, {ENTRIES_MAX} is the most")
