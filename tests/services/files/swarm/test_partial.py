"""What a fetch under way can serve, and for whom: no source can widen that."""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import Cid
from warren.core.keys import PrivateKey
from warren.runtime.simulated import World
from warren.services.files.dag.pb import NODE_CID_PREFIX
from warren.services.files.index import GROWING, Place
from warren.services.files.swarm import nodes_kept
from warren.services.files.swarm import partial as module
from warren.services.files.swarm.partial import EQUAL_MAX, LEAVES_MAX, PUBLIC, Partial
from warren.services.files.types import Audience

if TYPE_CHECKING:
    import random

    from warren.runtime.simulated.disk import SimulatedDisk

ROOT = Cid.raw_sha256(bytes(32))
ONE, TWO = (Audience("origin", (PrivateKey.from_seed(bytes([n]) * 32).peer_id,)) for n in (1, 2))
NO_DISK: Any = None
"""Nothing is read or written."""
FOLDER = "/down/.warren-x.partial"


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def node(data: bytes) -> tuple[bytes, bytes]:
    return NODE_CID_PREFIX + digest(data), data


def disk() -> SimulatedDisk:
    made: SimulatedDisk = World().runtime("n").disk
    made.make_dirs(FOLDER)
    return made


def partial(**more: object) -> Partial:
    return Partial(ROOT, disk(), FOLDER, **more)  # type: ignore[arg-type]


# --- for whom it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "audience"),
    [
        ([], None),
        ([PUBLIC], PUBLIC),
        ([ONE], ONE),
        ([None], None),
        ([None, PUBLIC], None),
        ([PUBLIC, ONE], ONE),
        ([ONE, PUBLIC], ONE),
        ([ONE, ONE], ONE),
        ([PUBLIC, PUBLIC], PUBLIC),
        ([ONE, TWO], None),
        ([ONE, TWO, ONE], None),
        ([ONE, TWO, PUBLIC], None),
        ([PUBLIC, None], None),
        ([PUBLIC, ONE, TWO], None),
    ],
)
def test_it_is_for_those_for_whom_all_of_it_is(
    words: list[Audience | None], audience: Audience | None
) -> None:
    one = partial()
    for word in words:
        one.use(word)
    assert one.audience == audience


@given(st.lists(st.sampled_from([PUBLIC, ONE, TWO, None]), min_size=1, max_size=6), st.booleans())
def test_no_word_widens_it(words: list[Audience | None], resumed: object) -> None:
    admitted = {PUBLIC: {"all", "one", "two"}, ONE: {"one"}, TWO: {"two"}, None: set[str]()}
    one = Partial(ROOT, NO_DISK, FOLDER, resumed=bool(resumed))
    allowed: set[str] = set() if resumed else {"all", "one", "two"}
    for word in words:
        one.use(word)
        allowed &= admitted[word]
        assert admitted[one.audience] == allowed


def test_a_source_that_would_narrow_it_does_not_fit() -> None:
    new = partial()
    assert [new.fits(word) for word in (PUBLIC, ONE, None)] == [True, True, False]
    public = partial(audience=PUBLIC)
    assert [public.fits(word) for word in (PUBLIC, ONE, None)] == [True, False, False]
    of_one = partial(audience=ONE)
    assert [of_one.fits(word) for word in (PUBLIC, ONE, TWO, None)] == [True, True, False, False]
    for_nobody = partial(resumed=True)
    assert [for_nobody.fits(word) for word in (PUBLIC, ONE, None)] == [True, True, True]


def test_what_was_left_by_an_earlier_attempt_keeps_its_audience() -> None:
    unknown, known = partial(resumed=True), partial(audience=ONE, resumed=True)
    for one in (unknown, known):
        one.use(PUBLIC)
    assert (unknown.audience, known.audience) == (None, ONE)


# --- chunks -----------------------------------------------------------------------------------------------


