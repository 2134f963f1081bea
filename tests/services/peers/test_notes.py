"""What waits to be written: the newest word holds, nothing is lost to a failed write, and all is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.services.peers.model import Figure
from warren.services.peers.notes import ADDRESSES_MAX, Notes, Signed, offer

if TYPE_CHECKING:
    from warren.services.peers.notes import Note

PEERS = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(4)]
ADDRESSES = [Multiaddr.tcp("192.0.2.1", port) for port in range(1, 41)]


def write(note: Note, word: tuple[str, int], at: float) -> None:
    what, number = word
    if what == "seen":
        note.seen_at, note.introduces = at, True
    elif what == "latency":
        note.latency = Figure(number, at)
    elif what == "told":
        note.tell([ADDRESSES[number]], at)
    elif what == "proven":
        note.prove(ADDRESSES[number].with_peer(PEERS[0]), at)
    elif what == "source":
        note.add_source(f"s{number}")
    else:
        note.record = offer(note.record, Signed(number, b"%d" % number))


WORDS = st.tuples(
    st.integers(0, 3),
    st.tuples(st.sampled_from(["seen", "latency", "told", "proven", "source", "record"]), st.integers(0, 39)),
)


@given(st.lists(WORDS, max_size=40), st.lists(st.integers(0, 39), max_size=4))
def test_a_failed_write_changes_nothing(words: list[tuple[int, tuple[str, int]]], fails: list[int]) -> None:
    plain, shaken = Notes(), Notes()
    for at, (peer, word) in enumerate(words):
        for notes in (plain, shaken):
            write(notes.of(PEERS[peer], at), word, at)
        if at in fails:
            taken = shaken.take()
            write(shaken.of(PEERS[0], at), ("seen", 0), at)
            write(plain.of(PEERS[0], at), ("seen", 0), at)
            shaken.put_back(taken)
    expected, got = plain.take(), shaken.take()
    assert expected.keys() == got.keys()
    for key, note in expected.items():
        other = got[key]
        assert (note.record and note.record.seq) == (other.record and other.record.seq)
        note.record = other.record = None
        assert note == other


def test_addresses_and_peers_are_bounded() -> None:
    notes = Notes()
    note = notes.of(PEERS[0], 1.0)
    note.tell(ADDRESSES, 1.0)
    assert list(note.told) == ADDRESSES[-ADDRESSES_MAX:]
    for peer in PEERS:
        notes.of(peer, 2.0)
    assert notes.drop_oldest(3) == 1
    assert list(notes) == PEERS[1:]
    assert notes.drop_oldest(3) == 0
    notes.drop(PEERS[1])
    assert len(notes) == 2


def test_of_equal_records_the_first_stays() -> None:
    first, second, newer = Signed(1, b"a"), Signed(1, b"b"), Signed(2, b"c")
    assert offer(None, first) is first
    assert offer(first, second) is first
    assert offer(first, newer) is newer
    assert offer(newer, second) is newer
