"""TXT records of a name that lists addresses, a line each; they are all looked at as one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.keys import PrivateKey
from warren.services.discovery.dnsaddr import is_dnsaddr, matching

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr

_PEER = PrivateKey.from_seed(bytes(32)).peer_id
_END = (("p2p", str(_PEER)),)

DOCUMENTED = ()
SEEDS = (
    f"dnsaddr=/ip4/192.0.2.1/tcp/4101/p2p/{_PEER}\ndnsaddr=/dnsaddr/example.org".encode(),
    f"v=spf1 -all\ndnsaddr=/dnsaddr/example.org/p2p/{_PEER}\ndnsaddr=/dns4/example.org/tcp/1".encode(),
)


def parse(data: bytes) -> list[Multiaddr]:
    return matching(data.split(b"\n"), _END)


def verify(data: bytes, found: list[Multiaddr]) -> None:
    assert all(one.peer_id == _PEER or is_dnsaddr(one) for one in found)
    assert set(found) <= set(matching(data.split(b"\n"), ()))
