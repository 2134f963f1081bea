"""Peers, entries and a little network of routing machines."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.found import Found
from warren.core.peer_id import PeerId
from warren.core.query import Query, terms_of
from warren.protocols.overlay.messages import Ask, decode, encode
from warren.protocols.overlay.rounds import Rounds
from warren.services.overlay.routing import Blame, Deliver, Look, RoundEnded, Routing, Send

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from warren.services.overlay.routing import RoutingLimits

QUERY = Query(terms_of("lighthouse"), limit=20)
ROUNDS = Rounds(bytes(range(16)))
ID = ROUNDS.id


def peer(number: int) -> PeerId:
    return PeerId(b"\x00\x24\x08\x01\x12\x20" + hashlib.sha256(b"%d" % number).digest())


def hit(number: int = 0, path: str = "lighthouse.pdf", content: object = None) -> Found:
    """Of an owner of that number; its content, too, unless it is given."""
    digest = hashlib.sha256(
        f"{path} {number}".encode() if content is None else f"{content}".encode()
    ).digest()
    entry = Entry(path, "file", 1, Cid.raw_sha256(digest))
    return Found(peer(1000 + number), entry, 1.0, True)


def ask(round_: int = 1, ttl: int = 3, breadth: int = 0, wanted: int = 20, left_ms: int = 5000) -> Ask:
    return Ask(ID, round_, ttl, breadth, wanted, left_ms, QUERY, ROUNDS.proof(round_))


class Everywhere:
    """Something may be behind everybody."""

    def reach(self, query: Query, peers: Sequence[PeerId], now: float) -> list[int]:
        return [2] * len(peers)


class Nowhere:
    """Nothing is anywhere."""

    def reach(self, query: Query, peers: Sequence[PeerId], now: float) -> list[int]:
        return [0] * len(peers)


class Net:
    """Machines whose messages go over streams that keep their order, and may break or lie."""

    def __init__(
        self,
        edges: Iterable[tuple[int, int]],
        holders: Iterable[int],
        *,
        seed: int = 0,
        steer: Any = None,
        loss: float = 0.0,
        limits: RoutingLimits | None = None,
    ) -> None:
        self.now = 0.0
        self.chance = random.Random(seed)
        self.loss = loss
        self.holders = set(holders)
        self.edges = {tuple(sorted(edge)) for edge in edges if edge[0] != edge[1]}
        numbers = sorted({0, *(one for edge in self.edges for one in edge)})
        self.peers = {number: peer(number) for number in numbers}
        self.numbers = {one: number for number, one in self.peers.items()}
        self.machines = {
            number: Routing(self.peers[number], steer or Everywhere(), limits) for number in numbers
        }
        for a, b in sorted(self.edges):
            self.machines[a].join(self.peers[b])
            self.machines[b].join(self.peers[a])
        self.streams: dict[tuple[int, int], deque[Any]] = {}
        self.looks: deque[tuple[int, Look]] = deque()
        self.delivered: list[tuple[PeerId, Found]] = []
        self.ended: list[RoundEnded] = []
        self.blamed: list[tuple[int, Blame]] = []
        self.sent: Counter[str] = Counter()
        self.ways: set[tuple[int, int]] = set()

    def begin(self, question: Ask, number: int = 0) -> None:
        self.act(number, self.machines[number].ask(question, self.now))

    def act(self, number: int, actions: Iterable[Any]) -> None:
        for action in actions:
            match action:
                case Send(to, message):
                    assert decode(encode(message)) == message or isinstance(message, Ask)
                    self.sent[type(message).__name__] += 1
                    self.ways.add((number, self.numbers[to]))
                    self.streams.setdefault((number, self.numbers[to]), deque()).append(message)
                case Look():
                    self.looks.append((number, action))
                case Deliver(_, _, responder, hits):
                    self.delivered += [(responder, one) for one in hits]
                case RoundEnded():
                    self.ended.append(action)
                case Blame():
                    self.blamed.append((number, action))

    def run(self) -> None:
        """Until nothing is under way; what is lost is noticed at deadlines."""
        while True:
            while self._step():
                pass
            due = [one.next_due() for one in self.machines.values()]
            times = [one for one in due if one is not None]
            if self.ended or not times:
                return
            self.now = min(times)
            for number, machine in self.machines.items():
                self.act(number, machine.expire(self.now))

    def _step(self) -> bool:
        ready = [way for way, stream in self.streams.items() if stream]
        choices = len(ready) + bool(self.looks)
        if not choices:
            return False
        at = self.chance.randrange(choices)
        if at == len(ready):
            number, look = self.looks.popleft()
            hits = [hit(number)][: look.wanted] if number in self.holders else []
            self.act(number, self.machines[number].found(look.id, hits, self.now))
            return True
        sender, receiver = ready[at]
        message = self.streams[sender, receiver].popleft()
        if self.chance.random() >= self.loss:
            machine = self.machines[receiver]
            self.act(receiver, machine.heard(self.peers[sender], message, self.now))
        return True
