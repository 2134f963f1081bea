from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.runtime.seam import Stat
from warren.services.files.staging.journal import Journal, decode, encode, key_of, mark_of
from warren.services.files.swarm.bits import Bits

ROOT = "bafk" + "a" * 55


def journal(numbers: set[int], paths: dict[str, tuple[int, int, int]]) -> Journal:
    bits = Bits()
    for number in numbers:
        bits.add(number)
    marks = {
        key_of(path): mark_of(Stat("file", size, mtime_ns, inode))
        for path, (size, mtime_ns, inode) in paths.items()
    }
    return Journal(bits, marks)


SIZES = st.integers(0, 2**64 - 1)
TIMES = st.integers(-(2**63), 2**63 - 1)
JOURNALS = st.builds(
    journal,
    st.sets(st.integers(0, 5000), max_size=20),
    st.dictionaries(st.text(), st.tuples(SIZES, TIMES, st.integers(0, 2**130)), max_size=5),
)


@given(JOURNALS)
def test_a_journal_comes_back_as_it_was(kept: Journal) -> None:
    found = decode(ROOT, encode(ROOT, kept))
    assert found is not None
    assert list(found.bits) == list(kept.bits)
    assert found.marks == kept.marks


@given(JOURNALS, st.data())
def test_what_is_torn_or_damaged_is_no_journal(kept: Journal, data: st.DataObject) -> None:
    whole = encode(ROOT, kept)
    assert decode(ROOT, whole[: data.draw(st.integers(0, len(whole) - 1))]) is None
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    assert decode(ROOT, bytes(damaged)) is None
    assert decode(ROOT, whole + b"\0") is None


@given(st.binary())
def test_any_bytes_are_no_journal(data: bytes) -> None:
    assert decode(ROOT, data) is None


def test_the_journal_of_another_root_or_version_says_nothing() -> None:
    whole = encode(ROOT, journal({1}, {}))
    assert decode(ROOT + "b", whole) is None
    newer = whole[:-33].replace(b"journal 1", b"journal 2")
    assert decode(ROOT, newer + hashlib.sha256(newer).digest()) is None


@pytest.mark.parametrize("change", [Stat("file", 2, 2, 3), Stat("file", 1, 3, 3), Stat("file", 1, 2, 4)])
def test_a_file_that_changed_has_another_mark(change: Stat) -> None:
    assert mark_of(change) != mark_of(Stat("file", 1, 2, 3))
    assert mark_of(Stat("file", 1, 2, 3)) == mark_of(Stat("file", 1, 2, 3, device=9))
