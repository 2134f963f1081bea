"""Lists of addresses in DNS, which may name further lists."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from tests.runtime.name_server import NameServer
from tests.support import run as run_really
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.runtime.real import RealTransport
from warren.services.discovery import dnsaddr
from warren.services.discovery.dnsaddr import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNA = PrivateKey.from_seed(b"a" * 32).peer_id
BEN = PrivateKey.from_seed(b"b" * 32).peer_id
AT_ANNA = Multiaddr.parse(f"/ip4/192.0.2.1/tcp/4101/p2p/{ANNA}")
AT_BEN = Multiaddr.parse(f"/ip6/2001:db8::2/tcp/4101/p2p/{BEN}")


class Names:
    """TXT records of a test, and who was asked for them."""

    def __init__(self, texts: Mapping[str, list[str]]) -> None:
        self.texts = texts
        self.asked: list[str] = []

    async def resolve_txt(self, name: str) -> list[bytes]:
        self.asked.append(name)
        if name not in self.texts:
            raise socket.gaierror(socket.EAI_NONAME, name)
        return [text.encode() for text in self.texts[name]]


def found(text: str, texts: Mapping[str, list[str]]) -> list[Multiaddr]:
    return asyncio.run(resolve(Multiaddr.parse(text), Names(texts)))


def test_entries_are_found_and_other_records_passed_over() -> None:
    texts = ["v=spf1 -all", "dnsaddr=nonsense", f"dnsaddr={AT_ANNA}", "dnsaddr", f"dnsaddr={AT_BEN}"]
    assert found("/dnsaddr/example.org", {"_dnsaddr.example.org": texts}) == [AT_ANNA, AT_BEN]


def test_only_entries_of_the_peer_that_is_named_count() -> None:
    texts = {
        "_dnsaddr.example.org": [f"dnsaddr={AT_ANNA}", f"dnsaddr={AT_BEN}", "dnsaddr=/ip4/192.0.2.3/tcp/1"]
    }
    assert found(f"/dnsaddr/example.org/p2p/{BEN}", texts) == [AT_BEN]


@pytest.mark.parametrize("inner", ["/dnsaddr/inner.org", f"/dnsaddr/inner.org/p2p/{ANNA}"])
def test_lists_of_lists_are_followed_and_keep_to_the_peer(inner: str) -> None:
    texts = {
        "_dnsaddr.example.org": [f"dnsaddr={inner}", f"dnsaddr={AT_BEN}"],
        "_dnsaddr.inner.org": [f"dnsaddr={AT_ANNA}", f"dnsaddr={AT_BEN}"],
    }
    assert found(f"/dnsaddr/example.org/p2p/{ANNA}", texts) == [AT_ANNA]


def test_a_list_that_names_itself_is_asked_for_once() -> None:
    names = Names(
        {
            "_dnsaddr.a.org": ["dnsaddr=/dnsaddr/a.org", "dnsaddr=/dnsaddr/b.org"],
            "_dnsaddr.b.org": ["dnsaddr=/dnsaddr/a.org"],
        }
    )
    assert asyncio.run(resolve(Multiaddr.parse("/dnsaddr/a.org"), names)) == []
    assert names.asked == ["_dnsaddr.a.org", "_dnsaddr.b.org"]


def test_depth_look_ups_and_addresses_are_bounded() -> None:
    deep = {
        f"_dnsaddr.n{n}.org": [f"dnsaddr=/dnsaddr/n{n + 1}.org", f"dnsaddr=/ip4/10.0.0.{n}/tcp/1"]
        for n in range(50)
    }
    names = Names(deep)
    assert len(asyncio.run(resolve(Multiaddr.parse("/dnsaddr/n0.org"), names))) == dnsaddr.DEPTH_MAX
    wide = Names({"_dnsaddr.w.org": [f"dnsaddr=/dnsaddr/w{n}.org" for n in range(200)]})
    assert asyncio.run(resolve(Multiaddr.parse("/dnsaddr/w.org"), wide)) == []
    assert len(wide.asked) == dnsaddr.LOOK_UPS_MAX
    many = {"_dnsaddr.m.org": [f"dnsaddr=/ip4/10.0.{n // 250}.{n % 250}/tcp/1" for n in range(1000)]}
    assert len(found("/dnsaddr/m.org", many)) == dnsaddr.ADDRESSES_MAX


def test_a_broken_list_among_others_costs_what_stands_in_it() -> None:
    texts = {"_dnsaddr.a.org": ["dnsaddr=/dnsaddr/missing.org", f"dnsaddr={AT_ANNA}"]}
    assert found("/dnsaddr/a.org", texts) == [AT_ANNA]


def test_a_name_without_a_list_is_an_error() -> None:
    with pytest.raises(OSError, match=r"_dnsaddr\.example\.org"):
        found("/dnsaddr/example.org", {})


def test_a_real_name_server_tells_the_same() -> None:
    server = NameServer()
    server.texts["_dnsaddr.example.org"] = [b"dnsaddr=/dnsaddr/inner.org"]
    server.texts["_dnsaddr.inner.org"] = [f"dnsaddr={AT_ANNA}".encode()]
    transport = RealTransport(name_servers=[server.address])
    try:
        assert run_really(resolve(Multiaddr.parse("/dnsaddr/example.org"), transport)) == [AT_ANNA]
    finally:
        server.close()
