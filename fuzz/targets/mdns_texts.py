"""TXT records as somebody on the local link says them: strings, each with its length before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.mdns.records import (
    ADDRESSES_MAX,
    is_on_a_link,
    read_texts,
    texts_of,
)
from warren.runtime.real.links import strings

if TYPE_CHECKING:
    from warren.protocols.mdns.records import Announcement

_PEER = PrivateKey.from_seed(bytes(32)).peer_id
_ADDRS = [Multiaddr.parse(text) for text in ("/ip4/192.168.1.7/tcp/4101", "/ip6/fd00::7/tcp/4101")]

DOCUMENTED = ()
SEEDS = (
    b"".join(bytes((len(text),)) + text for text in texts_of(_PEER, _ADDRS)),
    b"\x00\x03a=b" + b"".join(bytes((len(text),)) + text for text in texts_of(_PEER, _ADDRS[:1])),
)


def parse(data: bytes) -> Announcement | None:
    return read_texts(strings(data))


def verify(_data: bytes, said: Announcement | None) -> None:
    if said is not None:
        assert 1 <= len(said.addresses) <= ADDRESSES_MAX
        assert all(is_on_a_link(one) and one.without_peer() == one for one in said.addresses)
        assert read_texts(texts_of(said.peer, said.addresses)) in (said, None)
