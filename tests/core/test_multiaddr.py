from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core import multiaddr
from warren.core.errors import InvalidMultiaddr
from warren.core.multiaddr import Multiaddr
from warren.core.multiaddr_protocols import BY_NAME
from warren.core.peer_id import PeerId

HASHED = "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"
HASHED_CID = "bafzbeigvf25ytwc3akrijfecaotc74udrhcxzh2cx3we5qqnw5vgrei4bm"
HASHED_36 = "k2k4r8oqamigqdo6o7hsbfwd45y70oyynp98usk7zmyfrzpqxh1pohl7"
INLINE = "12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV"
INLINE_36 = "k51qzi5uqu5dhb6l8spkdx7yxafegfkee5by8h7lmjh2ehc2sgg34z7c15vzqs"
CERTHASH = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g"

# Text with the bytes that go-multiaddr or @multiformats/multiaddr give it.
FOREIGN = [
    ("/ip4/127.0.0.1/udp/1234", "047f000001910204d2"),
    ("/ip4/127.0.0.1/tcp/4321", "047f0000010610e1"),
    ("/ip4/127.0.0.1/udp/1234/ip4/127.0.0.1/tcp/4321", "047f000001910204d2047f0000010610e1"),
    (
        (
            f"/ip4/1.2.3.4/udp/9/quic-v1/webtransport/certhash/{CERTHASH}"
            "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
        ),
        (
            "040102030491020009cd03d103d203221220c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2"
            "a503260024080112202ffa35a99d3a3cfbb17bb7c1dc5561b18a8dcca4df38dc613ea859c37eb1336b"
        ),
    ),
    (
        "/dns4/a.example/tcp/443/tls/sni/b.example/ws",
        "3609612e6578616d706c650601bbc003c10309622e6578616d706c65dd03",
    ),
    ("/ip6zone/eth0/ip6/fe80::1/tcp/1", "2a046574683029fe800000000000000000000000000001060001"),
    ("/ip4/1.2.3.4/udp/9/webrtc-direct", "0401020304910200099802"),
    (
        "/ip4/1.2.3.4/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N/p2p-circuit/webrtc",
        "0401020304060001a5032212209dff3b17d74cf4d38a50d8b6383e92d181a10395a5e73a726dcccbd21bf6f0b9a2029902",
    ),
    (
        "/dnsaddr/bootstrap.libp2p.io/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        (
            "3813626f6f7473747261702e6c69627032702e696fa5032212209dff3b17d74cf4d38a50d8b6383e92d181a10395a5e73a72"
            "6dcccbd21bf6f0b9"
        ),
    ),
    ("/ip4/1.2.3.4/tcp/1/http", "0401020304060001e003"),
    ("/ip4/1.2.3.4/tcp/1/wss", "0401020304060001de03"),
]

LABELS = st.from_regex(r"\A[a-z_][a-z0-9-]{0,10}[a-z_]\Z")
PEERS = st.builds(PeerId.of_key, st.binary(min_size=1, max_size=60)).map(str)
PORTS = st.integers(0, 65535).map(str)
COMPONENTS = st.one_of(
    st.builds("/ip4/{}".format, st.ip_addresses(v=4)),
    st.builds("/ip6/{}".format, st.ip_addresses(v=6)),
    st.builds("/{}/{}".format, st.sampled_from(["tcp", "udp"]), PORTS),
    st.builds(
        "/{}/{}".format,
        st.sampled_from(["dns", "dns4", "dns6", "dnsaddr", "sni"]),
        st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    ),
    st.builds("/p2p/{}".format, PEERS),
    st.builds("/memory/{}".format, st.integers(0, (1 << 64) - 1)),
    st.builds("/ip6zone/{}".format, st.from_regex(r"\A[a-z0-9%]{1,15}\Z")),
    st.just(f"/certhash/{CERTHASH}"),
    st.sampled_from([f"/{name}" for name, protocol in BY_NAME.items() if protocol.size == 0]),
)
TEXTS = st.lists(COMPONENTS, min_size=1, max_size=8).map("".join)


