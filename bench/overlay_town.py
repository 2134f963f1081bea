"""A thousand super-peers in one event queue: the real machines of the overlay, without sockets.

`Routing`, `Deepening`, `Summaries` and the filters are the product's own, and each message is encoded as it
goes over the wire; what is simulated is the time it takes, what the super-peers hold, and the DHT, of which
only the cost is known here.

What they hold: files with Zipf-like popularity. A file of rank r is held by `TOP / r**s` super-peers, by one
at least. Its name has two words of a topic (drawn by Zipf from a few thousand) and one of its own (which few
other files have); who searches gives its own word and one of the topic.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.found import Found
from warren.core.peer_id import PeerId
from warren.core.query import Query, terms_of
from warren.protocols.overlay.messages import Ask, Done, Hits, encode
from warren.services.overlay.bloom import Counted, size_for
from warren.services.overlay.deepening import AskRare, Deepening, DeepeningPolicy, End, Round
from warren.services.overlay.rare import rare_words
from warren.services.overlay.routing import Blame, Deliver, Look, RoundEnded, Routing, RoutingLimits, Send
from warren.services.overlay.summaries import LEVELS, Summaries, SummaryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEGREE: Final = 8
TOP: Final = 500
"""Super-peers that hold the most popular file."""
FILES: Final = 200_000
TOPIC_WORDS: Final = 4000
LATENCY_S: Final = (0.02, 0.12)
LOOK_S: Final = 0.001
FRAME_BYTES: Final = 32
"""Around each message: its length, a header of Yamux, and its part of a Noise message."""
DHT_REQUESTS: Final = 40
"""Of a look-up of providers on three paths until the nearest twenty have answered."""
DHT_REQUEST_BYTES: Final = 110 + FRAME_BYTES
DHT_ANSWER_BYTES: Final = 2000 + FRAME_BYTES
"""Twenty nearer peers with two addresses each."""
DHT_REPLICAS: Final = 20
DHT_COUNT: Final = 20
"""Providers that are asked for."""
DHT_S: Final = 1.0
DIAL_BYTES: Final = 2500
"""A connection to somebody new: TCP, Noise, Yamux and identify, both ways; such messages are counted as
six."""
DIAL_MESSAGES: Final = 6
PROVIDE_EVERY_S: Final = 22 * 3600.0
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

    def count(self, kind: str, size: int, messages: int = 1) -> None:
        self.messages[kind] += messages
        self.bytes[kind] += size

    def add(self, other: Tally) -> None:
        self.messages.update(other.messages)
        self.bytes.update(other.bytes)


@dataclass(slots=True)
class Asked:
    """What came of one search."""

    found: int
    of: int
    tally: Tally
    took_s: float
    first_s: float
    curve: list[tuple[int, int]]
    """(messages, hits) as they grew."""

    @property
    def recall(self) -> float:
        return self.found / self.of


class Queue:
    """What happens when, in virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), what))

    def run(self) -> None:
        while self._events:
            self.now, _, what = heapq.heappop(self._events)
            what()


