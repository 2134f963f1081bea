from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import ProtocolViolation
from warren.core.framing import FrameDecoder
from warren.protocols.transfer import messages
from warren.protocols.transfer.messages import (
    NODE_PREFIX,
    RAW_PREFIX,
    ChunksRequest,
    Entry,
    Header,
    Kind,
    Listing,
    ListRequest,
    Status,
    TreeRequest,
    TurnRequest,
)
from warren.protocols.transfer.proto import transfer_pb2 as pb

if TYPE_CHECKING:
    from warren.protocols.transfer.messages import (
        Request,
    )

DIGESTS = st.binary(min_size=32, max_size=32)
IDS = st.integers(0, 2**64 - 1)
REQUESTS = (
    st.builds(ListRequest, IDS, st.text(max_size=50), st.text(max_size=50), st.integers(0, 1000))
    | st.builds(TreeRequest, IDS, st.lists(DIGESTS.map(lambda d: NODE_PREFIX + d), min_size=1, max_size=9))
    | st.builds(ChunksRequest, IDS, st.lists(DIGESTS, min_size=1, max_size=9), st.booleans())
    | st.builds(TurnRequest, IDS, st.booleans())
)
LENGTHS = st.lists(st.integers(0, 10_000), max_size=100).map(tuple)
COUNTS = st.integers(0, 2**32 - 1)
HEADERS = st.builds(Header, IDS, st.just(Status.OK), COUNTS, LENGTHS, st.booleans(), COUNTS) | st.builds(
    Header, IDS, st.sampled_from(Status), COUNTS, st.just(()), st.booleans(), COUNTS
)
NAMES = st.text(min_size=1, max_size=20).filter(lambda name: not set(name) & set("/\0"))
ENTRIES = st.builds(
    Entry,
    NAMES,
    st.sampled_from(Kind),
    st.integers(0, 2**64 - 1),
    DIGESTS.map(lambda digest: RAW_PREFIX + digest),
)
LISTINGS = st.builds(Listing, st.none() | ENTRIES, st.lists(ENTRIES, max_size=5).map(tuple), st.booleans())


def unframe(raw: bytes) -> bytes:
    (payload,) = FrameDecoder(1 << 20).receive(raw)
    return payload


@given(REQUESTS)
def test_requests_round_trip(request: Request) -> None:
    assert messages.decode_request(unframe(messages.encode_request(request))) == request


@given(HEADERS)
def test_headers_round_trip(header: Header) -> None:
    assert messages.decode_header(unframe(messages.encode_header(header))) == header


@given(LISTINGS)
def test_listings_round_trip(listing: Listing) -> None:
    assert messages.decode_listing(messages.encode_listing(listing)) == listing


@given(st.binary(max_size=200))
def test_foreign_bytes_raise_nothing_else(raw: bytes) -> None:
    for decode in (messages.decode_request, messages.decode_header, messages.decode_listing):
        try:
            decode(raw)
        except ProtocolViolation:
            continue


def test_the_largest_messages_fit_their_caps() -> None:
    digests = [bytes(32)] * messages.WANTS_MAX
    cids = [NODE_PREFIX + bytes(32)] * messages.WANTS_MAX
    path = "p" * messages.PATH_BYTES_MAX
    for request in (
        ChunksRequest(2**64 - 1, digests, True),
        TreeRequest(2**64 - 1, cids),
        ListRequest(2**64 - 1, path, path),
    ):
        raw = unframe(messages.encode_request(request))
        assert len(raw) <= messages.REQUEST_BYTES_MAX
        messages.decode_request(raw)
    header = Header(2**64 - 1, Status.OK, 2**32 - 1, (1024,) * 1024, True, 2**32 - 1)
    raw = unframe(messages.encode_header(header))
    assert len(raw) <= messages.HEADER_BYTES_MAX
    assert messages.decode_header(raw) == header


@pytest.mark.parametrize(
    "message",
    [
        pb.Request(id=1),
        pb.Request(chunks=pb.Chunks()),
        pb.Request(chunks=pb.Chunks(digests=[bytes(31)])),
        pb.Request(chunks=pb.Chunks(digests=[bytes(32)] * 1025)),
        pb.Request(tree=pb.Tree()),
        pb.Request(tree=pb.Tree(cids=[bytes(36)])),
        pb.Request(tree=pb.Tree(cids=[RAW_PREFIX + bytes(32)])),
        pb.Request(tree=pb.Tree(cids=[NODE_PREFIX + bytes(32)] * 1025)),
        pb.Request(list=pb.List(path="ü" * 2049)),
        pb.Request(list=pb.List(after="p" * 4097)),
    ],
)
def test_requests_that_are_refused(message: pb.Request) -> None:
    with pytest.raises(ProtocolViolation):
        messages.decode_request(message.SerializeToString())


@pytest.mark.parametrize(
    "raw",
    [
        pb.Answer(lengths=[1] * 1025).SerializeToString(),
        pb.Answer(lengths=[2**20, 1]).SerializeToString(),
        pb.Answer(status=pb.BUSY, lengths=[1]).SerializeToString(),
        b"\x10\x63",  # status 99
        b"\xff",
    ],
)
def test_headers_that_are_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        messages.decode_header(raw)


@pytest.mark.parametrize(
    "message",
    [
        pb.Listing(entries=[pb.Entry(name="a", cid=bytes(36))]),
        pb.Listing(entries=[pb.Entry(name="a", cid=RAW_PREFIX + bytes(31))]),
        pb.Listing(entries=[pb.Entry(name="", cid=RAW_PREFIX + bytes(32))]),
        pb.Listing(entries=[pb.Entry(name="a/b", cid=RAW_PREFIX + bytes(32))]),
        pb.Listing(here=pb.Entry(name="a\0", cid=RAW_PREFIX + bytes(32))),
        pb.Listing(entries=[pb.Entry(name="a", cid=RAW_PREFIX + bytes(32))] * 1001),
    ],
)
def test_listings_that_are_refused(message: pb.Listing) -> None:
    with pytest.raises(ProtocolViolation):
        messages.decode_listing(message.SerializeToString())


def test_an_entry_of_an_unknown_kind_is_refused() -> None:
    entry = b"\x0a\x01a\x10\x09\x22\x24" + RAW_PREFIX + bytes(32)
    with pytest.raises(ProtocolViolation, match="kind 9"):
        messages.decode_listing(b"\x12" + bytes([len(entry)]) + entry)
