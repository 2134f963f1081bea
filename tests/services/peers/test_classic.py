"""The classic form: round trips, numbers as text, and what it cannot hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.core.multiaddr import Multiaddr
from warren.services.peers.classic import ClassicEntry, read_entry, write_entry
from warren.services.peers.model import Figure

HOSTS = st.ip_addresses(v=4).filter(
    lambda ip: not (ip.is_unspecified or ip.is_multicast) and int(ip) < 2**32 - 1
)
FIGURES = st.none() | st.decimals(0, 1_000_000, places=3).map(float)
ENTRIES = st.fixed_dictionaries(
    {
        "ipv4": HOSTS.map(str),
        "latency": FIGURES,
        "download": FIGURES,
        "upload": FIGURES,
        "port no": st.integers(1, 65_535),
    }
)
GOOD: dict[str, Any] = {"ipv4": "192.0.2.1", "latency": 12.5, "download": 100, "upload": 50, "port no": 4101}


def written(entry: ClassicEntry) -> Any:
    values = (entry.latency_s, entry.download_bytes_per_s, entry.upload_bytes_per_s)
    return write_entry([entry.address], *(None if value is None else Figure(value, 1.0) for value in values))


@given(ENTRIES, st.booleans())
def test_round_trip(value: dict[str, Any], as_text: bool) -> None:
    given_value = {key: str(one) if as_text and one is not None else one for key, one in value.items()}
    entry, remark = read_entry(json.loads(json.dumps(given_value)))
    assert not remark
    assert written(entry) == value


def test_units_are_ms_and_mbit_per_s() -> None:
    entry, _ = read_entry(GOOD)
    assert entry == ClassicEntry(
        Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"), 0.0125, 12_500_000.0, 6_250_000.0
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(list(GOOD)), inner, max_size=5)
        ),
        max_leaves=8,
    )
)
def test_anything_else_is_refused_in_words(value: Any) -> None:
    try:
        entry, _ = read_entry(value)
    except InputError:
        return
    assert entry.address.port


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ipv4": None}, "missing"),
        ({"ipv4": 3}, "no text"),
        ({"ipv4": "2001:db8::1"}, "no IPv4 address"),
        ({"ipv4": "01.2.3.4"}, "no IPv4 address"),
        ({"ipv4": "0.0.0.0"}, "no peer can be"),
        ({"ipv4": "224.0.0.1"}, "no peer can be"),
        ({"ipv4": "255.255.255.255"}, "no peer can be"),
        ({"port no": None}, "missing"),
        ({"port no": 0}, "no port"),
        ({"port no": 65536}, "between"),
        ({"port no": 1.5}, "no port"),
        ({"port no": True}, "no number"),
        ({"latency": "fast"}, "no number"),
        ({"latency": -1}, "between"),
        ({"latency": 1e9}, "between"),
        ({"download": []}, "no number"),
        ({"upload": 10**400}, "between"),
        ({"upload": "1" * 50}, "no number"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_entry({**GOOD, **changes})


def test_missing_figures_are_missing() -> None:
    for nothing in (None, "", "-", " "):
        entry, _ = read_entry({**GOOD, "latency": nothing, "download": nothing, "upload": nothing})
        assert (entry.latency_s, entry.download_bytes_per_s, entry.upload_bytes_per_s) == (None, None, None)


def test_strange_fields_are_named() -> None:
    _, remark = read_entry({**GOOD, "colour": "red", "name": "x"})
    assert "'colour', 'name'" in remark


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        ([], "no address"),
        (["/ip6/2001:db8::1/tcp/1"], "only IPv6"),
        (["/ip4/192.0.2.1/tcp/1/p2p-circuit"], "relay"),
        (["/ip6/2001:db8::1/tcp/1", "/ip4/192.0.2.1/tcp/1/p2p-circuit"], "only IPv6"),
        (["/ip4/192.0.2.1/udp/1/quic-v1"], "TCP over IPv4"),
        (["/dns4/example.org/tcp/1"], "TCP over IPv4"),
        (["/ip4/192.0.2.1/tcp/1/ws"], "TCP over IPv4"),
    ],
)
def test_what_the_form_cannot_hold_is_said(addresses: list[str], reason: str) -> None:
    said = write_entry([Multiaddr.parse(one) for one in addresses], None, None, None)
    assert isinstance(said, str)
    assert reason in said


def test_the_first_address_that_fits_is_taken() -> None:
    known = ["/ip6/2001:db8::1/tcp/1", "/ip4/192.0.2.2/tcp/2", "/ip4/192.0.2.3/tcp/3"]
    entry = write_entry([Multiaddr.parse(one) for one in known], None, None, None)
    assert isinstance(entry, dict)
    assert (entry["ipv4"], entry["port no"]) == ("192.0.2.2", 2)
