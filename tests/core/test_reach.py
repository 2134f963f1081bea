"""Nobody is believed about a network nearer to us than the one he speaks from."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach, believable, reach_of, teller_at, teller_of

TELLERS = [Reach.LOOPBACK, Reach.LINK, Reach.PRIVATE, Reach.PUBLIC]
HOSTS = {
    Reach.LOOPBACK: ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"],
    Reach.LINK: ["169.254.169.254", "fe80::7", "::ffff:169.254.1.1"],
    Reach.PRIVATE: [
        *("10.0.0.1", "172.31.255.254", "192.168.1.7", "100.64.0.1", "fd00::7", "fec0::7"),
        # Nobody on the internet routes them: whoever has them has them at home.
        *("192.0.2.1", "198.18.0.1", "240.0.0.1", "2001:db8::7", "::192.168.1.7", "64:ff9b:1::7"),
        # What a translator makes a private address of.
        *("64:ff9b::192.168.1.7", "2002:c0a8:107::1"),
    ],
    Reach.PUBLIC: ["60.1.2.3", "172.32.0.1", "2a01:4f8::7", "::ffff:60.1.2.3", "64:ff9b::60.1.2.3"],
}
NOWHERE = [
    *("/dns4/localhost/tcp/4101", "/dns/example.org/tcp/4101", "/dnsaddr/example.org", "/unix/tmp/x"),
    *("/ip4/60.1.2.3/tcp/0", "/ip4/60.1.2.3", "/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1"),
    *("/ip4/224.0.0.1/tcp/1", "/ip6/ff02::1/tcp/1", "/ip4/60.1.2.3/tcp/1/p2p-circuit"),
]


@pytest.mark.parametrize(("reach", "host"), [(reach, host) for reach in HOSTS for host in HOSTS[reach]])
def test_how_far_an_address_is(reach: Reach, host: str) -> None:
    address = Multiaddr.tcp(host, 4101)
    assert reach_of(address) is reach
    assert teller_at(address) is reach
    assert [teller for teller in TELLERS if believable([address], teller)] == TELLERS[: reach.value]


@pytest.mark.parametrize("text", NOWHERE)
def test_what_nobody_is_believed_about(text: str) -> None:
    address = Multiaddr.parse(text)
    assert reach_of(address) is Reach.NOWHERE
    assert teller_at(address) is Reach.PUBLIC
    assert not any(believable([address], teller) for teller in TELLERS)


def test_who_has_sifted_before_is_believed_about_all() -> None:
    told = [Multiaddr.parse(text) for text in NOWHERE]
    told += [Multiaddr.tcp(host, 1) for hosts in HOSTS.values() for host in hosts]
    assert believable(told, Reach.NOWHERE) == tuple(told)


def test_whose_place_is_not_known_is_far() -> None:
    assert teller_at(None) is Reach.PUBLIC


@pytest.mark.parametrize("number", range(-1, 7))
def test_a_number_that_is_no_distance_is_far(number: int) -> None:
    assert teller_of(number) == (number if number in TELLERS else Reach.PUBLIC)


IPS = st.one_of(
    st.ip_addresses(v=4),
    st.ip_addresses(v=6),
    st.sampled_from([host for hosts in HOSTS.values() for host in hosts]),
)
ADDRESSES = st.builds(lambda ip, port: Multiaddr.tcp(str(ip), port), IPS, st.integers(0, 65535))


@given(st.lists(ADDRESSES), st.sampled_from(TELLERS), st.sampled_from(TELLERS))
def test_the_nearer_the_teller_the_more_is_believed(
    addresses: list[Multiaddr], one: Reach, other: Reach
) -> None:
    near, far = sorted((one, other))
    by_near, by_far = believable(addresses, near), believable(addresses, far)
    assert by_far == believable(by_near, far)
    assert by_near == tuple(address for address in addresses if address in set(by_near))
    assert all(reach_of(address) >= far for address in by_far)


@given(st.lists(ADDRESSES))
def test_of_what_a_stranger_on_the_internet_tells_nothing_is_at_home(addresses: list[Multiaddr]) -> None:
    for address in believable(addresses, Reach.PUBLIC):
        ip = ipaddress.ip_address(address.host or "")
        ip = getattr(ip, "ipv4_mapped", None) or ip
        assert not any((ip.is_private, ip.is_loopback, ip.is_link_local, ip.is_unspecified))
        assert not address.is_private
        assert address.port
