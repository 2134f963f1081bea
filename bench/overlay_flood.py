"""A flood: everybody passes a query on to everybody, as it comes first. Searches are measured against it.

In:  edges, who asks, who has an answer, how long a message takes. Out: counts of what was sent. Hits go back
the way the query came, a message for each hop; nobody confirms anything, and no query is cut off.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


@dataclass(slots=True)
class Flooded:
    """What came of it. asked: who looked, the asker left out. curve: (messages, hits) as they grew."""

    asks: int = 0
    hit_messages: int = 0
    hit_bytes: int = 0
    found: int = 0
    asked: int = 0
    curve: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])


def flood(
    edges: Iterable[tuple[int, int]],
    start: int,
    answers: Mapping[int, Sequence[tuple[int, int]]],
    latency: Callable[[], float],
) -> Flooded:
    """Run one. answers: messages of who has some, each (hits, bytes). latency: seconds that the next message
    takes.
    """
    neighbours = defaultdict(list)
    for a, b in edges:
        neighbours[a].append(b)
        neighbours[b].append(a)
    out = Flooded()
    parents: dict[int, int | None] = {start: None}
    events: list[tuple[float, int, int, int, tuple[int, int] | None]] = []
    """(when, number, to, from, hits and bytes; None: the query)."""
    number = 0

    def send(now: float, to: int, sender: int, answer: tuple[int, int] | None) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (now + latency(), number, to, sender, answer))

    def ask_on(now: float, here: int) -> None:
        for other in neighbours[here]:
            if other != parents[here]:
                out.asks += 1
                send(now, other, here, None)

    def answer_back(now: float, here: int, answer: tuple[int, int]) -> None:
        parent = parents[here]
        if parent is None:
            out.found += answer[0]
            out.curve.append((out.asks + out.hit_messages, out.found))
            return
        out.hit_messages += 1
        out.hit_bytes += answer[1]
        send(now, parent, here, answer)

    ask_on(0.0, start)
    while events:
        now, _, here, sender, answer = heapq.heappop(events)
        if answer is not None:
            answer_back(now, here, answer)
        elif here not in parents:
            parents[here] = sender
            out.asked += 1
            for own in answers.get(here, ()):
                answer_back(now, here, own)
            ask_on(now, here)
    out.curve.append((out.asks + out.hit_messages, out.found))
    return out
