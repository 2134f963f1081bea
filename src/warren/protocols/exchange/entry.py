"""What one peer signed of itself, as it is handed on: its record, its metadata, and how new both are.

In:  envelopes, ours or foreign. Out: entries; for a foreign one whose it is and its version, once as claimed
(cheap) and once checked. Pure.

Refuses, with `ProtocolViolation`, envelopes that are malformed or over their size, signatures that do not
hold, entries whose two halves are of different peers, and empty ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import ProtocolViolation
from warren.core.peer_metadata import SEALED_BYTES_MAX as METADATA_BYTES_MAX
from warren.core.peer_metadata import PeerMetadata
from warren.core.peer_record import PeerRecord, claimed

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

RECORD_BYTES_MAX: Final = 4096
"""One record: 64 addresses take about as much. Attack: few entries that fill everybody's table."""
AGE_MAX_S: Final = 2 * 86400.0
"""Nobody passes on what was signed before. Fault: peers that left, told of for ever by those who remain."""
CLAIMS_MAX: Final = 512
"""Entries whose claims are remembered, 1 KiB each as a rule: the same one comes from several neighbours."""
_AHEAD_MAX_S: Final = 86400.0
"""A number further ahead of the clock is no time."""


class Version(NamedTuple):
    """The numbers of a peer's record and of its metadata; 0 where there is none."""

    record: int = 0
    metadata: int = 0

    def joined(self, other: Version) -> Version:
        """The newer of each half."""
        return Version(max(self.record, other.record), max(self.metadata, other.metadata))

    def has_news_for(self, other: Version) -> bool:
        """Whether either half is newer than that of `other`."""
        return self.record > other.record or self.metadata > other.metadata

    def has_all_of(self, other: Version) -> bool:
        """Whether neither half of `other` is newer."""
        return not other.has_news_for(self)

    def is_recent(self, wall_s: float) -> bool:
        """Whether one half was signed within the last two days, if its number is a time in milliseconds."""
        return any(-_AHEAD_MAX_S <= wall_s - number / 1000 <= AGE_MAX_S for number in self)


@dataclass(frozen=True, slots=True)
class Entry:
    """Two envelopes, one of which may be empty. told_from: a `Reach`, from how near the record was told; 0:
    nobody says.
    """

    record: bytes = b""
    metadata: bytes = b""
    told_from: int = field(default=0, compare=False)

    @property
    def size(self) -> int:
        """Bytes on the wire, about; never less than they are."""
        return len(self.record) + len(self.metadata) + 16


class Listed(NamedTuple):
    """An entry, whose it is and how new."""

    peer: PeerId
    version: Version
    entry: Entry


def read_claim(entry: Entry) -> tuple[PeerId, Version]:
    """Whose the entry claims to be, and how new; nothing of it is proven. Raises `ProtocolViolation`."""
    if len(entry.record) > RECORD_BYTES_MAX or len(entry.metadata) > METADATA_BYTES_MAX:
        raise ProtocolViolation("peer exchange: an envelope over its size")
    return _read_claim(entry)


@functools.lru_cache(maxsize=CLAIMS_MAX)
def _read_claim(entry: Entry) -> tuple[PeerId, Version]:
    claims = [claimed(envelope) if envelope else None for envelope in (entry.record, entry.metadata)]
    peers = [claim[0] for claim in claims if claim is not None]
    if not peers or peers[0] != peers[-1]:
        raise ProtocolViolation("peer exchange: an entry of no peer, or of two")
    return peers[0], Version(*(claim[1] if claim is not None else 0 for claim in claims))


def check(entry: Entry, known: Version) -> Listed | None:
    """What of the entry is newer than what is known, once its signatures hold (0.1 ms each).

    None: there is nothing new in it. Raises `ProtocolViolation`.
    """
    peer, claim = read_claim(entry)
    record = entry.record if claim.record > known.record else b""
    metadata = entry.metadata if claim.metadata > known.metadata else b""
    if not record and not metadata:
        return None
    # The signatures cover what was claimed: what holds is of this peer, with these numbers.
    if record:
        PeerRecord.open(record)
    if metadata:
        PeerMetadata.open(metadata)
    version = Version(claim.record if record else 0, claim.metadata if metadata else 0)
    return Listed(peer, version, Entry(record, metadata, entry.told_from))
