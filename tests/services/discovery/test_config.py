"""What can be set about discovery, and what is refused with a cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from warren.core.errors import ConfigError
from warren.frontends.config_file import Problem
from warren.frontends.settings import examine, load
from warren.services.discovery.config import DiscoveryConfig, split_name

if TYPE_CHECKING:
    from pathlib import Path

PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"


def test_by_default_only_the_local_network_is_looked_at() -> None:
    config = DiscoveryConfig()
    assert (config.bootstrap, config.dns, config.mdns, config.namespace) == ((), (), True, "warren")


@pytest.mark.parametrize(
    "address",
    [
        "/ip4/192.0.2.1/tcp/4101",
        f"/ip6/2001:db8::1/tcp/4101/p2p/{PEER}",
        f"/dns4/example.org/tcp/4101/p2p/{PEER}",
        "/dns6/example.org/tcp/1",
        "/dnsaddr/example.org",
        f"/dnsaddr/example.org/p2p/{PEER}",
    ],
)
def test_addresses_to_begin_with(address: str) -> None:
    assert DiscoveryConfig(bootstrap=(address,)).bootstrap == (address,)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bootstrap": ("192.0.2.1:4101",)}, "is not an address"),
        ({"bootstrap": ("/ip4/192.0.2.1/udp/4101/quic-v1",)}, "cannot be dialled"),
        ({"bootstrap": ("/ip4/192.0.2.1/tcp/0",)}, "cannot be dialled"),
        ({"bootstrap": ("/ip4/0.0.0.0/tcp/1",)}, "cannot be dialled"),
        ({"bootstrap": "/ip4/192.0.2.1/tcp/4101"}, "must be a list"),
        ({"bootstrap": ("/ip4/192.0.2.1/tcp/1",) * 65}, "64 is the most"),
        ({"dns": ("not a name",)}, "neither a DNS name nor NAME:PORT"),
        ({"dns": ("example.org:0",)}, "neither a DNS name nor NAME:PORT"),
        ({"dns": ("example.org:65536",)}, "neither a DNS name nor NAME:PORT"),
        ({"dns": ("example.org:x",)}, "neither a DNS name nor NAME:PORT"),
        ({"dns": ("https://example.org",)}, "neither a DNS name nor NAME:PORT"),
        ({"namespace": " "}, "1 to 255 bytes"),
        ({"namespace": "ü" * 128}, "1 to 255 bytes"),
        ({"mdns": "no"}, "must be true or false"),
        ({"connections": -1}, "must be 0 or above"),
        ({"connections": 5000}, "must be 1024 at most"),
    ],
)
def test_what_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DiscoveryConfig(**given)


def test_names_with_and_without_a_port() -> None:
    assert split_name("example.org") == ("example.org", None)
    assert split_name("warren.default.svc.cluster.local:4101") == ("warren.default.svc.cluster.local", 4101)


def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[discovery]\nbootstrap = [\n  "/ip4/192.0.2.1/tcp/4101",\n  "example.org:4101",\n]\nmdsn = false\n'
    )
    found = examine(tmp_path, env={})
    assert isinstance(found, list)
    assert all(isinstance(one, Problem) for one in found)
    said = {(one.where.rpartition(":")[2], one.hint) for one in found}
    assert said == {
        ("4", "write for instance /dns4/example.org/tcp/4101/p2p/PEER-ID"),
        ("6", 'did you mean "mdns"?'),
    }


def test_flags_and_variables_name_the_same_settings(tmp_path: Path) -> None:
    flags = {"discovery.bootstrap": ("/ip4/192.0.2.1/tcp/1",), "discovery.mdns": False}
    loaded = load(tmp_path, flags=flags, env={"WARREN_DISCOVERY_DNS": "a.org,b.org:1"})
    assert loaded.config.discovery.dns == ("a.org", "b.org:1")
    assert loaded.config.discovery.mdns is False
    assert str(loaded.origins["discovery.mdns"]) == "flag --no-mdns"
    assert str(loaded.origins["discovery.bootstrap"]) == "flag --bootstrap"
    assert str(loaded.origins["discovery.dns"]) == "env WARREN_DISCOVERY_DNS"
