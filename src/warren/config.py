"""Configuration values: one frozen `Config` that gathers what each part of the program can be told.

In:  nothing but what the caller sets; every field has a default.
Out: frozen dataclasses, one per part. Each part owns its own limits; this module only gathers them.
Refuses: values out of range and addresses that cannot be listened on (ConfigError, with a cure).

How flags, environment and file become a `Config` stands in `warren.frontends.settings`.
"""

from __future__ import annotations

import getpass
import ipaddress
import re
import socket
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from warren.core.bounds import check_settings
from warren.core.errors import ConfigError, InvalidMultiaddr
from warren.core.multiaddr import Multiaddr
from warren.network.config import FOR_MANY, NetworkConfig
from warren.protocols.exchange.config import ExchangeConfig
from warren.protocols.kad.config import KadConfig
from warren.services.directory.config import DirectoryConfig
from warren.services.discovery.config import DiscoveryConfig
from warren.services.files.config import FilesConfig
from warren.services.overlay.config import OverlayConfig
from warren.services.peers.config import PeersConfig
from warren.services.presence.config import PresenceConfig

PORT_DEFAULT = 4101
PORT_MAX = 65535
NAME_CHARS_MAX = 64
ROLE_DEFAULTS: Final[dict[str, dict[str, object]]] = {
    "super": {
        f"network.{one.name}": getattr(FOR_MANY, one.name)
        for one in fields(NetworkConfig)
        if getattr(FOR_MANY, one.name) != getattr(NetworkConfig(), one.name)
    }
}
"""Settings, by dotted name, whose defaults are others where `directory.role` is so. Who puts a `Config`
together in Python says `network=FOR_MANY`."""


def default_name() -> str:
    """What a node is called until somebody says otherwise: `user@host`, or whichever half is known."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):
        user = ""
    host = socket.gethostname().split(".")[0]
    name = "@".join(part for part in (user, host) if part)
    return name[:NAME_CHARS_MAX] or "warren"


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The local HTTP API.

    host: a loopback address; the API steers the node, so it never listens for other machines.
    port: 0 lets the system choose; `api.json` in the data folder says which.
    body_bytes_max: a longer request body is refused (a local program filling memory).
    requests_max: requests answered at once (a local program opening without end).
    """

    host: str = "127.0.0.1"
    port: int = 0
    body_bytes_max: int = 1 << 20
    requests_max: int = 64

    def __post_init__(self) -> None:
        check_settings(self, "api.", zero=("port",), most={"port": PORT_MAX})
        if not _is_loopback(self.host):
            raise ConfigError(
                f"api.host must be a loopback address, not {self.host!r}",
                hint='write host = "127.0.0.1"; reach the node from elsewhere through ssh -L',
            )


@dataclass(frozen=True, slots=True)
class StatusConfig:
    """The status listener: facts, metrics and health of the node over HTTP, read-only and without a token.

    listen: HOST:PORT, or PORT alone for 127.0.0.1; port 0 lets the system choose. Empty: none. Whoever
    reaches an address that is not loopback can read how the node is doing.
    requests_max: requests answered at once (a scraper gone wild).
    """

    listen: str = ""
    requests_max: int = 16

    def __post_init__(self) -> None:
        check_settings(self, "status.")
        if self.listen:
            split_listen(self.listen)


