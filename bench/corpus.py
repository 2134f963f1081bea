"""Names that a super-peer may hold, and what is asked for among them: the same at each run.

Names have three to eight words of a vocabulary of 60,000 that is spread as words are (Zipf). A query has the
first three to five letters of two words of a name.
"""

from __future__ import annotations

import bisect
import itertools
import random
from hashlib import sha256
from typing import TYPE_CHECKING

from warren.core.cid import Cid
from warren.core.entry import Entry
from warren.core.query import Query, terms_of
from warren.core.words import words
from warren.protocols.directory.entries import Registered

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERIES = 1000
SUFFIXES = ("mp3", "flac", "mkv", "mp4", "jpg", "pdf", "zip", "txt", "epub", "iso")


class Corpus:
    """Names that are the same at each run."""

    def __init__(self) -> None:
        rng = random.Random(1)
        starts = (
            "b",
            "c",
            "d",
            "f",
            "g",
            "h",
            "j",
            "k",
            "l",
            "m",
            "n",
            "p",
            "r",
            "s",
            "t",
            "v",
            "w",
            "z",
            "br",
            "tr",
            "st",
            "sh",
            "ch",
        )
        syllables = ["".join(one) for one in itertools.product(starts, "aeiou", ("", "n", "r", "s", "l"))]
        made = {
            "".join(rng.choice(syllables) for _ in range(rng.choice((1, 2, 2, 3, 3, 4)))): 0
            for _ in range(120_000)
        }
        self.vocabulary = list(made)[:60_000]
        rng.shuffle(self.vocabulary)
        self._sums = list(itertools.accumulate(1 / (rank + 20) for rank in range(len(self.vocabulary))))

    def names(self, seed: object, count: int) -> Iterator[str]:
        rng = random.Random(str(seed))
        for number in range(count):
            some = [self._word(rng) for _ in range(rng.randint(3, 8))]
            rest = rng.choice((" ", "_", ".")).join(some[2:])
            yield f"{' '.join(some[:2]).title()} - {number % 40:02} - {rest}.{rng.choice(SUFFIXES)}"

    def entries(self, seed: object, count: int) -> list[Registered]:
        return [entry(f"Files/{name}") for name in self.names(seed, count)]

    def queries(self, of: list[str], count: int = QUERIES, seed: int = 2) -> list[Query]:
        """Two beginnings of words of names that are there."""
        rng = random.Random(seed)
        made: list[Query] = []
        while len(made) < count:
            found = sorted({one for one in words(rng.choice(of)) if len(one) > 2 and one.isalpha()})
            if len(found) > 1:
                two = rng.sample(found, 2)
                made.append(Query(terms_of(" ".join(one[: rng.randint(3, 5)] for one in two))))
        return made

    def _word(self, rng: random.Random) -> str:
        return self.vocabulary[bisect.bisect(self._sums, rng.random() * self._sums[-1])]


def entry(path: str) -> Registered:
    return Registered(Entry(path, "file", len(path) * 1000, Cid.raw_sha256(sha256(path.encode()).digest())))