def test_a_chunk_is_served_once_it_is_stored() -> None:
    one = partial()
    one.on_leaf(0, digest(b"a"), 1, "docs/a.txt", 0)
    one.on_leaf(1, digest(b"b"), 1, "docs/b.bin", 0)
    one.on_leaf(3, digest(b"c"), 7, "docs/b.bin", 1)
    assert one.find_chunk(digest(b"c")) is None
    one.on_stored(3)
    assert one.find_chunk(digest(b"c")) == Place(
        GROWING, FOLDER, "content/docs", "b.bin", 0, 0, start=1, length=7
    )
    assert (list(one.bits), one.find_chunk(digest(b"a"))) == ([3], None)
    one.on_moved("/down/papers (2)")
    found = one.find_chunk(digest(b"c"))
    assert found is not None
    assert (found.top, found.folder, found.name) == ("/down", "papers (2)/docs", "b.bin")


def test_a_file_alone_is_the_content_itself() -> None:
    one = partial()
    one.on_leaf(0, digest(b"a"), 1, "", 0)
    one.on_stored(0)
    found = one.find_chunk(digest(b"a"))
    assert found is not None
    assert (found.top, found.folder, found.name) == (FOLDER, "", "content")
    one.on_moved("/down/a.txt")
    found = one.find_chunk(digest(b"a"))
    assert found is not None
    assert (found.top, found.folder, found.name) == ("/down", "", "a.txt")


def test_a_length_that_nobody_said_is_known_when_it_is_stored() -> None:
    one = partial()
    one.on_leaf(0, digest(b"abc"), module.UNKNOWN, "", 0)
    one.on_stored(0)
    assert one.bits.count == 0
    one.on_stored(0, 3)
    found = one.find_chunk(digest(b"abc"))
    assert found is not None
    assert found.length == 3


def test_equal_chunks_are_served_from_whichever_place_is_there() -> None:
    one = partial()
    for number in range(EQUAL_MAX + 2):
        one.on_leaf(number, digest(b"same"), 4, "a", 4 * number)
        one.on_leaf(number, digest(b"another"), 9, "b", 0)  # said before
    one.on_stored(2)
    found = one.find_chunk(digest(b"same"))
    assert found is not None
    assert (found.start, found.length, found.name) == (8, 4, "a")
    assert one.find_chunk(digest(b"another")) is None


def test_what_is_not_known_or_too_much_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    one = partial()
    one.on_stored(0)
    one.on_leaf(4, digest(b"a"), 1, "a", 0)
    one.on_stored(3)  # a leaf that was not wanted
    one.on_leaf(LEAVES_MAX, digest(b"b"), 1, "a", 0)
    one.on_stored(LEAVES_MAX)
    assert one.bits.count == 0
    assert one.find_chunk(digest(b"b")) is None


# --- nodes ------------------------------------------------------------------------------------------------


def test_nodes_are_kept_in_memory_and_beyond_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes_kept, "MEMORY_BYTES", 10)
    where = disk()
    stale = where.open_write(f"{FOLDER}/nodes", create=True)
    stale.pwrite(0, b"of an earlier attempt")
    stale.close()
    one = Partial(ROOT, where, FOLDER)
    nodes = [node(bytes([n]) * 6) for n in range(4)]
    for cid, block in (*nodes, *nodes):
        one.on_node(cid, block)
    assert [one.find_node(cid) for cid, _ in nodes] == [block for _, block in nodes]
    assert one.find_node(bytes(36)) is None
    assert where.stat(f"{FOLDER}/nodes").size == 18
    where.remove(f"{FOLDER}/nodes")  # the fetch is done, its hidden folder gone
    assert one.find_node(nodes[3][0]) == nodes[3][1]
    with one.reading():
        one.close()
        assert one.find_node(nodes[3][0]) is None
    one.close()
    one.on_node(*nodes[2])
    assert one.find_node(nodes[2][0]) is None


def test_only_so_many_nodes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes_kept, "NODES_MAX", 1)
    one = partial()
    one.on_node(*node(b"a"))
    one.on_node(*node(b"b"))
    assert [one.find_node(node(data)[0]) for data in (b"a", b"b")] == [b"a", None]


