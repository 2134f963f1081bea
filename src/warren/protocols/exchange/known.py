"""What somebody knows, told in a few bytes: a Bloom filter over peers and the versions of their entries.

In:  peers with versions, and a salt; or the filter of a stranger. Out: bytes; whether a peer in a version may
be among those. It never denies what is in it; it claims less than one in a thousand that are not. The salt is
new for each filter, so whoever was withheld by such an error this time is told of next time.

Refuses filters and salts over their size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.protocols.exchange.entry import Version

SALT_BYTES: Final = 8
SALT_BYTES_MAX: Final = 16
"""Attack: a long salt that is hashed once for each peer that we know."""
ENTRIES_MAX: Final = 2560
"""What one filter tells of: of more, the newest."""
FILTER_BYTES_MAX: Final = 5 * 1024
"""16 bits for each of `ENTRIES_MAX`. Attack: a stranger makes us hold a large message."""
_BYTES_EACH: Final = 2
_PROBES: Final = 7
"""With 16 bits each 0.07 % are claimed wrongly; more probes would gain little."""
_BYTES_MIN: Final = 64


@dataclass(frozen=True, slots=True)
class Known:
    """A filter: `(peer, version) in known`."""

    salt: bytes = b""
    bits: bytes = b""

    def __post_init__(self) -> None:
        """Raises `ProtocolViolation` for what is too large."""
        if len(self.salt) > SALT_BYTES_MAX or len(self.bits) > FILTER_BYTES_MAX:
            raise ProtocolViolation("peer exchange: the filter of what is known is too large")

    @classmethod
    def of(cls, items: Sequence[tuple[PeerId, Version]], salt: bytes) -> Known:
        """The filter of the first `ENTRIES_MAX` of `items`."""
        count = min(len(items), ENTRIES_MAX)
        bits = bytearray(max(count * _BYTES_EACH, _BYTES_MIN) if count else 0)
        for peer, version in items[:count]:
            for place in _places(salt, peer, version, len(bits) * 8):
                bits[place >> 3] |= 1 << (place & 7)
        return cls(salt, bytes(bits))

    def __contains__(self, item: tuple[PeerId, Version]) -> bool:
        if not self.bits:
            return False
        return _all_set(self.bits, _places(self.salt, *item, len(self.bits) * 8))


def _all_set(bits: bytes, places: Iterable[int]) -> bool:
    return all(bits[place >> 3] >> (place & 7) & 1 for place in places)


def _places(salt: bytes, peer: PeerId, version: Version, size: int) -> Iterator[int]:
    """Where the bits of an item are: two hashes, combined as often as it takes."""
    item = b"".join((peer.to_bytes(), *(number.to_bytes(8, "big") for number in version)))
    digest = hashlib.blake2b(item, digest_size=16, salt=salt).digest()
    first, step = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big") | 1
    return ((first + probe * step) % size for probe in range(_PROBES))
