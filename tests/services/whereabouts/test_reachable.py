"""Addresses to hand out: what others can dial, and nothing else."""

from __future__ import annotations

from warren.core.multiaddr import Multiaddr
from warren.services.whereabouts.reachable import reachable

INTERFACES = ["127.0.0.1", "192.168.1.20", "203.0.114.7", "::1", "fd00::2", "fe80::1", "2a01::7"]


def found(listen: list[str], interfaces: list[str] = INTERFACES) -> list[str]:
    return [str(one) for one in reachable([Multiaddr.parse(text) for text in listen], interfaces)]


def test_unspecified_addresses_become_those_of_the_interfaces() -> None:
    assert found(["/ip4/0.0.0.0/tcp/4101"]) == ["/ip4/203.0.114.7/tcp/4101", "/ip4/192.168.1.20/tcp/4101"]
    assert found(["/ip6/::/tcp/4101"]) == ["/ip6/2a01::7/tcp/4101", "/ip6/fd00::2/tcp/4101"]


def test_what_stands_behind_the_address_stays() -> None:
    assert found(["/ip4/0.0.0.0/tcp/80/ws"])[0] == "/ip4/203.0.114.7/tcp/80/ws"


def test_loopback_is_given_only_when_there_is_nothing_else() -> None:
    assert found(["/ip4/127.0.0.1/tcp/4101"]) == ["/ip4/127.0.0.1/tcp/4101"]
    assert found(["/ip4/0.0.0.0/tcp/4101"], ["127.0.0.1", "::1"]) == ["/ip4/127.0.0.1/tcp/4101"]
    both = ["/ip4/127.0.0.1/tcp/4101", "/ip4/192.168.1.20/tcp/4101"]
    assert found(both) == ["/ip4/192.168.1.20/tcp/4101"]


def test_link_local_and_repeated_addresses_are_left_out() -> None:
    assert found(["/ip6/fe80::1/tcp/4101"]) == []
    assert found(["/ip4/192.168.1.20/tcp/1", "/ip4/0.0.0.0/tcp/1"], ["192.168.1.20"]) == [
        "/ip4/192.168.1.20/tcp/1"
    ]


def test_names_pass_as_they_are() -> None:
    assert found(["/dns4/anna.example/tcp/4101"]) == ["/dns4/anna.example/tcp/4101"]
