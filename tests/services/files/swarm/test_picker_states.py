"""The picker against random sources: slow, broken, partial, lying, and those that come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.services.files.swarm.test_picker import FILE, digest
from warren.services.files.swarm.picker import ASKED_BYTES_MAX, COPIES_MAX, Done, Picker, Request, Wait
from warren.services.files.swarm.pieces import CHUNK_BYTES, State

if TYPE_CHECKING:
    from warren.services.files.swarm.pieces import Offer, Piece

LENGTHS = (1, 1000, CHUNK_BYTES)
Which = st.integers(0, 4)


class Source:
    """What one source does: has some leaves, lies or not."""

    def __init__(self, picker: Picker, bits: set[int] | None, *, lies: bool) -> None:
        self.bits = bits
        self.lies = lies
        self.offer: Offer = picker.join(bits)
        self.held: list[Piece] = []
        self.stalled = False


class Swarming(RuleBasedStateMachine):
    """Whatever sources do, what is wanted is got as long as an honest one has it."""

    @initialize(
        seed=st.integers(0, 1 << 32),
        sequential=st.booleans(),
        wanted=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(LENGTHS)), max_size=6),
        whole=st.integers(0, 3),
        closed=st.booleans(),
    )
    def begin(
        self, seed: int, sequential: bool, wanted: list[tuple[int, int]], whole: int, closed: bool
    ) -> None:
        self.picker = Picker(sequential=sequential, seed=seed)
        self.places: list[int] = []
        self.filled: list[int] = []
        self.present: list[Source] = []
        self.closed = False
        self.want(wanted)
        for _ in range(whole):
            self.come(None, lies=False)
        if closed:  # so that the end game comes early
            self.know_all()

    def want(self, wanted: list[tuple[int, int]]) -> None:
        for number, length in wanted:
            place = len(self.places)
            self.places.append(place)
            self.picker.add(digest(number * 8 + LENGTHS.index(length)), length, FILE, place, place)

    def know_all(self) -> None:
        self.closed = True
        self.picker.close()

    def come(self, bits: set[int] | None, *, lies: bool) -> None:
        if len(self.present) < 5:
            self.present.append(Source(self.picker, bits, lies=lies))

    @rule(
        wanted=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(LENGTHS)), max_size=30),
        bits=st.none() | st.sets(st.integers(0, 90)),
        lies=st.booleans(),
        last=st.booleans(),
    )
    def grow(self, wanted: list[tuple[int, int]], bits: set[int] | None, lies: bool, last: bool) -> None:
        """More becomes known to be wanted, and a source comes."""
        if not self.closed:
            self.want(wanted)
        self.come(bits, lies=lies)
        if last:
            self.know_all()

    @precondition(lambda self: self.present)
    @rule(
        which=Which,
        more=st.sets(st.integers(0, 90)),
        less=st.sets(st.integers(0, 90)),
        whole=st.booleans(),
    )
    def tell(self, which: int, more: set[int], less: set[int], whole: bool) -> None:
        """A source that has a part says what it has now."""
        source = self.pick(which)
        if source.bits is None:
            return
        new = more - source.bits
        source.bits |= new
        self.picker.on_gained(new)
        source.bits -= less
        self.picker.on_shrunk()
        if whole:
            source.bits = None
            self.picker.has_all(source.offer)

    def pick(self, which: int) -> Source:
        return self.present[which % len(self.present)]

    @precondition(lambda self: self.picker._sequential)
    @rule(places=st.lists(st.integers(0, 90), min_size=1, max_size=3))
    def read(self, places: list[int]) -> None:
        """Somebody waits for what is missing there; saying so again changes nothing."""
        self.picker.seek(places)
        assert not self.picker.seek(places)

    @precondition(lambda self: self.present)
    @rule(which=Which, limit=st.integers(1, 16 * CHUNK_BYTES), rate=st.sampled_from([0.0, 1.0, 1e6]))
    def ask(self, which: int, limit: int, rate: float) -> None:
        source = self.pick(which)
        source.offer.bytes_per_s = rate
        self.ask_of(source, limit)

    @precondition(lambda self: len(self.present) > 1)
    @rule(which=Which, other=Which, count=st.integers(1, 9))
    def ask_two(self, which: int, other: int, count: int) -> None:
        """Both are asked for all they may be, and something comes of both."""
        for source in (self.pick(which), self.pick(other)):
            while isinstance(self.ask_of(source, 4 * CHUNK_BYTES), Request):
                pass
        for source in (self.pick(which), self.pick(other)):
            self.arrive(source, count)

    def ask_of(self, source: Source, limit: int) -> object:
        before = set(source.offer.asked)
        under_way = {piece for one in self.present if not one.stalled for piece in one.offer.asked}
        wanted = self.picker.backlog
        has_use = self.picker.has_use_of(source.offer)
        decision = self.picker.next(source.offer, limit)
        if (
            not before
        ):  # who waits for its turn for that does not wait in vain, and who does not misses nothing
            assert isinstance(decision, Request) == has_use
        if isinstance(decision, Request):
            assert decision.pieces
            assert not source.stalled
            for piece in decision.pieces:
                assert piece not in before
                assert piece.state not in {State.KEPT, State.HELD}
                assert decision.check or source.offer.has(piece)
            twice = under_way & set(decision.pieces)
            if twice and not decision.check:
                assert self.closed or (self.picker._sequential and wanted)
                assert not before
        return decision

    @precondition(lambda self: self.present)
    @rule(which=Which, count=st.integers(1, 9), at_once=st.booleans())
    def send(self, which: int, count: int, at_once: bool) -> None:
        source = self.pick(which)
        self.arrive(source, count)
        if at_once:
            self.verify_all(source)

    def arrive(self, source: Source, count: int) -> None:
        self.recover(source)
        for piece in list(source.offer.asked)[:count]:
            if self.picker.on_arrival(source.offer, piece):
                source.held.append(piece)

    @precondition(lambda self: self.present)
    @rule(which=Which)
    def verify(self, which: int) -> None:
        self.verify_all(self.pick(which))

    def verify_all(self, source: Source) -> None:
        held, source.held = source.held, []
        for piece in held:
            if not source.lies:
                self.filled += [place for _, place in piece.targets]
                self.picker.on_success(piece)
            elif self.picker.on_failure(source.offer, piece) and source in self.present:
                self.present.remove(source)
                self.picker.leave(source.offer)

    @precondition(lambda self: self.present)
    @rule(which=Which, how=st.sampled_from(["lose", "stall", "stall", "recover", "go"]))
    def fail(self, which: int, how: str) -> None:
        source = self.pick(which)
        if how == "lose":
            source.stalled = False
            self.picker.on_lost(source.offer)
        elif how == "stall" and source.offer.asked:
            source.stalled = True
            self.picker.on_stalled(source.offer)
        elif how == "recover":
            self.recover(source)
        elif how == "go":
            self.present.remove(source)
            self.picker.leave(source.offer)
            self.verify_all(source)  # its threads end later

    def recover(self, source: Source) -> None:
        if source.stalled:
            source.stalled = False
            self.picker.on_recovered(source.offer)

    @invariant()
    def is_sound(self) -> None:
        if not hasattr(self, "picker"):
            return
        under_way = 0
        for source in self.present:
            offer = source.offer
            assert offer.asked_bytes == sum(piece.weight for piece in offer.asked)
            under_way += 0 if source.stalled else offer.asked_bytes
        assert under_way == self.picker._asked_bytes
        assert under_way <= ASKED_BYTES_MAX + 5 * CHUNK_BYTES
        states = [piece.state for piece in self.picker._open]
        assert states.count(State.WANTED) == self.picker.backlog
        assert State.KEPT not in states
        for piece in self.picker._open:
            askers = [one for one in self.present if piece in one.offer.asked and not one.stalled]
            assert piece.copies == len(askers) <= COPIES_MAX + 1  # a check may come on top
            assert piece.state is not State.ASKED or askers
            assert piece.state is not State.WANTED or not askers
        assert len(self.filled) == len(set(self.filled))

    def teardown(self) -> None:
        """With one honest source of everything, it always ends."""
        if not hasattr(self, "picker"):
            return
        self.know_all()
        for source in list(self.present):
            self.verify_all(source)
        if not any(source.bits is None and not source.lies for source in self.present):
            self.present.append(Source(self.picker, None, lies=False))
        for _ in range(1000):
            decisions = []
            for source in list(self.present):
                self.recover(source)
                decisions.append(self.ask_of(source, 4 * CHUNK_BYTES))
                self.arrive(source, 100)
                self.verify_all(source)
            if all(isinstance(one, Done) for one in decisions):
                break
            assert not all(isinstance(one, Wait) for one in decisions) or self.picker._asked_bytes == 0
        assert sorted(self.filled) == self.places


TestSwarming = Swarming.TestCase
TestSwarming.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
