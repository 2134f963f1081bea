"""What a libp2p node says of itself on the local link, and how others' words are read. Pure.

In:  a namespace, addresses with a peer id; the strings of somebody's TXT record. Out: the kind and the
strings of our own service; the addresses of a peer. What is said on a link is proven by nobody: a peer id in
it is a claim, until a handshake shows its key.

Refuses, each string by itself: what is not `dnsaddr=` with an address that names its peer; names, which would
make us ask name servers for a stranger; relayed, loopback and unspecified addresses, which lead elsewhere
than to this link.
https://github.com/libp2p/specs/blob/master/discovery/mdns.md
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError
from warren.core.multiaddr import Multiaddr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.core.peer_id import PeerId

KIND: Final = "_p2p._udp.local"
"""Under which all of libp2p meets."""
ADDRESSES_MAX: Final = 8
"""Of one peer, said and heard. Attack: one name with thousands of addresses. All must fit one packet, too."""
STRINGS_MAX: Final = 64
"""Looked at in one record."""
STRING_BYTES_MAX: Final = 255
INSTANCE_BYTES: Final = 20
_KEY: Final = b"dnsaddr="
# `_p2p-` and eleven digits: a service name has 15 characters at most (RFC 6335, section 5.1).
_DIGITS: Final = 11


@dataclass(frozen=True, slots=True)
class Announcement:
    """Somebody says that `peer` is reached at `addresses`, which do not repeat its id."""

    peer: PeerId
    addresses: tuple[Multiaddr, ...]


def kind_of(namespace: str) -> str:
    """Where those meet who share a namespace; all of libp2p where it is "".

    The specification gives private networks `_p2p-X`, with a hash in X.
    """
    if not namespace:
        return KIND
    return f"_p2p-{hashlib.sha256(namespace.encode()).hexdigest()[:_DIGITS]}._udp.local"


def instance_name(random_bytes: Callable[[int], bytes]) -> str:
    """A name that says nothing about the node and that nobody else has."""
    return random_bytes(INSTANCE_BYTES).hex()


def texts_of(peer: PeerId, addresses: Iterable[Multiaddr]) -> tuple[bytes, ...]:
    """The strings of our TXT record."""
    found = (_KEY + str(address.with_peer(peer)).encode() for address in addresses)
    return tuple([text for text in found if len(text) <= STRING_BYTES_MAX][:ADDRESSES_MAX])


def read_texts(texts: Iterable[bytes]) -> Announcement | None:
    """What the strings of a TXT record say; None if they say nothing of use.

    A record speaks of one peer: addresses of others than the first are passed over.
    """
    peer: PeerId | None = None
    addresses: dict[Multiaddr, None] = {}
    for text in list(texts)[:STRINGS_MAX]:
        address = _address_in(text)
        if address is None or address.peer_id is None or address.peer_id != (peer or address.peer_id):
            continue
        peer = address.peer_id
        addresses[address.without_peer()] = None
    return Announcement(peer, tuple(addresses)[:ADDRESSES_MAX]) if peer is not None else None


def _address_in(text: bytes) -> Multiaddr | None:
    # py-libp2p numbers its keys (dnsaddr2=), for want of repeated ones in what it is built on.
    key, equals, value = text.partition(b"=")
    if not equals or key.rstrip(b"0123456789").lower() + equals != _KEY:
        return None
    try:
        address = Multiaddr.parse(value.decode())
    except (InputError, UnicodeDecodeError):
        return None
    return address if is_on_a_link(address) else None


def is_on_a_link(address: Multiaddr) -> bool:
    """Whether a node on a local network may be found at this address without further help."""
    try:
        ip = ipaddress.ip_address(address.host or "")
    except ValueError:
        return False
    is_zoned = ip.version == 6 and ip.is_link_local  # it means nothing without the zone of this machine
    is_place = not (ip.is_unspecified or ip.is_loopback or ip.is_multicast or is_zoned)
    return is_place and bool(address.port) and address.transport not in {"", "p2p-circuit"}