@pytest.mark.parametrize(("text", "raw"), FOREIGN)
def test_foreign_vectors(text: str, raw: str) -> None:
    addr = Multiaddr.parse(text)
    assert addr.to_bytes().hex() == raw
    assert str(Multiaddr.from_bytes(bytes.fromhex(raw))) == text


# From the lists of go-multiaddr's own tests.
@pytest.mark.parametrize(
    "text",
    [
        "/ip4/0.0.0.0",
        "/ip6/::1",
        "/ip6/2601:9:4f81:9700:803e:ca65:66e8:c21/udp/1234/quic",
        "/ip6zone/x%y/ip6/fe80::1",
        "/ip6zone/x/ip6/fe80::1/udp/1234/quic-v1",
        "/udp/0",
        "/tcp/65535",
        f"/p2p/{HASHED}/tcp/1234",
        f"/p2p/{INLINE}",
        "/tcp/1234/tls/http",
        "/tcp/1234/https",
        "/ip4/127.0.0.1/udp/1234/quic-v1/webtransport",
        "/unix/a/b/c/d/e",
        "/unix/stdio",
        "/unix/a//b",
        "/ip4/1.2.3.4/tcp/80/unix/a/b/c/d/e/f",
        "/ip4/127.0.0.1/tcp/127/tls/ws",
        "/ip4/127.0.0.1/tcp/127/noise",
        "/memory/18446744073709551615",
        "/dns/localhost",
        "/dns/xn--bcher-kva.example.",
        "/dnsaddr/_dnsaddr.example.com",
    ],
)
def test_canonical_text_stays_as_it_is(text: str) -> None:
    addr = Multiaddr.parse(text)
    assert str(addr) == text
    assert str(Multiaddr.from_bytes(addr.to_bytes())) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("/ip4/127.0.0.1/tcp/1234/", "/ip4/127.0.0.1/tcp/1234"),
        ("/tcp/00080", "/tcp/80"),
        ("/ip6/2001:DB8:0:0:0:0:0:1", "/ip6/2001:db8::1"),
        ("/ip6/0:0:0:0:0:0:0:0", "/ip6/::"),
        ("/ip6/2001:db8:0:0:1:0:0:1", "/ip6/2001:db8::1:0:0:1"),
        ("/ip6/2001:0:0:1:0:0:0:1", "/ip6/2001:0:0:1::1"),
        ("/ip6/1:0:2:3:4:5:6:7", "/ip6/1:0:2:3:4:5:6:7"),
        ("/ip6/1::", "/ip6/1::"),
        ("/ip6/::ffff:102:304", "/ip6/::ffff:1.2.3.4"),
        ("/ip6/::1.2.3.4", "/ip6/::102:304"),
        (f"/ipfs/{HASHED}", f"/p2p/{HASHED}"),
        (f"/p2p/{HASHED_36}/tcp/1", f"/p2p/{HASHED}/tcp/1"),
        (f"/p2p/{HASHED_CID}", f"/p2p/{HASHED}"),
        (f"/p2p/{INLINE_36}", f"/p2p/{INLINE}"),
        (
            "/certhash/zQmbWTwYGcmdyK9CYfNBcfs9nhZs17a6FQ4Y8oea278xx41",
            "/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g",
        ),
    ],
)
def test_other_spellings_become_canonical(text: str, canonical: str) -> None:
    assert str(Multiaddr.parse(text)) == canonical
    assert Multiaddr.parse(text) == Multiaddr.parse(canonical)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "ip4/1.2.3.4",
        "//ip4/1.2.3.4",
        "/ip4",
        "/ip4/::1",
        "/ip4/1.2.3",
        "/ip4/1.2.3.04",
        "/ip4/\u0661.2.3.4",
        "/ip4//tcp/1",
        "/ip6",
        "/ip6/1.2.3.4",
        "/ip6/fe80::1%eth0",
        "/ip6zone",
        "/ip6zone//ip6/fe80::1",
        "/ip6zone/a b/ip6/fe80::1",
        "/ip6zone/\udc80",
        "/ip6zone/" + "z" * 65,
        "/tcp",
        "/tcp/65536",
        "/tcp/-1",
        "/tcp/+1",
        "/tcp/\u0661",
        "/tcp/0x1",
        "/tcp/" + "0" * 30,
        "/udp/1234/quic/1234",
        "/ip4/127.0.0.1/quic-v1/1234",
        "/certhash/b2uaraocy6yrdblb4sfptaddgimjmmp",
        "/certhash/uAA",
        "/p2p",
        "/p2p/tcp",
        "/p2p/QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY",
        "/unix",
        "/unix/",
        "/unix/\x1b[2J",
        "/unix/\udc80",
        "/memory/18446744073709551616",
        "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234",
        "/dns",
        "/dns/a..b",
        "/dns/.a",
        "/dns/-a.example",
        "/dns/a-.example",
        "/dns/b\u00fccher.example",
        "/dns/a b",
        "/dns/a.example\n",
        "/dns/" + "a" * 64 + ".example",
        "/dns/" + ".".join(["abcdefg"] * 32),
        "/dns4/2130706433",
        "/dns4/0x7f000001",
        "/dns4/127.1",
        "/dns4/0x7f.1.",
        "/dns4/a.example.1",
        "/tcp/1" * (multiaddr.COMPONENTS_MAX + 1),
        "/unix/" + "a" * multiaddr.TEXT_MAX,
        "/unix/" + "a" * multiaddr.BYTES_MAX,
    ],
)
def test_malformed_text(text: str) -> None:
    with pytest.raises(InvalidMultiaddr):
        Multiaddr.parse(text)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "04",
        "04010203",
        "06ff",
        "0100",
        "8400",
        "8404",
        "04010203048",
        "a503",
        "a50300",
        "a5032212",
        "a50380",
        "a503" + "ff" * 9,
        "3500",
        "3501ff",
        "3501" + b"/".hex(),
        "2a01ff",
        "9003012f",
        "9003022f2f",
        "900302612f",
        "900302" + b"ab".hex(),
        "900302" + b"/\n".hex(),
        "d20301ff",
        "900303" + b"/ab".hex() + "060050",
        "a202" * 21,
        "04" + "01020304" + "ff",
        "9003" + "fe03" + b"/".hex() + b"a".hex() * 509,
    ],
)
def test_malformed_bytes(raw: str) -> None:
    with pytest.raises(InvalidMultiaddr):
        Multiaddr.from_bytes(bytes.fromhex(raw if len(raw) % 2 == 0 else raw + "0"))