class SuperPeer:
    """One of them: its machines and what it holds."""

    def __init__(self, town: Town, number: int) -> None:
        self.town = town
        self.number = number
        self.peer = peer(f"super {number}")
        self.summaries = Summaries(number + 1, town.policy, levels=town.levels)
        self.routing = Routing(self.peer, self.summaries, RoutingLimits(hits_max=100_000))
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

    def look(self, query: Query, wanted: int) -> list[Found]:
        own, topic = query.terms[0].word, query.terms[1].word
        return [
            Found(peer(f"weak {self.number} {self.files[one]}"), self.town.files[one].entry, 1.0, True)
            for one in self.by_word.get(own, ())
            if self.files[one] not in self.gone and topic in self.town.files[one].words
        ][:wanted]

    def act(self, actions: Iterable[Any]) -> None:
        town = self.town
        for action in actions:
            match action:
                case Send(to, message):
                    town.send(self, to, message)
                case Look(id_, query, wanted):
                    town.queue.after(LOOK_S, partial(self._found, id_, query, wanted))
                case Deliver(_, _, hits):
                    town.deliver(hits)
                case RoundEnded():
                    town.ended(action)
                case Blame(who, what):
                    raise AssertionError(f"{who} did {what}")

    def _found(self, id_: bytes, query: Query, wanted: int) -> None:
        self.act(self.routing.found(id_, self.look(query, wanted), self.town.queue.now))


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
        self.queue = Queue()
        self.files: list[File] = []
        self.supers = [SuperPeer(self, number) for number in range(nodes)]
        self.by_peer = {one.peer: one for one in self.supers}
        self.edges = regular_graph(nodes, DEGREE, self.chance)
        self._ids = itertools.count()
        self.summary_tally = Tally()
        self._search: _Search | None = None
        self._last: dict[tuple[int, int], float] = {}
        self._fill(files, zipf)
        self._meet()
        self.provided, self.provides = self._provide(rare_words_max)

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
        told = [(one, *due) for one in self.supers for due in one.summaries.due(self.queue.now)]
        for one, to, summary in told:
            tally.count("summary", len(encode(summary)) + FRAME_BYTES)
            assert self.by_peer[to].summaries.receive(one.peer, summary, self.queue.now)
        self.queue.now += self.policy.every_s

    def churn(self) -> None:
        """What happens in the time between two summaries: some weak peers come and go."""
        for one in self.supers:
            for owner in range(OWNERS):
                if self.chance.random() < self.policy.every_s / SESSION_S:
                    one.toggle(owner)

    def summary_bytes_per_s(self, rounds: int = 3) -> float:
        """What changes cost all together, while weak peers come and go."""
        tally, began = Tally(), self.queue.now
        for _ in range(rounds):
            self.churn()
            self.exchange(tally)
        repeats = len(self.supers) * DEGREE * self.levels * (40 + FRAME_BYTES) / self.policy.repeat_s
        return tally.bytes["summary"] / (self.queue.now - began) + repeats

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
        kind = {Ask: "ask", Hits: "hits", Done: "done"}[type(message)]
        search.tally.count(kind, len(encode(message)) + FRAME_BYTES)
        receiver = self.by_peer[to]
        # Messages on one stream stay in order.
        way = (sender.number, receiver.number)
        arrives = max(self.queue.now + self.chance.uniform(*LATENCY_S), self._last.get(way, 0.0))
        self._last[way] = arrives
        self.queue.after(
            arrives - self.queue.now,
            lambda: receiver.act(receiver.routing.heard(sender.peer, message, self.queue.now)),
        )

    def deliver(self, hits: Iterable[Found]) -> None:
        if self._search is not None:
            self._search.deliver(hits, self.queue.now)

    def ended(self, event: RoundEnded) -> None:
        if self._search is not None:
            self._search.round_ended(event)

    # --- searching ----------------------------------------------------------------------------------------

    def query_for(self, file: File) -> Query:
        return Query(terms_of(f"{file.own} {file.topic}"), limit=20)

    def existing(self, asker: int, query: Query) -> dict[int, int]:
        """Who would answer a flood, how many hits each."""
        found = {one.number: len(one.look(query, 500)) for one in self.supers if one.number != asker}
        return {number: count for number, count in found.items() if count}

    def search(self, asker: int, query: Query, ttl: int) -> Asked:
        """Search as the product does."""
        there = sum(self.existing(asker, query).values())
        search = self._search = _Search(self, self.supers[asker], query, ttl)
        search.step()
        self.queue.run()
        self._search = None
        self.queue.now += 1.0
        of = min(query.limit, there)
        return Asked(min(len(search.hits), of), of, search.tally, search.took_s, search.first_s, search.curve)

    def flood(self, asker: int, query: Query) -> tuple[Tally, list[tuple[int, int]]]:
        """What a full flood costs whose hits come back the shortest way, and that nobody confirms; and how
        its hits grow with its messages, ring by ring.
        """
        depths, tally = self.depths(asker), Tally()
        rings, there = Counter(depths.values()), self.existing(asker, query)
        ask = Ask(bytes(16), 1, 7, 7, 20, 5000, query)
        size, curve, found = len(encode(ask)) + FRAME_BYTES, [(0, 0)], 0
        for depth in range(max(rings) + 1):
            asks = rings[depth] * (DEGREE - (depth > 0))
            for number in (one for one in there if depths[one] == depth):
                hits = tuple(self.supers[number].look(query, 500))
                answer = len(encode(Hits(bytes(16), self.supers[number].peer, hits))) + FRAME_BYTES
                tally.count("hits", depth * answer, depth)
                found += len(hits)
            curve.append((sum(tally.messages.values()), found))
            tally.count("ask", asks * size, asks)
        return tally, curve

    def depths(self, start: int) -> dict[int, int]:
        """Hops from one super-peer to each."""
        neighbours = defaultdict(list)
        for a, b in self.edges:
            neighbours[a].append(b)
            neighbours[b].append(a)
        depths, queue = {start: 0}, deque([start])
        while queue:
            here = queue.popleft()
            for other in neighbours[here]:
                if other not in depths:
                    depths[other] = depths[here] + 1
                    queue.append(other)
        return depths

    def dht_find(self, text: str, asker: int) -> list[int]:
        """Twenty of those who provide a word."""
        there = [number for number in self.provided.get(text, ()) if number != asker]
        return self.chance.sample(there, min(len(there), DHT_COUNT))

    def upkeep_per_s(self) -> tuple[float, float]:
        """Messages and bytes of saying in the DHT who has which rare words, for all together."""
        messages = 2 * DHT_REQUESTS + 2 * DHT_REPLICAS
        size = lookup_bytes() + DHT_REPLICAS * (DHT_REQUEST_BYTES + 150)
        return self.provides * messages / PROVIDE_EVERY_S, self.provides * size / PROVIDE_EVERY_S


