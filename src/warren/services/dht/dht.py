"""`Dht`: values, providers and peers, found and published in the network, as a user asks for them.

In:  names and values, content ids, peers. Out: the same, found; what was published stays so (`publisher.py`).
Names are this node's own: what it puts is signed, and nobody else can put under them. Any bytes will do for
names and values.

Refuses everything while the DHT is switched off (`ConfigError`), names and values out of bounds (`InputError`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from warren.core.cid import RAW, Cid
from warren.core.errors import (
    ConfigError,
    ConnectionFailed,
    ContentUnknown,
    InputError,
    InvalidRecord,
    PeerUnknown,
)
from warren.protocols.kad import signed
from warren.protocols.kad.signed import SignedRecord
from warren.services.dht.keys import encoded, key_of, multihash_of, shown
from warren.services.dht.publisher import Publisher, Putting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.keys import PrivateKey
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.services.dht.publisher import Published