def test_bytes_that_would_print_too_long_are_refused() -> None:
    hosts = (b"\x29" + b"\x11" * 16) * 18
    certhash = b"\xd2\x03\x83\x01\x00\x80\x01" + bytes(128)
    long = b"\x38\x3f" + b"a" * 63
    for count in range(19):
        raw = hosts[: 17 * count] + certhash + long
        assert len(raw) <= multiaddr.BYTES_MAX
        if count < 18:
            text = str(Multiaddr.from_bytes(raw))
            assert len(text) <= multiaddr.TEXT_MAX
            assert Multiaddr.parse(text).to_bytes() == raw
        else:
            with pytest.raises(InvalidMultiaddr, match="1024 characters"):
                Multiaddr.from_bytes(raw)


@given(TEXTS)
def test_round_trips(text: str) -> None:
    try:
        addr = Multiaddr.parse(text)
    except InvalidMultiaddr:
        assert len(text) > 256
        return
    assert Multiaddr.from_bytes(addr.to_bytes()) == addr
    assert Multiaddr.parse(str(addr)) == addr
    assert hash(Multiaddr.parse(str(addr))) == hash(addr)
    words = [f"/{name}/{value}" if BY_NAME[name].size else f"/{name}" for name, value in addr.components]
    assert "".join(words) == str(addr)