class _Search:
    """One search: what the product's `Overlay.search` does, in virtual time."""

    def __init__(self, town: Town, asker: SuperPeer, query: Query, ttl: int) -> None:
        self.town, self.asker, self.query = town, asker, query
        self.id = next(town._ids).to_bytes(16, "big")
        holders = {term.word: asker.summaries.holders(term.word) for term in query.terms}
        self.rare = min(holders, key=lambda one: (holders[one], -len(one)))
        rare = town.dht and holders[self.rare] <= 1
        self.machine = Deepening(ttl, query.limit, town.deepening, rare=rare)
        self.tally = Tally()
        self.hits: set[tuple[PeerId, str]] = set()
        self.curve: list[tuple[int, int]] = [(0, 0)]
        self.ring = 0
        self.began = town.queue.now
        self.took_s = self.first_s = 0.0
        self.over = False

    def deliver(self, hits: Iterable[Found], now: float) -> None:
        self.first_s = self.first_s or now - self.began
        self.hits.update((hit.owner, hit.entry.path) for hit in hits)
        self.curve.append((sum(self.tally.messages.values()), len(self.hits)))
        if len(self.hits) >= self.query.limit and not self.over:
            self._end()

    def round_ended(self, event: RoundEnded) -> None:
        if not self.over and event.id == self.id:
            self.ring = event.ring
            self.step()

    def step(self) -> None:
        town, now = self.town, self.town.queue.now
        match self.machine.next(len(self.hits), self.ring):
            case Round(number, ttl, breadth):
                wanted = self.query.limit - len(self.hits)
                ask = Ask(self.id, number, ttl, breadth, wanted, 5000, self.query)
                self.asker.act(self.asker.routing.ask(ask, now))
            case AskRare():
                self.tally.count("dht", lookup_bytes(), 2 * DHT_REQUESTS)
                town.queue.after(DHT_S, self._ask_providers)
            case End():
                self._end()

    def _ask_providers(self) -> None:
        town = self.town
        for number in town.dht_find(self.rare, self.asker.number):
            guest = town.supers[number]
            ask = Ask(self.id, 0, 1, 0, self.query.limit, 3000, self.query)
            self.tally.count("dht", DIAL_BYTES, DIAL_MESSAGES)
            self.tally.count("ask", len(encode(ask)) + FRAME_BYTES)
            hits = tuple(guest.look(self.query, self.query.limit))
            if hits:
                self.tally.count("hits", len(encode(Hits(self.id, guest.peer, hits))) + FRAME_BYTES)
            self.tally.count("done", len(encode(Done(self.id, 0, 1))) + FRAME_BYTES)
            self.deliver(hits, town.queue.now) if hits else None
        self._end()

    def _end(self) -> None:
        self.over = True
        self.took_s = self.town.queue.now - self.began
        self.asker.routing.end(self.id)


def lookup_bytes() -> int:
    """Of a look-up in the DHT; half of whom it asks are connected already."""
    return DHT_REQUESTS * (DHT_REQUEST_BYTES + DHT_ANSWER_BYTES) + DHT_REQUESTS // 2 * DIAL_BYTES


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