def split_listen(text: str) -> tuple[str, int]:
    """The numeric host and the port of HOST:PORT. Raises ConfigError."""
    found = re.fullmatch(r"(?:(?P<host>[0-9.]+|localhost|\[[0-9a-fA-F:.]+\])?:)?(?P<port>[0-9]{1,5})", text)
    host = (found["host"] or "127.0.0.1").strip("[]") if found is not None else ""
    host = "127.0.0.1" if host == "localhost" else host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found = None
    if found is None or int(found["port"]) > PORT_MAX:
        raise ConfigError(
            f"status.listen must be HOST:PORT with a numeric host, not {text!r}",
            hint="write for instance 127.0.0.1:9101, [::1]:9101, or 0.0.0.0:9101 for all to read",
        )
    return host, int(found["port"])


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a node can be told.

    home: the data folder; None makes a temporary one that is removed when the node closes.
    listen: multiaddrs to listen on. One port serves everything, on IPv4 and IPv6.
    name: what the node calls itself towards its contacts.
    download_dir: where `get` puts what it fetched.
    """

    home: Path | None = None
    listen: tuple[str, ...] = (f"/ip4/0.0.0.0/tcp/{PORT_DEFAULT}", f"/ip6/::/tcp/{PORT_DEFAULT}")
    name: str = field(default_factory=default_name)
    download_dir: Path = field(default_factory=lambda: Path.home() / "Warren")
    network: NetworkConfig = field(default_factory=NetworkConfig)
    files: FilesConfig = field(default_factory=FilesConfig)
    peers: PeersConfig = field(default_factory=PeersConfig)
    exchange: ExchangeConfig = field(default_factory=ExchangeConfig)
    discovery: DiscoveryConfig = field(default_factory=DiscoveryConfig)
    directory: DirectoryConfig = field(default_factory=DirectoryConfig)
    overlay: OverlayConfig = field(default_factory=OverlayConfig)
    api: ApiConfig = field(default_factory=ApiConfig)
    status: StatusConfig = field(default_factory=StatusConfig)
    dht: KadConfig = field(default_factory=KadConfig)
    presence: PresenceConfig = field(default_factory=PresenceConfig)

    def __post_init__(self) -> None:
        check_settings(self)
        self._check_types()
        if self.directory.store and self.directory.role != "super":
            raise ConfigError(
                f"directory.store is for super-peers, and directory.role is {self.directory.role!r}",
                hint='say --role super, or write role = "super"; or remove directory.store',
            )
        for address in self.listen:
            check_listen(address)
        if not self.name.strip() or len(self.name) > NAME_CHARS_MAX or not self.name.isprintable():
            raise ConfigError(
                f"name must be 1 to {NAME_CHARS_MAX} printable characters, not {self.name[:80]!r}",
                hint="choose another, for instance Anna",
            )

    def _check_types(self) -> None:
        listen: object = self.listen
        if not isinstance(listen, tuple | list) or not all(isinstance(one, str) for one in listen):
            given = [str(one) for one in (listen if isinstance(listen, tuple | list) else [listen])]
            raise ConfigError(
                f"listen is a list of addresses in text, not {listen!r}", hint=f"write listen={given!r}"
            )
        kinds: dict[str, type | tuple[type, ...]] = {
            "home": (Path, type(None)),
            "download_dir": Path,
            "network": NetworkConfig,
            "files": FilesConfig,
            "peers": PeersConfig,
            "exchange": ExchangeConfig,
            "discovery": DiscoveryConfig,
            "directory": DirectoryConfig,
            "overlay": OverlayConfig,
            "api": ApiConfig,
            "status": StatusConfig,
            "dht": KadConfig,
            "presence": PresenceConfig,
        }
        for name, kind in kinds.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                wanted = kind[0] if isinstance(kind, tuple) else kind
                raise ConfigError(
                    f"{name} must be of type {wanted.__name__}, not {value!r}",
                    hint=f"write {name}={wanted.__name__}(...)",
                )


def check_listen(address: str) -> None:
    """Raises ConfigError if a node cannot listen on this multiaddr."""
    try:
        parsed = Multiaddr.parse(address)
    except InvalidMultiaddr as error:
        raise ConfigError(str(error), hint=_listen_cure(address)) from error
    if parsed.transport != "tcp" or parsed.peer_id is not None:
        raise ConfigError(f"cannot listen on {address!r}", hint=_listen_cure(""))


def _listen_cure(address: str) -> str:
    found = re.fullmatch(r"\[?([0-9a-fA-F.:]+?)\]?:(\d+)", address)
    if found:
        family = "ip6" if ":" in found[1] else "ip4"
        return f"write /{family}/{found[1]}/tcp/{found[2]}"
    return f"write for instance /ip4/0.0.0.0/tcp/{PORT_DEFAULT} or /ip6/::/tcp/{PORT_DEFAULT}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