@given(st.ip_addresses(v=6))
def test_ip6_text_is_canonical(ip: ipaddress.IPv6Address) -> None:
    text = Multiaddr.parse(f"/ip6/{ip.exploded}").host
    assert text is not None
    assert ipaddress.IPv6Address(text) == ip
    if not ip.ipv4_mapped:
        assert text == ip.compressed


@given(
    st.binary(max_size=80)
    | st.lists(
        st.sampled_from([bytes.fromhex(raw) for _, raw in FOREIGN]) | st.binary(max_size=6), max_size=4
    ).map(b"".join)
)
def test_bytes_raise_only_what_is_documented(raw: bytes) -> None:
    try:
        addr = Multiaddr.from_bytes(raw)
    except InvalidMultiaddr:
        return
    assert addr.to_bytes() == raw
    assert Multiaddr.parse(str(addr)) == addr
    assert str(addr).isprintable()


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(sorted(BY_NAME)) | st.text(max_size=12), max_size=8).map(
        lambda words: "/" + "/".join(words)
    )
)
def test_text_raises_only_what_is_documented(text: str) -> None:
    try:
        addr = Multiaddr.parse(text)
    except InvalidMultiaddr:
        return
    assert Multiaddr.from_bytes(addr.to_bytes()) == addr


def test_value_behaviour() -> None:
    a, b = Multiaddr.parse("/ip4/1.2.3.4/tcp/1"), Multiaddr.parse("/ip4/1.2.3.4/tcp/2")
    assert repr(a) == "Multiaddr('/ip4/1.2.3.4/tcp/1')"
    assert a != b
    assert a != str(a)
    assert a == a  # noqa: PLR0124
    assert sorted([b, a]) == [a, b]
    assert a < b
    assert a.components == (("ip4", "1.2.3.4"), ("tcp", "1"))
    assert Multiaddr.parse("/ip4/1.2.3.4/udp/1/quic-v1").components[2] == ("quic-v1", "")


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("192.0.2.1", 4101, "/ip4/192.0.2.1/tcp/4101"),
        ("2001:DB8::1", 0, "/ip6/2001:db8::1/tcp/0"),
        ("fe80::1%eth0", 1, "/ip6zone/eth0/ip6/fe80::1/tcp/1"),
        ("host.example", 65535, "/dns/host.example/tcp/65535"),
        ("localhost", 1, "/dns/localhost/tcp/1"),
    ],
)
def test_tcp(host: str, port: int, text: str) -> None:
    addr = Multiaddr.tcp(host, port)
    assert str(addr) == text
    assert (addr.host, addr.port) == (host.lower(), port)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("", 1),
        ("1.2.3", 1),
        ("host/ws", 1),
        ("192.0.2.1", 65536),
        ("192.0.2.1", -1),
        ("::1/", 1),
        ("[::1]", 1),
    ],
)
def test_tcp_refuses(host: str, port: int) -> None:
    with pytest.raises(InvalidMultiaddr):
        Multiaddr.tcp(host, port)


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("/ip4/1.2.3.4/tcp/1", None),
        (f"/ip4/1.2.3.4/tcp/1/p2p/{HASHED}", HASHED),
        (f"/ip4/1.2.3.4/tcp/1/p2p/{HASHED}/p2p-circuit", None),
        (f"/ip4/1.2.3.4/tcp/1/p2p/{HASHED}/p2p-circuit/p2p/{INLINE}", INLINE),
        (f"/p2p/{HASHED}/ip4/1.2.3.4/tcp/1", HASHED),
    ],
)
def test_peer_id_is_who_is_expected_at_the_end(text: str, peer: str | None) -> None:
    assert Multiaddr.parse(text).peer_id == (PeerId.parse(peer) if peer else None)


