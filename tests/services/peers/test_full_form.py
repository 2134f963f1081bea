"""The full form: all that is kept comes back, and what is signed is checked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.peers.support import ANNA, BOB, CAFE, HOME, OFFICE, key_of, metadata, record
from warren.core.errors import InputError
from warren.services.peers.full_form import read_entry, write_entry, write_lead
from warren.services.peers.model import STATES, Figure, Kept, Lead, Peer

TIMES = st.floats(0, 1e10)
FIGURES = st.none() | st.builds(Figure, st.floats(0, 3600), TIMES)
WORDS = st.lists(st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True), max_size=4, unique=True).map(tuple)
ADDRESSES = st.lists(st.sampled_from([HOME, CAFE, OFFICE]), unique=True).map(tuple)
PEERS = st.builds(
    Peer,
    peer_id=st.just(ANNA),
    addresses=ADDRESSES,
    first_seen=TIMES,
    last_seen=st.none() | TIMES,
    latency=FIGURES,
    jitter_s=st.none() | st.floats(0, 1),
    response=FIGURES,
    download=FIGURES,
    upload=FIGURES,
    state=st.sampled_from(STATES),
    public=st.sampled_from([None, True, False]),
    roles=WORDS,
    metadata=st.just({"a": "ä"}),
    blocked=st.booleans(),
    agent=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    sources=WORDS,
)


@given(PEERS, st.data())
def test_a_peer_comes_back(peer: Peer, data: st.DataObject) -> None:
    proven = {address: data.draw(TIMES) for address in peer.addresses if data.draw(st.booleans())}
    kept = Kept(peer, proven, record(key_of(ANNA), 3, HOME), metadata(key_of(ANNA), 4, a="ä"))
    again, remark = read_entry(json.loads(json.dumps(write_entry(kept))))
    assert (again, remark) == (kept, "")


@given(st.builds(Lead, st.sampled_from([HOME, CAFE]), TIMES, FIGURES, FIGURES, FIGURES))
def test_a_lead_comes_back(lead: Lead) -> None:
    assert read_entry(json.loads(json.dumps(write_lead(lead)))) == (lead, "")


def entry(**changes: Any) -> dict[str, Any]:
    return {"peer_id": str(ANNA), **changes}


def test_nothing_but_the_id_is_needed() -> None:
    kept, _ = read_entry(entry())
    assert kept == Kept(Peer(ANNA), {}, None, None)
    plain, _ = read_entry(
        entry(addresses=[str(HOME.with_peer(ANNA)), {"address": str(CAFE), "proven_at": 7}])
    )
    assert isinstance(plain, Kept)
    assert (plain.peer.addresses, dict(plain.proven)) == ((HOME, CAFE), {CAFE: 7.0})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "no object"),
        ({}, "neither"),
        ({"addresses": [str(HOME), str(CAFE)]}, "neither"),
        (entry(peer_id="anna"), "peer id"),
        (entry(peer_id=3), "no text"),
        (entry(addresses="x"), "no list"),
        (entry(addresses=[str(HOME)] * 65), "over 64"),
        (entry(addresses=["nowhere"]), "not an address"),
        (entry(addresses=[3]), "no text"),
        (entry(state="dead"), "none of new"),
        (entry(state=[]), "none of new"),
        (entry(latency=3), "no object"),
        (entry(latency={"value": "x"}), "no number"),
        (entry(last_seen=-1), "between"),
        (entry(public="yes"), "neither true nor false"),
        (entry(roles=["DHT!"]), "plain word"),
        (entry(sources=[{}]), "plain word"),
        (entry(agent="x" * 300), "longer"),
        (entry(record="%%%"), "base64"),
        (entry(record="AAAA"), "envelope"),
        (
            entry(record=write_entry(Kept(Peer(BOB), {}, record(key_of(BOB), 1, HOME), None))["record"]),
            "another",
        ),
        (
            entry(
                metadata_record=write_entry(Kept(Peer(BOB), {}, None, metadata(key_of(BOB), 1)))[
                    "metadata_record"
                ]
            ),
            "another",
        ),
    ],
)
def test_what_is_wrong_is_said(value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_entry(value)


def test_what_means_nothing_is_named() -> None:
    assert "'colour'" in read_entry(entry(colour="red"))[1]
    assert "did not sign" in read_entry(entry(metadata={"a": "b"}))[1]


@given(
    st.dictionaries(
        st.sampled_from(
            ["peer_id", "addresses", "latency", "state", "record", "roles", "blocked", "first_seen"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=6) | st.just(str(ANNA)),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
            ),
            max_leaves=5,
        ),
    )
)
def test_anything_is_read_or_refused_in_words(value: dict[str, Any]) -> None:
    try:
        found, _ = read_entry(value)
    except InputError:
        return
    again = write_lead(found) if isinstance(found, Lead) else write_entry(found)
    assert read_entry(json.loads(json.dumps(again))) == (found, "")
