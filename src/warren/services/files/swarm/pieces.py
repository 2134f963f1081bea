"""Pieces of what is fetched, what a source offers of them, and shelves that put the rarest first. Pure.

In: chunks with their places, who has them. Out: of those that are wanted, the one to ask for next.
"""

from __future__ import annotations

import enum
import hashlib
from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final, Protocol

from warren.services.files.walk import LEAF_UNKNOWN

if TYPE_CHECKING:
    from warren.services.files.walk import TargetFile

CHUNK_BYTES: Final = 1024 * 1024
STALE_MAX: Final = 1024
"""Entries of a shelf that no longer count may be as many as those that do, and so many more: memory."""


class Leaves(Protocol):
    """The numbers of the leaves that somebody has."""

    def __contains__(self, number: int, /) -> bool: ...


class State(enum.Enum):
    """Where a piece is."""

    WANTED = enum.auto()
    """To be asked for; somebody who sends nothing may have been asked."""
    ASKED = enum.auto()
    HELD = enum.auto()
    """It arrived, and is verified and written now."""
    KEPT = enum.auto()


# Looked up for every piece: quicker so.
WANTED, ASKED, HELD, KEPT = State


class Piece:
    """A chunk that is wanted: its SHA2-256, its length, and the places (file, offset) that it fills.

    weight: bytes to reckon with: its length, or the most a chunk may have.
    numbers: its numbers among the leaves of the root. order: its place among the pieces; position: the bytes
    of the pieces before it. rarity: how many of those who have a part only have it. copies: how many were
    asked for it, not counting those that stall.
    """

    __slots__ = (
        "copies", "digest", "length", "numbers", "order", "position", "rarity", "state", "targets", "weight",
    )  # fmt: skip

    def __init__(self, digest: bytes, length: int, file: TargetFile, offset: int, number: int = 0) -> None:
        self.digest = digest
        self.length = length
        self.weight = CHUNK_BYTES if length == LEAF_UNKNOWN else length
        self.targets = [(file, offset)]
        self.numbers = [number]
        self.order = self.position = self.rarity = self.copies = 0
        self.state = WANTED

    def fits(self, data: memoryview) -> bool:
        """Whether `data` is this chunk: by its digest, and by the length that its verified parent gave it.

        A parent that lies of the length would leave gaps and overlaps in its file, or fill the disk with more
        than it claims.
        """
        return self.length in {LEAF_UNKNOWN, len(data)} and hashlib.sha256(data).digest() == self.digest


class Shelf:
    """Pieces that are wanted, the rarest first, and of equal ones that with the lowest key.

    A piece whose rarity changed is put again; the entries that are out of date are passed over.
    """

    __slots__ = ("_heap", "_run")

    def __init__(self) -> None:
        self._run: deque[tuple[int, int, Piece]] = deque()  # what came in its order, as most does: quicker
        self._heap: list[tuple[int, int, Piece]] = []

    def put(self, piece: Piece, key: int) -> None:
        """`key`: no two pieces have the same."""
        entry = (piece.rarity, key, piece)
        if not self._run or self._run[-1] < entry:
            self._run.append(entry)
        else:
            heappush(self._heap, entry)

    def first(self, offer: Offer) -> Piece | None:
        """The next that is wanted and that `offer` has; it stays until it is asked for."""
        heap, run = self._heap, self._run
        while heap or run:
            is_run = not heap or (bool(run) and run[0] < heap[0])
            rarity, _, piece = run[0] if is_run else heap[0]
            if piece.state is WANTED and piece.rarity == rarity and offer.has(piece):
                return piece
            if is_run:
                run.popleft()
            else:
                heappop(heap)
        return None

    def tidy(self, count: int) -> None:
        """Forget what is out of date, if that is much; `count` pieces are wanted at most."""
        if len(self) > 2 * count + STALE_MAX:
            entries = (*self._run, *self._heap)
            self._run.clear()
            self._heap = list({entry[2]: entry for entry in entries if _is_fresh(*entry)}.values())
            heapify(self._heap)

    def clear(self) -> None:
        self._heap.clear()
        self._run.clear()

    def __len__(self) -> int:
        return len(self._heap) + len(self._run)


def _is_fresh(rarity: int, _: int, piece: Piece) -> bool:
    return piece.state is WANTED and piece.rarity == rarity


class Offer:
    """What one source has, and what was asked of it. The picker keeps it; others look only.

    bits: the numbers of the leaves that it has; None: all of them. asked: what it was asked for, in order,
    each with whether it has to check it. rechecks: what it sent did not fit, and it is to send it again;
    refuted: that came from somebody else before it did. live: it does not stall. bytes_per_s: how fast it was
    lately, and arrived_bytes: what is here of the next piece, for who chooses whom to help at the end; 0:
    nothing is known.
    """

    __slots__ = (
        "arrived_bytes",
        "asked",
        "asked_bytes",
        "bits",
        "bytes_per_s",
        "checked",
        "live",
        "present",
        "rechecks",
        "refuted",
        "shelf",
    )

    def __init__(self, bits: Leaves | None) -> None:
        self.bits = bits
        self.shelf = Shelf()
        self.asked: dict[Piece, bool] = {}
        self.asked_bytes = 0
        self.rechecks: deque[Piece] = deque()
        self.checked: set[Piece] = set()
        self.refuted = False
        self.live = True
        self.present = True
        self.bytes_per_s = 0.0
        self.arrived_bytes = 0

    def has(self, piece: Piece) -> bool:
        """Whether it can be asked for this."""
        bits = self.bits
        if bits is None or piece.numbers[0] in bits:
            return True
        return len(piece.numbers) > 1 and any(number in bits for number in piece.numbers)

    @property
    def eta_s(self) -> float:
        """How long it will take for all that it was asked for; infinite where nobody can say."""
        if not self.live or not self.bytes_per_s:
            return float("inf") if self.asked else 0.0
        return max(0, self.asked_bytes - self.arrived_bytes) / self.bytes_per_s

    @property
    def is_suspect(self) -> bool:
        """Whether something of it did not fit, and it is not cleared yet."""
        return bool(self.rechecks) or any(self.asked.get(piece) for piece in self.checked)