class Broken:
    """A disk, or an open file, on which some calls fail."""

    def __init__(self, inner: object, *failing: str) -> None:
        self._inner = inner
        self._failing = failing

    def __getattr__(self, name: str) -> object:
        if name in self._failing:
            return self._fail
        found = getattr(self._inner, name)
        if name == "open_write":
            return lambda *args, **more: Broken(found(*args, **more), *self._failing)
        return found

    def _fail(self, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("failing", ["open_write", "pwrite", "pread", "close"])
def test_a_disk_that_fails_costs_nothing_but_the_nodes(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes_kept, "MEMORY_BYTES", 0)
    one = Partial(ROOT, Broken(disk(), failing), FOLDER)  # type: ignore[arg-type]
    for data in (b"a", b"b"):
        one.on_node(*node(data))
    assert one.find_node(node(b"a")[0]) == (b"a" if failing == "close" else None)
    one.close()


def test_a_file_that_was_cut_serves_nothing_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes_kept, "MEMORY_BYTES", 0)
    where = disk()
    one = Partial(ROOT, where, FOLDER)
    one.on_node(*node(b"abc"))
    cut = where.open_write(f"{FOLDER}/nodes", create=False)
    cut.truncate(1)
    cut.close()
    assert one.find_node(node(b"abc")[0]) is None


# --- read from a place on ---------------------------------------------------------------------------------


def of_one_file(*lengths: int) -> Partial:
    one, offset = partial(), 0
    for number, length in enumerate(lengths):
        one.on_leaf(number, digest(bytes([number])), length, "", offset)
        offset += length
    return one


def test_what_is_stored_from_a_place_on_ends_at_the_first_gap() -> None:
    one = of_one_file(10, 10, 10, 5)
    assert one.stored_from(0, 99) == 0
    for number in (0, 1, 3):
        one.on_stored(number)
    assert [one.stored_from(offset, 99) for offset in (0, 9, 10, 19, 20, 29, 30, 34, 35, 99)] == [
        *(20, 11, 10, 1, 0, 0, 5, 1, 0, 0)
    ]
    assert one.stored_from(5, 7) == 7
    one.on_stored(2)
    assert one.stored_from(0, 99) == 35
    one.close()
    assert one.stored_from(0, 99) == 0


def test_before_anything_is_known_nothing_is_stored() -> None:
    assert partial().stored_from(0, 1) == 0


def test_what_has_no_bytes_or_no_known_length_is_no_obstacle() -> None:
    one = of_one_file(4, 0, 3)
    for number in range(3):
        one.on_stored(number)
    assert one.stored_from(2, 99) == 5
    alone = partial()
    alone.on_leaf(0, digest(b"abc"), module.UNKNOWN, "", 0)
    assert alone.stored_from(0, 99) == 0
    alone.on_stored(0, 3)
    assert alone.stored_from(1, 99) == 2


@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    stored=st.sets(st.integers(0, 11)),
    offset=st.integers(0, 70),
    most=st.integers(1, 70),
    shuffle=st.randoms(),
)
def test_no_byte_is_promised_that_is_not_there(
    lengths: list[int], stored: set[int], offset: int, most: int, shuffle: random.Random
) -> None:
    """In whichever order the leaves are numbered; and in their own, all that is there is found."""
    places = [sum(lengths[:number]) for number in range(len(lengths))]
    order = list(range(len(lengths)))
    shuffle.shuffle(order)
    for numbered in (range(len(lengths)), order):
        one, there = partial(), set()
        for number, place in enumerate(numbered):
            one.on_leaf(number, digest(bytes([place])), lengths[place], "", places[place])
            if place in stored:
                one.on_stored(number)
                there |= set(range(places[place], places[place] + lengths[place]))
        run = next(count for count in range(most + 1) if count == most or offset + count not in there)
        found = one.stored_from(offset, most)
        assert found <= run
        if numbered is not order:
            assert bool(found) == bool(run)
            assert found == run or 0 in lengths  # a leaf of no bytes that did not come ends a run early
