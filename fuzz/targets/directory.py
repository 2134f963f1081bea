"""The messages of the directory, and the registrations in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from warren.core.cid import Cid
from warren.core.entry import Entry, Metadata
from warren.core.errors import ProtocolViolation
from warren.core.found import Counts, Found
from warren.core.keys import PrivateKey
from warren.core.query import Query, terms_of
from warren.protocols.directory.audiences import Audiences
from warren.protocols.directory.entries import Registered
from warren.protocols.directory.messages import (
    End,
    Held,
    HitsAnswer,
    PresenceCall,
    QueryCall,
    Reason,
    RefusedAnswer,
    RegistrationCall,
    answer_to_bytes,
    call_to_bytes,
    read_answer,
    read_call,
)
from warren.protocols.directory.registration import CHANGES_MAX, Registration

if TYPE_CHECKING:
    from warren.protocols.directory.messages import Answer, Call

_KEY = PrivateKey.from_seed(bytes(32))
_ENTRY = Entry("Maps/old.pdf", "file", 5, Cid.raw_sha256(bytes(32)), Metadata("Old maps", authors=("Ada",)))
_REGISTRATION = Registration(
    7,
    1,
    9,
    (Registered(_ENTRY, 3),),
    ("Maps/new.pdf",),
    audiences=Audiences.of(bytes(16), {3: [_KEY.peer_id]}),
)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    b"\x00" + call_to_bytes(QueryCall(Query(terms_of('old "map"'), ("pdf",), author="ada"), 3)),
    b"\x00" + call_to_bytes(QueryCall(Query(cid=_ENTRY.cid))),
    b"\x00" + call_to_bytes(RegistrationCall(_REGISTRATION.seal(_KEY))),
    b"\x00" + call_to_bytes(PresenceCall((_KEY.peer_id,))),
    b"\x01" + answer_to_bytes(HitsAnswer((Found(_KEY.peer_id, _ENTRY, 1.5, online=True),))),
    b"\x01" + answer_to_bytes(End(3, exact=True, counts=Counts(2, 4))),
    b"\x01" + answer_to_bytes(Held((7, 9), bytes(16))),
    b"\x01" + answer_to_bytes(RefusedAnswer(Reason.GAP, "no", (7, 8))),
    b"\x02" + _REGISTRATION.to_payload(),
)


def parse(data: bytes) -> Call | Answer | Registration:
    """The first byte chooses the reader."""
    if data[:1] == b"\x02":
        return Registration.from_payload(data[1:])
    return read_answer(data[1:]) if data[:1] == b"\x01" else read_call(data[1:])


def verify(_data: bytes, parsed: Call | Answer | Registration) -> None:
    if isinstance(parsed, Registration):
        assert len(parsed.added) + len(parsed.removed) <= CHANGES_MAX
        assert Registration.from_payload(parsed.to_payload()) == replace(parsed, left_out=0)
    elif isinstance(parsed, QueryCall):
        assert read_call(call_to_bytes(parsed)) == parsed
    elif isinstance(parsed, HitsAnswer):
        assert read_answer(answer_to_bytes(parsed)) == replace(parsed, bad=0)  # which are not told on