def test_with_and_without_peer() -> None:
    bare = Multiaddr.parse("/ip4/1.2.3.4/tcp/1")
    peer, other = PeerId.parse(HASHED), PeerId.parse(INLINE)
    named = bare.with_peer(peer)
    assert str(named) == f"/ip4/1.2.3.4/tcp/1/p2p/{HASHED}"
    assert named.with_peer(other).peer_id == other
    assert named.with_peer(other).without_peer() == bare
    assert bare.without_peer() is bare
    circuit = Multiaddr.parse(f"{named}/p2p-circuit")
    assert circuit.without_peer() is circuit
    assert str(circuit.with_peer(other)) == f"{circuit}/p2p/{INLINE}"
    alone = Multiaddr.parse(f"/p2p/{HASHED}")
    assert alone.without_peer() is alone


@pytest.mark.parametrize(
    ("text", "transport", "host", "port"),
    [
        (f"/ip4/1.2.3.4/tcp/1/p2p/{HASHED}", "tcp", "1.2.3.4", 1),
        ("/dns6/a.example/tcp/1", "tcp", "a.example", 1),
        ("/ip4/1.2.3.4/tcp/1/ws", "ws", "1.2.3.4", 1),
        ("/ip4/1.2.3.4/tcp/1/wss", "wss", "1.2.3.4", 1),
        ("/dns/a.example/tcp/443/tls/sni/b.example/ws", "wss", "a.example", 443),
        ("/ip4/1.2.3.4/tcp/443/tls", "", "1.2.3.4", 443),
        ("/ip4/1.2.3.4/tcp/80/http", "", "1.2.3.4", 80),
        ("/ip4/1.2.3.4/udp/1/quic-v1", "quic-v1", "1.2.3.4", 1),
        (f"/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/{CERTHASH}", "webtransport", "1.2.3.4", 1),
        (f"/ip6/::1/tcp/1/p2p/{HASHED}/p2p-circuit/p2p/{INLINE}", "p2p-circuit", "::1", 1),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", "tcp", "fe80::1%eth0", 1),
        ("/unix/run/warren.sock", "unix", None, None),
        ("/dnsaddr/a.example", "", "a.example", None),
        (f"/p2p/{HASHED}", "", None, None),
    ],
)
def test_what_a_dialler_asks(text: str, transport: str, host: str | None, port: int | None) -> None:
    addr = Multiaddr.parse(text)
    assert (addr.transport, addr.host, addr.port) == (transport, host, port)


@pytest.mark.parametrize(
    ("host", "kinds"),
    [
        ("ip4/127.0.0.1", "loopback"),
        ("ip6/::1", "loopback"),
        ("ip6/::ffff:127.0.0.1", "loopback"),
        ("dns/localhost", "loopback"),
        ("ip4/0.0.0.0", "unspecified"),
        ("ip6/::", "unspecified"),
        ("ip4/10.1.2.3", "private"),
        ("ip4/172.31.0.1", "private"),
        ("ip4/192.168.1.1", "private"),
        ("ip4/169.254.1.1", "private"),
        ("ip4/100.64.0.1", "private"),
        ("ip6/fd00::1", "private"),
        ("ip6/fe80::1", "private"),
        ("ip6/::ffff:10.0.0.1", "private"),
        ("ip4/8.8.8.8", "global"),
        ("ip6/2606:4700::1111", "global"),
        ("ip4/224.0.0.1", ""),
        ("ip6/ff02::1", ""),
        ("ip4/192.0.2.1", ""),
        ("dns/a.example", ""),
        ("memory/1", ""),
    ],
)
def test_reach(host: str, kinds: str) -> None:
    addr = Multiaddr.parse(f"/{host}/tcp/1")
    found = {kind for kind in ("loopback", "unspecified", "private", "global") if getattr(addr, f"is_{kind}")}
    assert found == set(kinds.split())
