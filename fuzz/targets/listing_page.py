"""Pages of a listing: whatever is asked, an answer keeps its cap, and who goes on comes to the end."""

from __future__ import annotations

from warren.core.errors import ProtocolViolation
from warren.protocols.transfer.messages import (
    LISTING_ENTRIES_MAX,
    PAYLOAD_BYTES_MAX,
    RAW_PREFIX,
    ListRequest,
    decode_request,
    encode_listing,
    encode_request,
)
from warren.services.files import listing
from warren.services.files.index import ListedEntry

_CID = RAW_PREFIX + bytes(32)
_NAMES = sorted(
    [f"{number:03}{'ü' * 120}" for number in range(300)] + [chr(0x20 + number) * 3 for number in range(64)]
)
_ENTRIES = [ListedEntry(name, "file", 1 << 40, _CID) for name in _NAMES]

DOCUMENTED = (ProtocolViolation,)
# A request begins behind its length.
SEEDS = tuple(
    encode_request(ListRequest(1, path, after, limit))[1:]
    for path, after, limit in [
        ("", "", 1000),
        ("share/folder", "100", 7),
        ("x", "\U0001f600", 0),
        ("a", "", 1),
    ]
)


def parse(data: bytes) -> ListRequest:
    request = decode_request(data)
    if not isinstance(request, ListRequest):
        raise ProtocolViolation("another request")
    return request


def verify(_data: bytes, request: ListRequest) -> None:
    assert request.limit <= LISTING_ENTRIES_MAX
    after, seen = request.after, 0
    left = [entry for entry in _ENTRIES if entry.name > after]
    while left and request.limit:
        page = listing.page(None, left[: request.limit + 1], request.limit)
        assert 0 < len(page.entries) <= request.limit
        assert len(encode_listing(page)) <= PAYLOAD_BYTES_MAX
        assert page.more == (len(page.entries) < len(left))
        seen += len(page.entries)
        left = left[len(page.entries) :]
    assert not request.limit or seen == sum(entry.name > after for entry in _ENTRIES)
