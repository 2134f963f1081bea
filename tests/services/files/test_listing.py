from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import Cid
from warren.protocols.transfer.messages import (
    LISTING_BYTES_MAX,
    RAW_PREFIX,
    Entry,
    Kind,
    Listing,
    decode_listing,
    encode_listing,
)
from warren.services.files import listing
from warren.services.files.index import ListedEntry
from warren.services.files.types import FileEntry

CID = RAW_PREFIX + bytes(32)
NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255), unique=True)


@given(names=NAMES, limit=st.integers(1, 10))
def test_pages_together_hold_every_entry_once_in_order(names: list[str], limit: int) -> None:
    entries = [ListedEntry(name, "file", 1, CID) for name in sorted(names)]
    seen: list[str] = []
    more = True
    while more:
        after = seen[-1] if seen else ""
        left = [entry for entry in entries if entry.name > after][: limit + 1]
        page = listing.page(None, left, limit)
        assert len(page.entries) <= limit
        seen += [entry.name for entry in page.entries]
        more = page.more
    assert seen == sorted(names)
    assert sorted(names) == sorted(names, key=str.encode)  # as the index orders them


def test_a_page_of_long_names_keeps_the_cap() -> None:
    entries = [ListedEntry(f"{number:04}" + "ü" * 1000, "dir", (1 << 64) - 1, CID) for number in range(1000)]
    page = listing.page(None, entries, 1000)
    assert page.more
    assert 200 < len(page.entries) < 1000
    assert len(encode_listing(page)) <= LISTING_BYTES_MAX


def test_the_end_is_told() -> None:
    entries = [ListedEntry("a", "file", 1, CID), ListedEntry("b", "file", 1, CID)]
    assert not listing.page(None, entries, 2).more
    assert listing.page(None, entries, 1).more
    assert listing.page(None, entries, 0) == Listing(None, [], more=True)
    assert listing.page(None, [], 5) == Listing(None, [])


def test_entries_travel_and_are_shown() -> None:
    here = listing.to_wire(ListedEntry("", "dir", 9, CID), "share")
    assert here == Entry("share", Kind.DIR, 9, CID)
    kinds: list[ListedEntry] = [
        ListedEntry("d", "dir", 1, CID), ListedEntry("f", "file", 2, CID), ListedEntry("l", "symlink", 0, CID)
    ]  # fmt: skip
    arrived = decode_listing(encode_listing(listing.page(here, kinds, 10)))
    cid = Cid.from_bytes(CID)
    assert listing.to_user(arrived, "share") == [
        FileEntry("d", "share/d", "dir", 1, cid),
        FileEntry("f", "share/f", "file", 2, cid),
        FileEntry("l", "share/l", "symlink", 0, cid),
    ]
    assert listing.to_user(Listing(None, arrived.entries[:1]), "")[0].path == "d"
    file = Listing(Entry("f", Kind.FILE, 2, CID))
    assert listing.to_user(file, "share/f") == [FileEntry("f", "share/f", "file", 2, cid)]
