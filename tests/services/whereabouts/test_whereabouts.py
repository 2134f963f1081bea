"""Listening where the user said, and telling others where that is."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, cast

import pytest

from tests.support import run
from warren.core.errors import ConfigError
from warren.core.multiaddr import Multiaddr
from warren.services.whereabouts.whereabouts import INTERFACES_FRESH_S, Whereabouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.network.network import Network

PORT = 4101


class FakeNetwork:
    """What `Whereabouts` uses of a network; `refuse` holds the error number for an address, by its text."""

    def __init__(self) -> None:
        self.listen_addrs: list[Multiaddr] = []
        self.interfaces = ["127.0.0.1", "192.168.1.20"]
        self.looked = 0
        self.now = 100.0
        self.refuse: dict[str, int] = {}
        self.runtime = self
        self.transport = self

    def as_network(self) -> Network:
        return cast("Network", self)

    def clock(self) -> float:
        return self.now

    def interface_addresses(self) -> list[str]:
        self.looked += 1
        return self.interfaces

    async def listen(self, addresses: Sequence[Multiaddr]) -> None:
        for address in addresses:
            number = self.refuse.get(str(address))
            if number:
                raise OSError(number, os.strerror(number))
            self.listen_addrs.append(Multiaddr.tcp(address.host or "", address.port or PORT))


def listen(network: FakeNetwork, *addresses: str) -> list[str]:
    run(Whereabouts(network.as_network()).listen([Multiaddr.parse(text) for text in addresses]))
    return [str(one) for one in network.listen_addrs]


def refused(network: FakeNetwork, *addresses: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        listen(network, *addresses)
    return caught.value


def test_where_the_port_is_open_one_is_used_for_all() -> None:
    assert listen(FakeNetwork(), "/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0", "/ip4/127.0.0.1/tcp/7") == [
        f"/ip4/0.0.0.0/tcp/{PORT}", f"/ip6/::/tcp/{PORT}", "/ip4/127.0.0.1/tcp/7"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "says", "cure"),
    [
        (errno.EADDRINUSE, "port 80 of 192.0.2.1 is taken by another program", "/ip4/192.0.2.1/tcp/0"),
        (errno.EACCES, "no permission to listen on port 80", "above 1023"),
        (errno.EADDRNOTAVAIL, "cannot listen on /ip4/192.0.2.1/tcp/80: Cannot assign", "another address"),
    ],
)
def test_an_address_that_is_refused_names_port_and_cure(number: int, says: str, cure: str) -> None:
    network = FakeNetwork()
    network.refuse = {"/ip4/192.0.2.1/tcp/80": number}
    error = refused(network, "/ip4/192.0.2.1/tcp/80")
    assert says in str(error)
    assert cure in error.hint


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_machine_without_ipv6_listens_on_what_it_has(number: int) -> None:
    network = FakeNetwork()
    network.refuse = {"/ip6/::/tcp/0": number, f"/ip6/::/tcp/{PORT}": number}
    assert listen(network, "/ip6/::/tcp/0", "/ip4/0.0.0.0/tcp/0") == [f"/ip4/0.0.0.0/tcp/{PORT}"]
    network = FakeNetwork()
    network.refuse = {"/ip6/::/tcp/0": number}
    assert "/ip6/::/tcp/0" in str(refused(network, "/ip6/::/tcp/0"))


def test_interfaces_are_looked_at_now_and_then_and_when_the_listeners_change() -> None:
    network = FakeNetwork()
    whereabouts = Whereabouts(network.as_network())
    assert whereabouts.reachable() == []
    network.listen_addrs = [Multiaddr.parse("/ip4/0.0.0.0/tcp/1")]
    found = [str(one) for one in whereabouts.reachable()]
    assert found == ["/ip4/192.168.1.20/tcp/1"]
    looked = network.looked
    network.interfaces = ["127.0.0.1", "192.168.7.7"]
    assert [str(one) for one in whereabouts.reachable()] == found
    assert network.looked == looked
    network.now += INTERFACES_FRESH_S + 1
    assert [str(one) for one in whereabouts.reachable()] == ["/ip4/192.168.7.7/tcp/1"]
