"""A thousand super-peers in one event queue: the real machines of the overlay, without sockets.

`Asking`, `Routing`, `Deepening`, `Summaries` and the filters are the product's own, and each message is
encoded as it goes over the wire; what is simulated is the time it takes, what the super-peers hold, and the
DHT, of which only the cost is known here: it is that of whole nodes, as `bench dht` measures it.

What they hold: files with Zipf-like popularity. A file of rank r is held by `TOP / r**s` super-peers, by one
at least. Its name has two words of a topic (drawn by Zipf from a few thousand) and one of its own (which few
other files have); who searches gives its own word and one of the topic.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter, defaultdict
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bench.overlay_flood import flood
from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.found import Found
from warren.core.peer_id import PeerId
from warren.core.query import Query, terms_of
from warren.protocols.overlay.messages import Ask, Done, Hits, encode, split
from warren.protocols.overlay.rounds import SECRET_BYTES, Rounds
from warren.runtime.simulated import virtual_loop
from warren.services.overlay.asking import Asking
from warren.services.overlay.bloom import Counted, size_for
from warren.services.overlay.deepening import Deepening, DeepeningPolicy
from warren.services.overlay.interfaces import Holder
from warren.services.overlay.rare import rare_words, rarest
from warren.services.overlay.routing import Blame, Deliver, Look, RoundEnded, Routing, Send
from warren.services.overlay.spreading import of_owners
from warren.services.overlay.summaries import LEVELS, Summaries, SummaryPolicy
from warren.services.overlay.summarising import PROVIDE_AGAIN_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterable

DEGREE: Final = 8
TOP: Final = 500
"""Super-peers that hold the most popular file."""
FILES: Final = 200_000
TOPIC_WORDS: Final = 4000
LATENCY_S: Final = (0.02, 0.12)
LOOK_S: Final = 0.001
FRAME_BYTES: Final = 32
"""Around each message: its length, a header of Yamux, and its part of a Noise message."""
DHT_FIND_MESSAGES: Final = 334.5
DHT_FIND_BYTES: Final = 95_600.0
"""Of a look-up of providers in a town of a thousand whole nodes, connections that are made for it included;
docs/performance.md, `bench dht`."""
DHT_PROVIDE_MESSAGES: Final = 567.8
DHT_PROVIDE_BYTES: Final = 135_500.0
"""Of an announcement, from the same."""
DHT_S: Final = 1.0
DHT_COUNT: Final = 20
"""Providers that are asked for."""
DIAL_MESSAGES: Final = 5
DIAL_BYTES: Final = 2100
"""A connection to somebody new: TCP, Noise, Yamux and identify, both ways (tests/bench counts them)."""
DRAIN_S: Final = 5.0
"""After its end what is still under way of a search comes to its own; it is counted, too."""
POPULAR_MIN: Final = 50
"""Holders of a popular file; a middle one has two at least."""
SESSION_S: Final = 3600.0
"""Weak peers stay so long in the mean; those of a super-peer come and go one after the other."""
OWNERS: Final = 50
"""Weak peers of a super-peer."""


@dataclass(slots=True)
class File:
    """What is searched for."""

    topic: str
    own: str
    entry: Entry
    holders: list[int]

    @property
    def words(self) -> set[str]:
        return set(self.entry.name.removesuffix(".pdf").split(" ")) | {"pdf", "share"}


@dataclass(slots=True)
class Tally:
    """Messages and bytes, by kind."""

    messages: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def count(self, kind: str, size: float, messages: float = 1) -> None:
        self.messages[kind] += messages  # type: ignore[assignment]  # means, of what was measured elsewhere
        self.bytes[kind] += size  # type: ignore[assignment]

    def add(self, other: Tally) -> None:
        self.messages.update(other.messages)
        self.bytes.update(other.bytes)


@dataclass(slots=True)
class Asked:
    """What came of one search. found, of: entries; contents, of_contents: the same without their holders."""

    found: int
    of: int
    contents: int
    of_contents: int
    tally: Tally
    took_s: float
    first_s: float
    curve: list[tuple[int, int]]
    """(messages, hits) as they grew."""

    @property
    def recall(self) -> float:
        return self.found / self.of

    @property
    def recall_of_contents(self) -> float:
        return self.contents / self.of_contents


class SuperPeer:
    """One of them: its machines and what it holds."""

    def __init__(self, town: Town, number: int) -> None:
        self.town = town
        self.number = number
        self.peer = peer(f"super {number}")
        self.summaries = Summaries(number + 1, town.policy, levels=town.levels)
        self.routing = Routing(self.peer, self.summaries)
        self.files: dict[int, int] = {}
        """File -> the weak peer that has it."""
        self.gone: set[int] = set()
        """Weak peers that are not there now."""
        self.by_word: dict[str, list[int]] = defaultdict(list)
        self.counted = Counted(10)
        self.words: Counter[str] = Counter()

    def put(self, file: int, owner: int) -> None:
        if file not in self.files:
            self.files[file] = owner
            self.by_word[self.town.files[file].own].append(file)
            self.words.update(self.town.files[file].words)

    def summarise(self) -> None:
        keys = sum(1 + sum(len(word) >= chars for chars in (3, 5, 7)) for word in self.words)
        self.counted = Counted(size_for(int(keys * self.town.size_factor)))
        for word in self.words:
            self.counted.add(word)
        self.summaries.set_own(self.counted.snapshot())

    def toggle(self, owner: int) -> None:
        """A weak peer goes, or comes back."""
        sign = 1 if owner in self.gone else -1
        self.gone ^= {owner}
        for file, whose in self.files.items():
            if whose != owner:
                continue
            for word in self.town.files[file].words:
                before = self.words[word]
                self.words[word] = before + sign
                if before == 0:
                    self.counted.add(word)
                elif before + sign == 0:
                    self.counted.remove(word)
        self.summaries.set_own(self.counted.snapshot())

    def look(self, query: Query) -> list[Found]:
        """What its index finds."""
        own, topic = query.terms[0].word, query.terms[1].word
        return [
            Found(peer(f"weak {self.number} {self.files[one]}"), self.town.files[one].entry, 1.0, True)
            for one in self.by_word.get(own, ())
            if self.files[one] not in self.gone and topic in self.town.files[one].words
        ]

    def hear(self, what: tuple[PeerId, Ask | Hits | Done]) -> None:
        self.act(self.routing.heard(*what, self.town.now))

    def act(self, actions: Iterable[Any]) -> None:
        town = self.town
        for action in actions:
            match action:
                case Send(to, message):
                    town.send(self, to, message)
                case Look():
                    town.loop.call_later(LOOK_S, self._found, action)
                case Deliver() | RoundEnded():
                    town.happened(action)
                case Blame(who, what):
                    raise AssertionError(f"{who} did {what}")

    def _found(self, look: Look) -> None:
        hits = of_owners(self.look(look.query), look.wanted)
        self.act(self.routing.found(look.id, hits, self.town.now))


class Town:
    """All of them. seed: what all chance follows from."""

    def __init__(
        self,
        seed: int,
        zipf: float,
        *,
        nodes: int = 1000,
        files: int = FILES,
        levels: int = LEVELS,
        size_factor: float = 1.0,
        deepening: DeepeningPolicy | None = None,
        dht: bool = True,
        rare_words_max: int = 2000,
    ) -> None:
        self.chance = random.Random(f"overlay {seed} {zipf}")
        self.policy = SummaryPolicy(age_s=1e9)  # nothing is repeated here, and nothing lost
        self.levels, self.size_factor, self.dht = levels, size_factor, dht
        self.deepening = deepening or DeepeningPolicy()
        self.loop = virtual_loop()
        self.files: list[File] = []
        self.supers = [SuperPeer(self, number) for number in range(nodes)]
        self.by_peer = {one.peer: one for one in self.supers}
        self.edges = regular_graph(nodes, DEGREE, self.chance)
        self.summary_tally = Tally()
        self._search: _Search | None = None
        self._last: dict[tuple[int, int], float] = {}
        self._fill(files, zipf)
        self._meet()
        self.provided, self.provides = self._provide(rare_words_max)

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.loop.time()

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Until it is done, in virtual time."""
        self.loop.run_main(main, limit_s=3600.0)

    # --- how it comes about -------------------------------------------------------------------------------

    def _fill(self, files: int, zipf: float) -> None:
        weights = [1 / rank for rank in range(1, TOPIC_WORDS + 1)]
        topics = self.chance.choices(range(TOPIC_WORDS), weights, k=2 * files)
        for rank in range(1, files + 1):
            first, second = (word("topic", topics[2 * rank - one]) for one in (1, 2))
            own = word("own", self.chance.randrange(files // 2))
            entry = Entry(f"share/{first} {second} {own}.pdf", "file", 1000 + rank, cid(rank))
            count = max(1, min(round(TOP / rank**zipf), len(self.supers)))
            self.files.append(File(first, own, entry, self.chance.sample(range(len(self.supers)), count)))
            for holder in self.files[-1].holders:
                self.supers[holder].put(rank - 1, self.chance.randrange(OWNERS))

    def _meet(self) -> None:
        for one in self.supers:
            one.summarise()
        for a, b in self.edges:
            for one, other in ((self.supers[a], self.supers[b]), (self.supers[b], self.supers[a])):
                one.routing.join(other.peer)
                one.summaries.join(other.peer, 0.0)
        self.summary_tally = Tally()
        for _ in range(3):
            self.exchange(self.summary_tally)

    def exchange(self, tally: Tally) -> None:
        """All send the summaries that are due; time goes on by as much as they wait for changes."""
        told = [(one, *due) for one in self.supers for due in one.summaries.due(self.now)]
        for one, to, summary in told:
            tally.count("summary", len(encode(summary)) + FRAME_BYTES)
            assert self.by_peer[to].summaries.receive(one.peer, summary, self.now)
        self.run(asyncio.sleep(self.policy.every_s))

    def churn(self) -> None:
        """What happens in the time between two summaries: some weak peers come and go."""
        for one in self.supers:
            for owner in range(OWNERS):
                if self.chance.random() < self.policy.every_s / SESSION_S:
                    one.toggle(owner)

    def summary_bytes_per_s(self, rounds: int = 3) -> float:
        """What changes cost all together, while weak peers come and go."""
        tally, began = Tally(), self.now
        for _ in range(rounds):
            self.churn()
            self.exchange(tally)
        repeats = len(self.supers) * DEGREE * self.levels * (40 + FRAME_BYTES) / self.policy.repeat_s
        return tally.bytes["summary"] / (self.now - began) + repeats

    def _provide(self, most: int) -> tuple[dict[str, list[int]], int]:
        """Word -> who provides it in the DHT; and how many such records there are."""
        provided: dict[str, list[int]] = defaultdict(list)
        count = 0
        for one in self.supers if self.dht else ():
            for rare in rare_words(one.words, one.summaries.holders, most):
                provided[rare].append(one.number)
                count += 1
        return provided, count

    # --- messages -----------------------------------------------------------------------------------------

    def send(self, sender: SuperPeer, to: PeerId, message: Ask | Hits | Done) -> None:
        search = self._search
        assert search is not None
        search.count(message)
        receiver = self.by_peer[to]
        # Messages on one stream stay in order.
        way = (sender.number, receiver.number)
        arrives = max(self.now + self.chance.uniform(*LATENCY_S), self._last.get(way, 0.0))
        self._last[way] = arrives
        self.loop.at(arrives, receiver.hear, (sender.peer, message))

    def happened(self, event: Deliver | RoundEnded) -> None:
        """To the search that is under way."""
        if self._search is not None:
            self._search.asking.take(event)

    # --- searching ----------------------------------------------------------------------------------------

    def query_for(self, file: File) -> Query:
        return Query(terms_of(f"{file.own} {file.topic}"), limit=20)

    def existing(self, asker: int, query: Query) -> dict[int, list[Found]]:
        """Who would answer a flood, and with what."""
        found = {one.number: one.look(query) for one in self.supers if one.number != asker}
        return {number: hits for number, hits in found.items() if hits}

    def search(self, asker: int, query: Query, ttl: int) -> Asked:
        """Search as the product does."""
        there = [hit for hits in self.existing(asker, query).values() for hit in hits]
        search = self._search = _Search(self, self.supers[asker], query, ttl)
        self.run(search.run())
        self._search = None
        of = min(query.limit, len(there))
        of_contents = min(query.limit, len({hit.entry.cid for hit in there}))
        contents = len({hit.entry.cid for hit in search.hits})
        return Asked(
            min(len(search.hits), of),
            of,
            min(contents, of_contents),
            of_contents,
            search.tally,
            search.took_s,
            search.first_s,
            search.curve,
        )

    def flood(self, asker: int, query: Query) -> tuple[Tally, list[tuple[int, int]]]:
        """What a full flood costs that nobody confirms; and how its hits grow with its messages."""
        there, id_ = self.existing(asker, query), bytes(16)
        answers = {
            number: [
                (len(part.hits), len(encode(part)) + FRAME_BYTES)
                for part in split(id_, self.supers[number].peer, hits)
            ]
            for number, hits in there.items()
        }
        size = len(encode(Ask(id_, 1, 7, 7, query.limit, 5000, query))) + FRAME_BYTES
        run = flood(self.edges, asker, answers, lambda: self.chance.uniform(*LATENCY_S))
        tally = Tally()
        tally.count("ask", run.asks * size, run.asks)
        tally.count("hits", run.hit_bytes, run.hit_messages)
        return tally, run.curve

    def dht_find(self, text: str, asker: int) -> list[int]:
        """Twenty of those who provide a word."""
        there = [number for number in self.provided.get(text, ()) if number != asker]
        return self.chance.sample(there, min(len(there), DHT_COUNT))

    def upkeep_per_s(self) -> tuple[float, float]:
        """Messages and bytes of saying in the DHT who has which rare words, for all together."""
        each_s = self.provides / PROVIDE_AGAIN_S
        return each_s * DHT_PROVIDE_MESSAGES, each_s * DHT_PROVIDE_BYTES


class _Search:
    """One search with the product's `Asking`; this is what `Overlay` is around it. It is the DHT, too, of
    which `find` alone is asked.
    """

    def __init__(self, town: Town, asker: SuperPeer, query: Query, ttl: int) -> None:
        self.town, self.asker = town, asker
        self.word = rarest(query, asker.summaries.holders) if town.dht else None
        self.asking = Asking(
            Rounds(town.chance.randbytes(SECRET_BYTES)),
            asker.peer,
            query,
            Deepening(ttl, town.deepening, rare=self.word is not None),
            lambda ask: asker.act(asker.routing.ask(ask, town.now)),
            lambda: town.now,
            neighbours=len(asker.routing.neighbours),
        )
        self.tally = Tally()
        self.hits: list[Found] = []
        self.curve: list[tuple[int, int]] = [(0, 0)]
        self.took_s = self.first_s = 0.0

    async def run(self) -> None:
        began = self.town.now
        async with aclosing(self.asking.run(self, self.word, self._ask_guest)) as found:
            async for one in found:
                if isinstance(one, Found):
                    self.first_s = self.first_s or self.town.now - began
                    self.hits.append(one)
                    self.curve.append((sum(self.tally.messages.values()), len(self.hits)))
        self.asker.routing.end(self.asking.id)
        self.took_s = self.town.now - began
        await asyncio.sleep(DRAIN_S)

    def count(self, message: Ask | Hits | Done) -> None:
        kind = {Ask: "ask", Hits: "hits", Done: "done"}[type(message)]
        self.tally.count(kind, len(encode(message)) + FRAME_BYTES)

    async def provide(self, word: str) -> None:
        raise NotImplementedError(f"{word} is not provided while somebody searches")

    def withdraw(self, word: str) -> None:
        raise NotImplementedError(f"{word} is not withdrawn while somebody searches")

    async def find(self, word: str) -> AsyncGenerator[Holder, None]:
        self.tally.count("dht", DHT_FIND_BYTES, DHT_FIND_MESSAGES)
        await asyncio.sleep(DHT_S)
        for number in self.town.dht_find(word, self.asker.number):
            yield Holder(self.town.supers[number].peer, ())

    async def _ask_guest(self, holder: Holder, ask: Ask, timeout_s: float) -> AsyncGenerator[Hits, None]:
        del timeout_s
        guest = self.town.by_peer[holder.peer]
        self.tally.count("dht", DIAL_BYTES, DIAL_MESSAGES)
        self.count(ask)
        await asyncio.sleep(4 * self.town.chance.uniform(*LATENCY_S))  # to connect takes a round trip, too
        for part in split(ask.id, guest.peer, of_owners(guest.look(ask.query), ask.wanted)):
            self.count(part)
            yield part
        self.count(Done(ask.id, 1, 1))


def regular_graph(nodes: int, degree: int, chance: random.Random) -> list[tuple[int, int]]:
    """Edges of a random graph in which each has `degree` neighbours, or one less where it does not come
    out.
    """
    edges: set[tuple[int, int]] = set()
    stubs = [number for number in range(nodes) for _ in range(degree)]
    for _ in range(100):
        chance.shuffle(stubs)
        left: list[int] = []
        for a, b in zip(stubs[::2], stubs[1::2], strict=True):
            edge = (min(a, b), max(a, b))
            if a == b or edge in edges:
                left += [a, b]
            else:
                edges.add(edge)
        stubs = left
        if not stubs:
            break
    return sorted(edges)


def peer(text: str) -> PeerId:
    """A peer id that looks like one."""
    return PeerId(b"\x00\x24\x08\x01\x12\x20" + hashlib.sha256(text.encode()).digest())


def cid(number: int) -> Cid:
    return Cid.raw_sha256(hashlib.sha256(number.to_bytes(8)).digest())


def word(kind: str, number: int) -> str:
    """A word of four to nine letters, by chance, always the same for the same number."""
    digest = hashlib.sha256(f"{kind} {number}".encode()).digest()
    letters = "".join(chr(97 + one % 26) for one in digest[1:])
    chars = 4 + digest[0] % 6 if kind == "topic" else 6 + digest[0] % 4
    return letters[:chars]
