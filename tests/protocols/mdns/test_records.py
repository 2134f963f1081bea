"""What is said on the link, and how others' words are read."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.mdns import records
from warren.protocols.mdns.records import Announcement, instance_name, kind_of, read_texts, texts_of

ANNA = PrivateKey.from_seed(b"a" * 32).peer_id
BEN = PrivateKey.from_seed(b"b" * 32).peer_id
LAN = Multiaddr.parse("/ip4/192.168.1.7/tcp/4101")
LAN6 = Multiaddr.parse("/ip6/fd00::7/tcp/4101")


def test_what_we_say_is_what_others_read() -> None:
    texts = texts_of(ANNA, [LAN, LAN6])
    assert texts == (f"dnsaddr={LAN}/p2p/{ANNA}".encode(), f"dnsaddr={LAN6}/p2p/{ANNA}".encode())
    assert read_texts(texts) == Announcement(ANNA, (LAN, LAN6))


def test_keys_that_py_libp2p_numbers_are_read() -> None:
    texts = [f"dnsaddr={LAN}/p2p/{ANNA}".encode(), f"dnsaddr2={LAN6}/p2p/{ANNA}".encode()]
    assert read_texts(texts) == Announcement(ANNA, (LAN, LAN6))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"dnsaddr",
        b"dnsaddr=",
        b"dnsaddr=\xff\xfe",
        f"addr={LAN}/p2p/{ANNA}".encode(),
        f"dnsaddr={LAN}".encode(),  # names no peer
        f"dnsaddr=/dns4/example.org/tcp/1/p2p/{ANNA}".encode(),
        f"dnsaddr=/dnsaddr/example.org/p2p/{ANNA}".encode(),
        f"dnsaddr=/ip4/127.0.0.1/tcp/1/p2p/{ANNA}".encode(),
        f"dnsaddr=/ip6/::1/tcp/1/p2p/{ANNA}".encode(),
        f"dnsaddr=/ip4/0.0.0.0/tcp/1/p2p/{ANNA}".encode(),
        f"dnsaddr=/ip4/224.0.0.251/tcp/1/p2p/{ANNA}".encode(),
        f"dnsaddr=/ip6/fe80::1/tcp/1/p2p/{ANNA}".encode(),
        f"dnsaddr=/ip4/192.168.1.7/tcp/0/p2p/{ANNA}".encode(),
        f"dnsaddr=/ip4/192.168.1.7/p2p/{ANNA}".encode(),
        f"dnsaddr=/p2p/{ANNA}".encode(),
        f"dnsaddr={LAN}/p2p/{BEN}/p2p-circuit/p2p/{ANNA}".encode(),
    ],
)
def test_what_leads_nowhere_on_the_link_is_passed_over(text: bytes) -> None:
    assert read_texts([text]) is None
    good = f"dnsaddr={LAN}/p2p/{ANNA}".encode()
    assert read_texts([text, good]) == Announcement(ANNA, (LAN,))


def test_one_record_speaks_of_one_peer() -> None:
    texts = [*texts_of(ANNA, [LAN]), *texts_of(BEN, [LAN6])]
    assert read_texts(texts) == Announcement(ANNA, (LAN,))


def test_no_more_is_said_and_read_than_fits_a_packet() -> None:
    many = [Multiaddr.tcp(f"10.0.{number // 250}.{number % 250}", 4101) for number in range(1000)]
    said = texts_of(ANNA, many)
    assert len(said) == records.ADDRESSES_MAX
    heard = read_texts([f"dnsaddr={one}/p2p/{ANNA}".encode() for one in many])
    assert heard == Announcement(ANNA, tuple(many[: records.ADDRESSES_MAX]))


def test_an_address_that_no_string_holds_is_left_out() -> None:
    long = Multiaddr.parse("/dns4/" + ".".join(["a" * 60] * 4) + "/tcp/1")
    assert texts_of(ANNA, [long, LAN]) == texts_of(ANNA, [LAN])


def test_kinds_fit_a_service_name_and_differ() -> None:
    assert kind_of("") == "_p2p._udp.local"
    kinds = {kind_of(name) for name in ("", "chess", "go", "ü" * 100)}
    assert len(kinds) == 4
    for kind in kinds:
        label = kind.partition(".")[0].removeprefix("_")
        assert len(label) <= 15
        assert label.replace("-", "").isalnum()


def test_names_of_instances_are_random_and_fit_a_label() -> None:
    names = {instance_name(os.urandom) for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) <= 63 for name in names)


@given(st.lists(st.binary(max_size=255), max_size=100))
def test_any_strings_are_read_without_an_error(texts: list[bytes]) -> None:
    found = read_texts(texts)
    assert found is None or 1 <= len(found.addresses) <= records.ADDRESSES_MAX


@given(st.lists(st.sampled_from([LAN, LAN6]), max_size=20), st.integers(0, 200))
def test_a_record_cut_anywhere_is_read_without_an_error(addresses: list[Multiaddr], cut: int) -> None:
    texts = [text[:cut] for text in texts_of(ANNA, addresses)]
    found = read_texts(texts)
    assert found is None or set(found.addresses) <= {LAN, LAN6}
