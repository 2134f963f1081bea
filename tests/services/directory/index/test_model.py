"""Whatever happens to an index, in whatever order: it answers as the naive one does."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.services.directory.conformance_index import check, tell
from tests.services.directory.naive_index import FRIENDS, NaiveIndex, cid, listed, peer
from warren.core.entry import Metadata
from warren.core.query import Query, Term
from warren.runtime.real import RealRuntime
from warren.services.directory.index.interface import PUBLIC, Gap, Stale
from warren.services.directory.index.sqlite import SqliteIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from warren.core.peer_id import PeerId
    from warren.protocols.directory.entries import Registered
    from warren.services.directory.index.interface import Position

PEERS = [peer(number) for number in range(3)]
WORDS = ["report", "rep", "Über", "naïve", "a", "or", "日本語", "x1"]

peers = st.sampled_from(PEERS)
askers = st.sampled_from([*PEERS, None])
some_words = st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join)
metadata = st.builds(
    lambda title, author, domain: Metadata(
        title, authors=(author,) if author else (), domains=(domain,) if domain else ()
    ),
    *[some_words] * 3,
)


PATHS = ["S/report.txt", "rep/report.txt", "S/Über rep.pdf", "S/naïve_a", "S/日本語.txt", "or"]
"""Few, so that owners meet at them, and entries replace one another."""
files = st.builds(
    listed,
    st.sampled_from(PATHS),
    st.sampled_from(["1", "2"]),
    size=st.sampled_from([10, 10, 1000]),
    metadata=st.one_of(st.just(Metadata()), metadata),
    audience=st.sampled_from([PUBLIC, PUBLIC, FRIENDS, 1]),
)
folders = st.builds(listed, st.just("S"), kind=st.just("dir"), audience=st.sampled_from([PUBLIC, FRIENDS]))
entries = st.one_of(files, files, folders)

terms = st.builds(
    Term, st.sampled_from(["rep", "report", "ub", "naive", "a", "日", "or", "s", "x"]), st.booleans()
)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    suffixes = tuple(draw(st.lists(st.sampled_from(["txt", "pdf", "dir"]), max_size=2)))
    content = draw(st.sampled_from([None, None, cid("1"), cid("S/report.txt"), cid("nowhere")]))
    return Query(
        tuple(draw(st.lists(terms, min_size=0 if suffixes or content else 1, max_size=3))),
        suffixes,
        size_min=draw(st.sampled_from([None, None, 10])),
        size_max=draw(st.sampled_from([None, None, 10])),
        author=draw(st.sampled_from(["", "", "rep", "ube"])),
        domain=draw(st.sampled_from(["", "", "nai"])),
        online=draw(st.booleans()),
        limit=500,
        cid=content,
    )


class Indexed(RuleBasedStateMachine):
    """An index in memory beside the naive one."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.runtime = RealRuntime(offload_threads=1)
        self.index = self.do(SqliteIndex.open(self.runtime, ":memory:"))
        self.model = NaiveIndex()
        self.index.set_admits(self.model.admits)
        self.words = self.index.public_words()
        self.counts: Counter[str] = Counter()

    def do(self, coro: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coro)

    def teardown(self) -> None:
        self.do(self.index.close())
        self.do(self.runtime.close())
        self.runner.close()

    def both(self, owner: PeerId, change: Callable[[Any], Any]) -> None:
        """The same change on both, with the same outcome."""
        outcomes: list[tuple[type, Position | None] | None] = []
        for one in (self.model, self.index):
            try:
                outcome = change(one)
                if asyncio.iscoroutine(outcome):
                    self.do(outcome)
                outcomes.append(None)
            except (Gap, Stale) as error:
                outcomes.append((type(error), error.position))
        assert outcomes[0] == outcomes[1]
        assert self.index.position(owner) == self.model.positions.get(owner)
        assert self.index.size(owner) == len(self.model.entries.get(owner, ()))

    @rule(
        owner=peers, epochs=st.sampled_from([0, 0, 1, -1]), steps=st.integers(-1, 3), some=st.lists(entries)
    )
    def replace(self, owner: PeerId, epochs: int, steps: int, some: list[Registered]) -> None:
        epoch, seq = self.model.positions.get(owner, (1, 1))
        self.both(owner, lambda one: one.replace(owner, max(0, epoch + epochs), max(0, seq + steps), some))

    @rule(
        owner=peers,
        back=st.sampled_from([0, 0, 0, 1, -1]),
        steps=st.integers(0, 4),
        added=st.lists(entries),
        removed=st.lists(st.sampled_from([*PATHS, "S/nothing"])),
    )
    def apply(
        self, owner: PeerId, back: int, steps: int, added: list[Registered], removed: list[str]
    ) -> None:
        epoch, seq = self.model.positions.get(owner, (1, 0))
        since = max(0, seq - back)
        self.both(owner, lambda one: one.apply(owner, epoch, since, since + steps, added, removed))

    @rule(several=st.dictionaries(peers, st.lists(entries), min_size=2))
    def replace_at_once(self, several: dict[PeerId, list[Registered]]) -> None:
        """In one transaction."""

        async def gather() -> None:
            await asyncio.gather(*(self.index.replace(owner, 9, 0, some) for owner, some in several.items()))

        if all(self.model.positions.get(owner, (0, 0)) <= (9, 0) for owner in several):
            self.do(gather())
            for owner, some in several.items():
                self.model.replace(owner, 9, 0, some)

    @rule(owner=peers)
    def forget(self, owner: PeerId) -> None:
        self.both(owner, lambda one: one.forget(owner))

    @rule(owner=peers, online=st.booleans())
    def go(self, owner: PeerId, online: bool) -> None:
        (self.model.online.add if online else self.model.online.discard)(owner)
        self.index.set_online(owner, online)

    @rule(owner=peers, asker=peers)
    def befriend(self, owner: PeerId, asker: PeerId) -> None:
        self.model.friends.add((owner, asker))

    @rule(query=queries(), asker=askers)
    def search(self, query: Query, asker: PeerId | None) -> None:
        self.do(check(self.index, self.model, query, asker))

    @rule()
    def tell(self) -> None:
        self.do(tell(self.words, self.counts))
        assert +self.counts == self.model.public_words()

    @invariant()
    def finds_all(self) -> None:
        self.do(check(self.index, self.model, Query(suffixes=("txt", "dir"), limit=500), PEERS[0]))


TestIndexed = Indexed.TestCase
TestIndexed.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
