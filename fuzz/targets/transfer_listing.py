"""Listings of the transfer protocol: no name that is a path."""

from __future__ import annotations

from warren.core.errors import ProtocolViolation
from warren.protocols.transfer import messages
from warren.protocols.transfer.messages import Entry, Kind, Listing

_CID = b"\x01\x55\x12\x20" + bytes(32)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    messages.encode_listing(Listing(None, [Entry("a", Kind.FILE, 5, _CID), Entry("b", Kind.DIR, 9, _CID)])),
    messages.encode_listing(
        Listing(Entry("here", Kind.DIR, 9, _CID), [Entry("link", Kind.SYMLINK, 0, _CID)], True)
    ),
)


def parse(data: bytes) -> Listing:
    return messages.decode_listing(memoryview(data))


def verify(_data: bytes, listing: Listing) -> None:
    assert messages.decode_listing(messages.encode_listing(listing)) == listing
    for entry in listing.entries:
        assert entry.name
        assert not set("/\0") & set(entry.name)
