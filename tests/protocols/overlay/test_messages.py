"""The messages of the overlay come out as they went in, and what is none is refused."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.targets.overlay import SEEDS
from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.errors import ProtocolViolation
from warren.core.found import Found
from warren.core.peer_id import PeerId
from warren.core.query import Query, terms_of
from warren.protocols.overlay import messages
from warren.protocols.overlay.messages import (
    HITS_BYTES_MAX,
    HITS_MAX,
    Again,
    Ask,
    Done,
    Hits,
    Join,
    Summary,
    decode,
    encode,
    split,
)
from warren.protocols.overlay.proto import overlay_pb2 as pb

if TYPE_CHECKING:
    from warren.protocols.overlay.messages import (
        Message,
    )

ID = bytes(range(16))
PEER = PeerId(b"\x00\x24\x08\x01\x12\x20" + bytes(32))
QUERY = Query(terms_of('"light" house'), ("pdf",), 1, 9, "Anna", "botany", online=True, limit=7)
METADATA = Metadata("A title", "about", ("Anna",), ("botany",), ("tag",), "MIT")
ENTRY = Entry("share/light.pdf", "file", 5, Cid.raw_sha256(hashlib.sha256(b"x").digest()), METADATA)
ALL = (
    Join(),
    Ask(ID, 2, 5, 3, 7, 4000, QUERY),
    Ask(ID, 2, 5, 3, 50, 4000, Query(terms_of("light")), bytes(16)),
    Hits(ID, PEER, (Found(PEER, ENTRY, 1.5, True), Found(PEER, Entry("a", "dir", 0, ENTRY.cid), 0.0, False))),
    Done(ID, 2, 3, 4, 5),
    Done(ID, 2, refused=True),
    Summary(1, 2**60, 3, True, 16, 1, b"flips"),
    Again(),
)


@pytest.mark.parametrize("message", ALL)
def test_it_comes_out_as_it_went_in(message: Message) -> None:
    assert decode(encode(message)) == message


def ask(**changes: object) -> bytes:
    fields = {"id": ID, "round": 1, "ttl": 3, "wanted": 5, "search": pb.Search(terms=[pb.Term(word="x")])}
    return pb.Message(ask=pb.Ask(**{**fields, **changes})).SerializeToString()  # type: ignore[arg-type]


def hits(**changes: object) -> bytes:
    fields = {"owner": PEER.to_bytes(), "path": "a", "cid": ENTRY.cid.to_bytes()}
    one = pb.Hit(**{**fields, **changes})  # type: ignore[arg-type]
    return pb.Message(hits=pb.Hits(id=ID, responder=PEER.to_bytes(), hits=[one])).SerializeToString()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        ask(id=b"short"),
        ask(ttl=0),
        ask(ttl=messages.TTL_MAX + 1),
        ask(round=0),
        ask(round=messages.ROUNDS_MAX + 1),
        ask(search=pb.Search()),
        ask(search=pb.Search(terms=[pb.Term(word="")])),
        ask(search=pb.Search(terms=[pb.Term(word="x" * 41)])),
        ask(search=pb.Search(terms=[pb.Term(word="x")] * 13)),
        ask(search=pb.Search(suffixes=["x"] * 17)),
        ask(search=pb.Search(suffixes=["x" * 501])),
        hits(owner=b"nobody"),
        hits(cid=b"nothing"),
        hits(path=""),
        hits(path="x" * 4097),
        hits(path="../a"),
        hits(path="a//b"),
        hits(path="/a"),
        hits(path="a\0b"),
        hits(size=1 << 63),
        hits(cid=b"\x01\x55\x00\x40" + bytes(64)),
        hits(metadata=pb.Metadata(title="x" * 301)),
        pb.Message(hits=pb.Hits(id=ID, responder=b"")).SerializeToString(),
        pb.Message(hits=pb.Hits(id=ID, hits=[pb.Hit()] * (HITS_MAX + 1))).SerializeToString(),
        pb.Message(done=pb.Done(id=b"")).SerializeToString(),
        encode(Summary(2, 1, 1, True, 16, 0, b"")),
        encode(Summary(0, 1, 1, True, 16, 2, b"")),
        encode(Summary(0, 1, 1, True, 9, 0, b"")),
        encode(Summary(0, 1, 1, True, 24, 0, b"")),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        decode(data)


def test_claims_beyond_sense_are_cut() -> None:
    message = decode(ask(breadth=99, left_ms=2**31, wanted=2**31))
    assert isinstance(message, Ask)
    assert (message.breadth, message.left_ms, message.wanted) == (3, messages.DEADLINE_MS_MAX, 500)
    done = decode(pb.Message(done=pb.Done(id=ID, asked=2**31, skipped=2**31, ring=2**31)).SerializeToString())
    assert done == Done(ID, 0, messages.COUNT_MAX, messages.COUNT_MAX, messages.COUNT_MAX)
    scored = decode(hits(score=float("inf")))
    assert isinstance(scored, Hits)
    assert scored.hits[0].score == 0.0


@given(st.lists(st.integers(0, 3900), max_size=120))
def test_hits_are_split_within_the_bounds(sizes: list[int]) -> None:
    found = [
        Found(PEER, Entry(f"{number}", "file", 1, ENTRY.cid, Metadata(abstract="x" * size)), 1.0, True)
        for number, size in enumerate(sizes)
    ]
    parts = list(split(ID, PEER, found))
    assert [one for part in parts for one in part.hits] == found
    for part in parts:
        assert len(encode(part)) <= HITS_BYTES_MAX
        assert decode(encode(part)) == part


def test_a_hit_that_fits_into_no_message_is_left_out() -> None:
    large = Metadata(tags=tuple("\U0001f5fc" * 120 for _ in range(32)), abstract="\U0001f5fc" * 4000)
    many = Metadata(large.title, large.abstract, large.tags, large.tags, large.tags)
    entry = Entry("a" * 4096, "file", 1, ENTRY.cid, many)
    assert list(split(ID, PEER, [Found(PEER, entry, 1.0, True)])) == []


def test_a_hit_that_nobody_takes_is_left_out() -> None:
    good = Found(PEER, ENTRY, 1.5, True)
    bad = [Found(PEER, Entry(path, "file", 1, ENTRY.cid), 1.0, True) for path in ("a" * 4097, "../a")]
    assert list(split(ID, PEER, [*bad, good])) == [Hits(ID, PEER, (good,))]


def test_mutations_raise_nothing_else() -> None:
    chance = random.Random(1)
    for _ in range(500):
        data = bytearray(chance.choice(SEEDS))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            decode(bytes(data))
        except ProtocolViolation:
            continue
