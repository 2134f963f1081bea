"""Which chunks to ask for next. A pure machine: time comes in as an argument, decisions come out.

In: chunks that are wanted, what became of those that were asked for. Out of `next`: a `Request`, `Wait`, or
`Done`. A chunk that several files need at the same time is asked for once. It knows one source now; where
there are several, each will ask the same machine for its next request.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.services.files.walk import LEAF_UNKNOWN

if TYPE_CHECKING:
    from warren.services.files.walk import TargetFile

CHUNK_BYTES: Final = 1024 * 1024
REQUEST_BYTES_MAX: Final = 4 * CHUNK_BYTES
REQUEST_PIECES_MAX: Final = 512
"""A request asks for this much at most: many short ones keep answers flowing."""
ASKED_PIECES_MAX: Final = 8192
"""Pieces asked for and not arrived: small files fill this before they fill the bytes."""


class Piece:
    """A chunk that is wanted: its SHA2-256, its length, and the places (file, offset) that it fills.

    numbers: of each place, its number among the leaves of the root.
    """

    __slots__ = ("digest", "length", "numbers", "targets")

    def __init__(self, digest: bytes, length: int, file: TargetFile, offset: int, number: int = 0) -> None:
        self.digest = digest
        self.length = length
        self.targets = [(file, offset)]
        self.numbers = [number]

    @property
    def weight(self) -> int:
        """Bytes to reckon with: its length, or the most a chunk may have."""
        return CHUNK_BYTES if self.length == LEAF_UNKNOWN else self.length

    def fits(self, data: memoryview) -> bool:
        """Whether `data` is this chunk: by its digest, and by the length that its verified parent gave it.

        A parent that lies of the length would leave gaps and overlaps in its file, or fill the disk with more
        than it claims.
        """
        return self.length in {LEAF_UNKNOWN, len(data)} and hashlib.sha256(data).digest() == self.digest


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for these now. With `check`, the source is to hash them before it sends them."""

    pieces: list[Piece]
    check: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to ask for until something arrives, or more is wanted."""


@dataclass(frozen=True, slots=True)
class Done:
    """All that was wanted arrived and was kept, and nothing more will be wanted."""


Decision: TypeAlias = Request | Wait | Done


class Picker:
    """Keeps at most `asked_bytes_max` bytes asked for, in requests of a handy size."""

    __slots__ = (
        "_asked",
        "_asked_bytes",
        "_asked_bytes_max",
        "_by_digest",
        "_closed",
        "_open",
        "_queue",
        "_rechecks",
    )

    def __init__(self, asked_bytes_max: int) -> None:
        self._asked_bytes_max = asked_bytes_max
        self._queue: deque[Piece] = deque()
        self._rechecks: deque[Piece] = deque()
        self._asked: dict[Piece, bool] = {}  # with whether the source is to check it
        self._asked_bytes = 0
        self._open: set[Piece] = set()  # wanted and not kept yet, wherever they are
        self._by_digest: dict[bytes, Piece] = {}
        self._closed = False

    @property
    def backlog(self) -> int:
        """Pieces that were not asked for yet."""
        return len(self._queue)

    def add(self, digest: bytes, length: int, file: TargetFile, offset: int, number: int = 0) -> None:
        """One more place wants this chunk. number: its place among the leaves of the root."""
        known = self._by_digest.get(digest)
        if known is not None and known.length == length:
            known.targets.append((file, offset))
            known.numbers.append(number)
            return
        piece = Piece(digest, length, file, offset, number)
        self._by_digest[digest] = piece
        self._queue.append(piece)
        self._open.add(piece)

    def close(self) -> None:
        """Nothing more will be wanted."""
        self._closed = True

    def next(self, now: float) -> Decision:  # noqa: ARG002 (sources that rest will need it)
        """What to do at the time `now`, in seconds."""
        if self._rechecks:
            return self._ask([self._rechecks.popleft()], check=True)
        if not self._open and self._closed:
            return Done()
        room = min(REQUEST_BYTES_MAX, self._asked_bytes_max - self._asked_bytes)
        # Small requests while much is under way would only cost headers: wait for room that is worth it.
        worth = min(REQUEST_BYTES_MAX, self._asked_bytes_max) // 2
        if not self._queue or room < worth or len(self._asked) > ASKED_PIECES_MAX - REQUEST_PIECES_MAX:
            return Wait()
        pieces = [self._queue.popleft()]
        room -= pieces[0].weight
        while self._queue and len(pieces) < REQUEST_PIECES_MAX and self._queue[0].weight <= room:
            pieces.append(self._queue.popleft())
            room -= pieces[-1].weight
        return self._ask(pieces)

    def on_arrival(self, piece: Piece) -> None:
        """It came, and is to be verified and written; places that want it from now on are a new piece."""
        del self._asked[piece]
        self._asked_bytes -= piece.weight
        if self._by_digest.get(piece.digest) is piece:
            del self._by_digest[piece.digest]

    def on_success(self, piece: Piece) -> None:
        """It is verified and written to all its places."""
        self._open.discard(piece)

    def on_failure(self, piece: Piece) -> None:
        """It came but did not fit its digest: ask for it once more, checked."""
        self._rechecks.append(piece)

    def on_lost(self) -> None:
        """The source went away: what was asked for is wanted again, first; what to check still is checked."""
        for piece, check in reversed(self._asked.items()):
            (self._rechecks if check else self._queue).appendleft(piece)
        self._asked.clear()
        self._asked_bytes = 0

    def _ask(self, pieces: list[Piece], *, check: bool = False) -> Request:
        for piece in pieces:
            self._asked[piece] = check
            self._asked_bytes += piece.weight
        return Request(pieces, check)
