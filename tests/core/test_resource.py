"""Resources: what is sealed opens again, each speaks for itself alone, and the caps hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import DAG_PB, Cid
from warren.core.entry import ABSTRACT_CHARS_MAX, NAME_CHARS_MAX, NAMES_MAX, TITLE_CHARS_MAX, Metadata
from warren.core.envelope import SignedEnvelope
from warren.core.errors import InputError, MisuseError, ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.peer_metadata import PeerMetadata
from warren.core.proto import resource_pb2 as pb
from warren.core.resource import (
    CID_BYTES_MAX,
    DOMAIN,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_TYPE,
    SEALED_BYTES_MAX,
    SEQ_MAX,
    Resource,
)

KEY = PrivateKey.from_seed(bytes(range(32)))
OTHER = PrivateKey.from_seed(bytes(32))
CID = Cid.raw_sha256(bytes(32))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.lists(TEXTS.filter(bool), max_size=3).map(tuple)
SAID = st.builds(Metadata, TEXTS, TEXTS, NAMES, NAMES, NAMES, TEXTS)


def sealed(payload: bytes, *, payload_type: bytes = PAYLOAD_TYPE, domain: str = DOMAIN) -> bytes:
    return SignedEnvelope.seal(KEY, domain, payload_type, payload).to_bytes()


def payload(cid: bytes = CID.to_bytes(), seq: int = 1, **said: str | list[str]) -> bytes:
    return pb.Resource(cid=cid, seq=seq, **said).SerializeToString()  # type: ignore[arg-type]


@given(st.integers(0, SEQ_MAX), SAID)
def test_round_trip(seq: int, said: Metadata) -> None:
    resource = Resource(KEY.peer_id, CID, seq, said)
    assert Resource.open(resource.seal(KEY)) == resource


def test_a_folder_is_named_by_its_id_in_either_version() -> None:
    for cid in (Cid(0, DAG_PB, CID.multihash), Cid(1, DAG_PB, CID.multihash)):
        assert Resource.open(Resource(KEY.peer_id, cid, 1, Metadata("x")).seal(KEY)).cid == cid


def test_nobody_speaks_for_another() -> None:
    with pytest.raises(MisuseError, match="publisher"):
        Resource(OTHER.peer_id, CID, 1, Metadata("x")).seal(KEY)
    mine = Resource(KEY.peer_id, CID, 1, Metadata("mine"))
    theirs = Resource(OTHER.peer_id, CID, 9, Metadata("theirs"))
    assert Resource.open(mine.seal(KEY)).publisher == KEY.peer_id
    assert Resource.open(theirs.seal(OTHER)).publisher == OTHER.peer_id


def test_a_changed_word_does_not_hold() -> None:
    raw = Resource(KEY.peer_id, CID, 1, Metadata("apples")).seal(KEY)
    with pytest.raises(ProtocolViolation, match="signature"):
        Resource.open(raw.replace(b"apples", b"pearls"))


def test_all_together_is_capped_too() -> None:
    names = tuple(f"{n:0120}" for n in range(NAMES_MAX))
    long = "題" * ABSTRACT_CHARS_MAX
    much = Metadata("t" * TITLE_CHARS_MAX, long, names, names, names)
    with pytest.raises(InputError, match=str(PAYLOAD_BYTES_MAX)):
        Resource(KEY.peer_id, CID, 1, much).seal(KEY)
    raw = payload(abstract=long, authors=list(names), domains=list(names))
    with pytest.raises(ProtocolViolation, match="exceeds"):
        Resource.open(sealed(raw))


def test_an_abstract_in_any_common_script_fits() -> None:
    said = Metadata("題" * TITLE_CHARS_MAX, "題" * ABSTRACT_CHARS_MAX, ("題" * NAME_CHARS_MAX,))
    assert len(Resource(KEY.peer_id, CID, SEQ_MAX, said).seal(KEY)) <= SEALED_BYTES_MAX


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(SEALED_BYTES_MAX + 1),
        sealed(b"\xff"),
        sealed(payload(title="x"), payload_type=b"\x03\x01"),
        sealed(payload(title="x"), domain="warren-peer-metadata"),
        sealed(payload(cid=b"", title="x")),
        sealed(payload(cid=CID.to_bytes()[:-1], title="x")),
        sealed(payload(cid=b"\x01\x55\x00" + bytes([CID_BYTES_MAX]) + bytes(CID_BYTES_MAX), title="x")),
        sealed(payload(title="x" * (TITLE_CHARS_MAX + 1))),
        sealed(payload(authors=["x"] * (NAMES_MAX + 1))),
        sealed(payload(tags=[""])),
        sealed(payload(domains=["x" * (NAME_CHARS_MAX + 1)])),
        PeerMetadata(KEY.peer_id, 1, {"k": "v"}).seal(KEY),
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Resource.open(data)


@pytest.mark.parametrize(
    "said", [{"title": "\ud800"}, {"abstract": "\udfff"}, {"licence": "\ud800"}, {"tags": ("a", "\ud800")}]
)
def test_halves_of_surrogate_pairs_are_no_text(said: dict[str, str]) -> None:
    with pytest.raises(InputError, match="not text"):
        Metadata(**said)  # type: ignore[arg-type]
