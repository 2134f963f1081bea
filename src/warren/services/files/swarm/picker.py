"""Which pieces to ask of whom. A pure machine: what happened comes in, decisions come out.

In: chunks that are wanted; sources and what they have; what became of what was asked. Out of `next`, for each
source: a `Request`, `Wait`, or `Done`. A chunk that several files need at the same time is asked for once.

- Where all sources have everything, pieces go in the order of the files. As soon as some have only a part, or
  others fetch the same (`spread`), the rarest goes first, and among equals each fetch takes another order.
  Those who fetch at the same time also share the pieces out among them (`share_out`): each begins with its
  own part, so that who has everything sends each piece about once, and they soon have something for each
  other.
- `sequential`: always in the order of the files, and no more than `WINDOW_BYTES` ahead of the first piece
  that is missing: who has nothing else to do helps with that one. `seek` puts other places first: what lies
  nearest after one of them, then what lies before them all.
- In the end, when all is asked for, who is idle is also asked for the last pieces of the one that takes
  longest. Only there, and where a source stalls, is a piece on its way twice. The first that fits counts.
- A piece that does not fit is wanted of others at once, and asked once more of who sent it, checked: an
  honest source then says that its file changed, and one that insists lies. Where another one was sooner, all
  else is asked checked of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.services.files.swarm.pieces import (
    ASKED,
    CHUNK_BYTES,
    HELD,
    KEPT,
    WANTED,
    Offer,
    Piece,
    Shelf,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from warren.services.files.swarm.pieces import Leaves
    from warren.services.files.walk import TargetFile

REQUEST_BYTES_MAX: Final = 4 * CHUNK_BYTES
REQUEST_PIECES_MAX: Final = 512
"""A request asks for this much at most: many short ones keep answers flowing."""
ASKED_PIECES_MAX: Final = 8192
"""Pieces asked of one source and not arrived: small files fill this before they fill the bytes."""
ASKED_BYTES_MAX: Final = 32 * CHUNK_BYTES
"""Asked and not arrived, of all sources: so much is fetched again after a crash, at most."""
WINDOW_BYTES: Final = 32 * CHUNK_BYTES
"""How far a sequential fetch runs ahead of its first gap: more would take from those who fill the gap."""
NEAR_BYTES: Final = 4 * CHUNK_BYTES
"""A place that is sought is left where it is in the order if no more than so much comes before it."""
_BEHIND: Final = 1 << 60
"""Added to the places of what lies before all that were sought: beyond all that lies after one."""
SCORE_MASK: Final = (1 << 64) - 1
LAST_MASK: Final = 0xC000_0000
"""Quarters of what others begin with: the last one first."""
LEAD_MAX: Final = 256
"""Pieces that are looked at for where to begin; further on there may be none for long."""
COPIES_MAX: Final = 2
"""Of how many sources a piece is asked at the same time, in the end."""


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for these now. With `check`, the source is to hash them before it sends them."""

    pieces: list[Piece]
    check: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to ask for until something arrives, or more is wanted, or other pieces are to be had."""


@dataclass(frozen=True, slots=True)
class Done:
    """All that was wanted arrived and was kept, and nothing more will be wanted."""


_EVERYTHING: Final = Offer(None)
Decision: TypeAlias = Request | Wait | Done


class Picker:
    """See the module's header.

    asked_bytes_max: asked and not arrived, over all sources, but for one piece each. seed: what the order
    among equals follows from, another one for each fetch.
    """

    __slots__ = (
        "_asked_bytes",
        "_asked_bytes_max",
        "_by_digest",
        "_by_number",
        "_closed",
        "_common",
        "_leaves",
        "_line",
        "_offers",
        "_open",
        "_orders",
        "_parts",
        "_position",
        "_seed",
        "_sequential",
        "_shares",
        "_sought",
        "_spread",
        "_wanted",
        "hungry",
    )

    def __init__(
        self, asked_bytes_max: int = ASKED_BYTES_MAX, *, sequential: bool = False, seed: int = 0
    ) -> None:
        self._asked_bytes_max = asked_bytes_max
        self._asked_bytes = 0
        self._sequential = sequential
        self._sought: tuple[int, ...] = ()
        self._seed = seed & 0xFFFFFFFF
        self._spread = False
        self._shares: tuple[int, list[int]] = (0, [])
        self._common = Shelf()
        self._offers: list[Offer] = []
        self._open: dict[Piece, None] = {}  # wanted and not kept yet, wherever they are, in their order
        self._by_digest: dict[bytes, Piece] = {}
        self._by_number: dict[int, Piece] = {}
        self._leaves = 0  # as many as are known of the root
        self._wanted = self._orders = self._position = 0
        self._parts = 0  # how many sources have a part only
        self._line: list[tuple[int, int, Piece]] = []  # what a sequential fetch misses; a heap by place
        self._closed = False
        self.hungry = False
        """Whether a source had nothing of what is known to be wanted, since more became known."""

    @property
    def backlog(self) -> int:
        """Pieces that were not asked for yet."""
        return self._wanted

    @property
    def is_done(self) -> bool:
        """Whether all that was wanted is kept, and nothing more will be wanted."""
        return self._closed and not self._open

    # --- what is wanted -----------------------------------------------------------------------------------

    def add(self, digest: bytes, length: int, file: TargetFile, offset: int, number: int = 0) -> None:
        """One more place wants this chunk. number: its place among the leaves of the root."""
        self.hungry = False
        known = self._by_digest.get(digest)
        if known is not None and known.length == length:
            known.targets.append((file, offset))
            self._add_number(known, number)
            if self._sought:
                self._advance(known)
            return
        piece = Piece(digest, length, file, offset, number)
        piece.order, piece.position = self._orders, self._position
        self._orders += 1
        self._position += piece.weight
        self._by_digest[digest] = piece
        self._note_number(piece, number)
        self._open[piece] = None
        piece.rarity = self._count(piece)
        self._wanted += 1
        self._shelve(piece)
        if self._sequential:
            heappush(self._line, (self._place(piece), piece.order, piece))

    def seek(self, places: Collection[int]) -> bool:
        """Of a sequential fetch of one file: at these places, in bytes, somebody waits for what is missing.
        What follows on each comes first; returns whether that changes anything.
        """
        first = self._first_place()
        if first is None:
            return False
        if all(_behind(place, 1, self._sought) <= first + NEAR_BYTES for place in places):
            return False
        self._sought = tuple(sorted(set(places)))
        for shelf in (self._common, *(offer.shelf for offer in self._offers)):
            shelf.clear()
        self._line = [(self._place(piece), piece.order, piece) for piece in self._open]
        heapify(self._line)
        for piece in self._open:
            if piece.state is WANTED:
                self._shelve(piece)
        return True

    @property
    def seeks_beyond(self) -> bool:
        """Whether somebody waits for what is not known yet."""
        return bool(self._sought) and self._sought[-1] >= self._position

    def _place(self, piece: Piece) -> int:
        """Where a piece of a sequential fetch comes."""
        if not self._sought:
            return piece.position
        return min(_behind(offset, piece.weight, self._sought) for _, offset in piece.targets)

    def _advance(self, piece: Piece) -> None:
        """It has one more place, which may come sooner than the others."""
        heappush(self._line, (self._place(piece), piece.order, piece))
        if piece.state is WANTED:
            self._shelve(piece)

    def close(self) -> None:
        """Nothing more will be wanted."""
        self._closed = True

    # --- sources ------------------------------------------------------------------------------------------

    def join(self, bits: Leaves | None = None) -> Offer:
        """A source that has these leaves, or everything."""
        offer = Offer(None)
        self._offers.append(offer)
        if bits is not None:
            self.has_part(offer, bits)
        return offer

    def has_all(self, offer: Offer) -> None:
        """It turned out that it has everything."""
        if offer.bits is not None:
            self._set_bits(offer, None)

    def has_part(self, offer: Offer, bits: Leaves) -> None:
        """It turned out that it has these leaves only; `bits` may grow, see `on_gained`."""
        self.spread()
        self._set_bits(offer, bits)

    def on_gained(self, numbers: Iterable[int]) -> None:
        """A source has these leaves as well now; they are in its `bits` already, and were not before."""
        for number in numbers:
            piece = self._by_number.get(number)
            if piece is not None:
                self._rank(piece)

    def on_shrunk(self) -> None:
        """A source no longer has leaves that it had; they are gone from its `bits` already."""
        for piece in self._open:
            self._rank(piece)

    def spread(self) -> None:
        """Others fetch the same: from now on each takes its own order among equals."""
        if not self._spread and not self._sequential:
            self._spread = True
            for shelf in (self._common, *(offer.shelf for offer in self._offers)):
                shelf.clear()
            for piece in self._open:
                if piece.state is WANTED:
                    self._shelve(piece)

    def share_out(self, me: int, others: Iterable[int]) -> None:
        """These fetch the same and are known to each other, each by a number that all of them know."""
        shares = (me | 1, [other | 1 for other in others])
        if shares != self._shares:
            self._shares = shares
            self._spread = False
            self.spread()

    def leave(self, offer: Offer) -> None:
        """It will not be asked any more; what it was asked for is wanted again."""
        self.on_lost(offer)
        offer.rechecks.clear()
        offer.present = False
        self._offers.remove(offer)
        if offer.bits is not None:
            self._parts -= 1
            self._rank_those_of(offer)

    # --- deciding -----------------------------------------------------------------------------------------

    def wants(self, numbers: Iterable[int]) -> bool:
        """Whether one of these leaves is still to be asked for."""
        pieces = map(self._by_number.get, numbers)
        return any(piece is not None and piece.state is WANTED for piece in pieces)

    def wants_of(self, offer: Offer) -> bool:
        """Whether a source has one that is still to be asked for, or was asked for one."""
        shelf = self._shelf_of(offer)
        return bool(offer.asked) or shelf.first(offer) is not None

    @property
    def is_guessing(self) -> bool:
        """Whether the next piece of who has everything is chosen among several that nobody else has, as far
        as is known: others may have been given the same one just now.
        """
        first = self._common.first(_EVERYTHING) if self._spread else None
        return first is not None and first.rarity == 0 and self._wanted > 1

    def next(self, offer: Offer, limit_bytes: int, lead: int | None = None) -> Decision:
        """What to ask of a source that may have `limit_bytes` outstanding; one piece it may have always.

        lead: among equals, begin at this number modulo the leaves; see `rounds.py`.
        """
        if self.is_done:
            return Done()
        if not offer.live:
            return Wait()
        self._tidy_rechecks(offer)
        if offer.rechecks:
            piece = offer.rechecks.popleft()
            if piece.state is WANTED:
                self._wanted -= 1
            piece.state = ASKED
            offer.checked.add(piece)
            return self._ask(offer, [piece], check=True)
        if offer.is_suspect or len(offer.asked) > ASKED_PIECES_MAX - REQUEST_PIECES_MAX:
            return Wait()
        room = min(
            REQUEST_BYTES_MAX, limit_bytes - offer.asked_bytes, self._asked_bytes_max - self._asked_bytes
        )
        # Small requests while much is under way would only cost headers: wait for room that is worth it.
        if offer.asked and room < min(REQUEST_BYTES_MAX, limit_bytes) // 2:
            return Wait()
        if offer.asked and self._closed and self._wanted < len(self._offers):
            return Wait()  # each of the last ones for another source
        if offer.refuted:
            room = 0  # one at a time
        pieces = self._take(offer, room, lead) or self._help(offer, room)
        if pieces:
            if offer.refuted:
                offer.checked.update(pieces)
            return self._ask(offer, pieces, check=offer.refuted)
        self.hungry = self.hungry or not offer.asked
        return Wait()

    def has_use_of(self, offer: Offer) -> bool:
        """Whether there is something to ask of it, now or when it gets round to us."""
        if not offer.live or self.is_done:
            return False
        self._tidy_rechecks(offer)
        if offer.is_suspect:
            return bool(offer.rechecks)
        shelf = self._shelf_of(offer)
        piece, last = shelf.first(offer), self._last_position()
        if piece is not None and (last is None or self._place(piece) <= last):
            return True
        self.hungry = self.hungry or not offer.asked
        return bool(self._help(offer, CHUNK_BYTES))

    def _shelf_of(self, offer: Offer) -> Shelf:
        """Where what can be asked of it stands: all who have everything share one."""
        return self._common if offer.bits is None else offer.shelf

    def _tidy_rechecks(self, offer: Offer) -> None:
        """Of what it is to send again, leave out what somebody else sent meanwhile."""
        while offer.rechecks and (offer.rechecks[0].state is HELD or offer.rechecks[0].state is KEPT):
            offer.rechecks.popleft()
            offer.refuted = True

    def _take(self, offer: Offer, room: int, lead: int | None) -> list[Piece]:
        """The next pieces that nobody was asked for."""
        shelf = self._shelf_of(offer)
        pieces: list[Piece] = []
        last = self._last_position()
        while len(pieces) < REQUEST_PIECES_MAX and (piece := shelf.first(offer)) is not None:
            if (pieces and piece.weight > room) or (last is not None and self._place(piece) > last):
                break
            if lead is not None and not pieces:
                piece = self._led(offer, piece, lead)
            piece.state = ASKED
            self._wanted -= 1
            pieces.append(piece)
            room -= piece.weight
        shelf.tidy(self._wanted)
        return pieces

    def _led(self, offer: Offer, first: Piece, lead: int) -> Piece:
        """Of those that are as rare as the first one, the next from this leaf on."""
        for number in range(lead, lead + min(LEAD_MAX, self._leaves)):
            piece = self._by_number.get(number % self._leaves)
            if piece is None or piece.state is not WANTED:
                continue
            if piece.rarity <= first.rarity and offer.has(piece):
                return piece
        return first

    def _last_position(self) -> int | None:
        """Where the window of a sequential fetch ends."""
        first = self._first_place()
        return None if first is None else first + WINDOW_BYTES

    def _first_place(self) -> int | None:
        """Where the first piece that is missing of a sequential fetch comes."""
        while self._line and self._line[0][2].state is KEPT:
            heappop(self._line)
        return self._line[0][0] if self._line else None

    def _help(self, offer: Offer, room: int) -> list[Piece]:
        """What others were asked for and this one would have sooner: nothing else is left for it."""
        if offer.asked or not (self._sequential if self._wanted else self._closed):
            return []
        for other in sorted(self._offers, key=lambda one: one.eta_s, reverse=True):
            pieces = self._help_with(other, offer, room) if other is not offer else []
            if pieces:
                return pieces
        return []

    def _help_with(self, other: Offer, offer: Offer, room: int) -> list[Piece]:
        pieces: list[Piece] = []
        takes_s, later_s = 0.0, other.eta_s
        # What comes last of it; for who reads along, what is missing first.
        asked = sorted(other.asked, key=self._place) if self._sequential else reversed(other.asked)
        for piece in asked:
            if piece.copies >= COPIES_MAX or piece.state is not ASKED or not offer.has(piece):
                continue
            takes_s += piece.weight / offer.bytes_per_s if offer.bytes_per_s else 0.0
            if takes_s >= later_s or (pieces and (piece.weight > room or len(pieces) >= REQUEST_PIECES_MAX)):
                break
            pieces.append(piece)
            room -= piece.weight
        return pieces

    def _ask(self, offer: Offer, pieces: list[Piece], *, check: bool = False) -> Request:
        size = 0
        for piece in pieces:
            offer.asked[piece] = check
            piece.copies += 1
            size += piece.weight
        offer.asked_bytes += size
        self._asked_bytes += size
        return Request(pieces, check)

    # --- what became of it --------------------------------------------------------------------------------

    def on_arrival(self, offer: Offer, piece: Piece) -> bool:
        """It came; whether it is still wanted, and is to be verified and written now.

        Places that want it from now on are a new piece.
        """
        del offer.asked[piece]
        offer.asked_bytes -= piece.weight
        if offer.live:
            self._asked_bytes -= piece.weight
            piece.copies -= 1
        if piece.state is HELD or piece.state is KEPT:
            return False
        if piece.state is WANTED:
            self._wanted -= 1
        piece.state = HELD
        if self._by_digest.get(piece.digest) is piece:
            del self._by_digest[piece.digest]
        return True

    def on_success(self, piece: Piece) -> None:
        """It is verified and written to all its places."""
        piece.state = KEPT
        self._open.pop(piece, None)
        for number in piece.numbers:
            if self._by_number.get(number) is piece:
                del self._by_number[number]

    def on_failure(self, offer: Offer, piece: Piece) -> bool:
        """It came but did not fit its digest; whether that is proof that the source lies."""
        self._give_back(piece)
        if piece in offer.checked or not offer.present:
            return offer.present
        offer.rechecks.append(piece)
        return False

    def on_lost(self, offer: Offer) -> None:
        """The way to it broke: what was asked for is wanted again; what to check is still checked there."""
        asked, offer.asked = offer.asked, {}
        for piece, check in asked.items():
            if offer.live:
                piece.copies -= 1
            if check:
                offer.checked.discard(piece)
                offer.rechecks.append(piece)
            if piece.state is ASKED:
                self._give_back(piece)
        if offer.live:
            self._asked_bytes -= offer.asked_bytes
        offer.asked_bytes = 0
        offer.live = True

    def on_stalled(self, offer: Offer) -> None:
        """It sends nothing: what it was asked for is wanted of others as well."""
        if offer.live:
            offer.live = False
            self._asked_bytes -= offer.asked_bytes
            for piece in offer.asked:
                piece.copies -= 1
                if piece.state is ASKED:
                    self._give_back(piece)

    def on_recovered(self, offer: Offer) -> None:
        """It sends again."""
        if not offer.live:
            offer.live = True
            self._asked_bytes += offer.asked_bytes
            for piece in offer.asked:
                piece.copies += 1
                if piece.state is WANTED:
                    piece.state = ASKED
                    self._wanted -= 1

    def _give_back(self, piece: Piece) -> None:
        """It is wanted again, unless somebody else was asked for it too."""
        if piece.copies:
            piece.state = ASKED
        else:
            piece.state = WANTED
            self._wanted += 1
            self._shelve(piece)

    # --- shelves ------------------------------------------------------------------------------------------

    def _shelve(self, piece: Piece) -> None:
        key = piece.order
        if self._spread:
            key |= self._spread_key(piece) << 40
        elif self._sequential:
            piece.rarity = 0
            key |= self._place(piece) << 40 if self._sought else 0
        self._common.put(piece, key)
        if self._parts:
            for offer in self._offers:
                if offer.bits is not None and offer.has(piece):
                    offer.shelf.put(piece, key)

    def _spread_key(self, piece: Piece) -> int:
        number = int.from_bytes(piece.digest[:4])
        if not self._shares[1]:
            return number ^ self._seed
        if self._is_ours(piece):
            return number
        # Of what others begin with, what they come to last, and each who helps them takes another order.
        return 1 << 32 | (~number & LAST_MASK) | ((number ^ self._seed) & ~LAST_MASK)

    def _is_ours(self, piece: Piece) -> bool:
        """Whether it is in our part. All come to the same result by themselves (rendezvous hashing)."""
        me, others = self._shares
        number = int.from_bytes(piece.digest[4:12])
        mine = number * me & SCORE_MASK
        return all(number * other & SCORE_MASK <= mine for other in others)

    def _count(self, piece: Piece) -> int:
        if not self._parts:
            return 0
        return sum(offer.bits is not None and offer.has(piece) for offer in self._offers)

    def _rank(self, piece: Piece) -> None:
        """Who has it changed."""
        piece.rarity = self._count(piece)
        if piece.state is WANTED:
            self._shelve(piece)

    def _set_bits(self, offer: Offer, bits: Leaves | None) -> None:
        if not offer.present:
            return  # it told of more as it left
        if offer.bits is not None:
            self._parts -= 1
            before, offer.bits = offer.bits, None
            self._rank_those_of(Offer(before))
        offer.shelf.clear()
        if bits is not None:
            self._parts += 1
            offer.bits = bits
            self._rank_those_of(offer)

    def _rank_those_of(self, offer: Offer) -> None:
        """Of no others the rarity changes. In a swarm sources come and go, and most have next to nothing."""
        for piece in self._open:
            if offer.has(piece):
                self._rank(piece)

    def _note_number(self, piece: Piece, number: int) -> None:
        self._by_number[number] = piece
        self._leaves = max(self._leaves, number + 1)

    def _add_number(self, piece: Piece, number: int) -> None:
        piece.numbers.append(number)
        self._note_number(piece, number)
        if self._spread:
            self._rank(piece)


def _behind(offset: int, length: int, sought: Collection[int]) -> int:
    """How far so many bytes at `offset` lie behind the nearest of the places that were sought."""
    if not sought:
        return offset
    return min(
        (max(0, offset - place) for place in sought if offset + length > place), default=offset + _BEHIND
    )
