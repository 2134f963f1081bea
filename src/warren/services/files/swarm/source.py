"""One source of a fetch: a stream to a holder, on which it is asked for what the picker says.

In: a peer, the picker, who keeps what comes. Out: answers handed over; how the source does, for who decides
whom to ask. When too many buffers are held the peer is not read. A chunk that does not fit is asked for once
more, for the peer to check: an honest one then says that its file changed; one that insists is named in
`BadContent`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from warren.core.cid import Cid
from warren.core.errors import BadContent, ContentUnknown, RemoteError, SourceChanged, SourceVanished
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import PAYLOAD_BYTES_MAX, Status
from warren.runtime.waiting import settle
from warren.services.files.swarm.picker import Done, Request, Wait
from warren.services.files.swarm.pieces import CHUNK_BYTES
from warren.services.files.swarm.pipeline import Pipeline
from warren.services.files.types import SourceState

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.errors import WarrenError
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream
    from warren.protocols.transfer.decoder import Answer
    from warren.runtime.seam import Runtime
    from warren.services.files.chunks import ChunkKeeper
    from warren.services.files.config import FilesConfig
    from warren.services.files.ledger import Ledger
    from warren.services.files.swarm.caps import Cap
    from warren.services.files.swarm.picker import Decision, Picker
    from warren.services.files.swarm.pieces import Piece
    from warren.services.files.types import Audience, SourcePhase

ASK_AGAIN: Final = "ask them to share it again, then fetch again"
HELD_MIN: Final = 2
"""Buffers of a source, at least: while one is written the next arrives."""
CALM_MS: Final = 100
CALM_TURNS: Final = 3
"""A source that keeps us waiting for longer is asked by turns; after so many short waits, no longer."""
TURN_WAITS: Final = 5
"""How many times longer than for an answer we wait for a turn: nothing is held up by that."""
CAP_S: Final = 0.5
"""Under a cap no more is outstanding than it lets pass in so long, but for one piece: what is asked for comes
at once."""


class Source:
    """`run` it until the picker is done; after a failure it may run again.

    open_stream: a new stream to the peer. share: how many sources share the buffers now.
    met: it was asked what it has. word: for whom that is, as it says. complete: whether it is everything;
    None: not known.
    by_turns: others wait for it as well: it is asked for nothing until it is our turn. Until then all pieces
    are free for other sources, and the one that is chosen then is the one that is wanted most.
    since, used_at, wanted_at: see `rotation.Seat`. heard_at: when it last asked us.
    lead: asks it which piece to take of it, now that it is our turn.
    ended: what it came to, if it is not asked any more, and `note`, why.
    """

    def __init__(
        self,
        peer: PeerId,
        runtime: Runtime,
        config: FilesConfig,
        picker: Picker,
        keeper: ChunkKeeper,
        ledger: Ledger,
        open_stream: Callable[[], Awaitable[Stream]],
        *,
        caps: Sequence[Cap] = (),
        share: Callable[[], int] = lambda: 1,
    ) -> None:
        self.peer = peer
        self.offer = picker.join()
        self.pipeline = Pipeline(config.outstanding_bytes)
        self.met = False
        self.word: Audience | None = None
        self.complete: bool | None = None
        self.by_turns = False
        self.bytes_fetched = 0
        self.since = self.used_at = self.wanted_at = runtime.clock.now()
        self.heard_at = float("-inf")
        self.ended: SourcePhase | None = None
        self.note = ""
        self.open_stream = open_stream
        self.lead: Callable[[], Awaitable[int | None]] | None = None
        self._connected = False
        self._clock = runtime.clock
        self._picker = picker
        self._keeper = keeper
        self._ledger = ledger
        self._caps = caps
        self._share = share
        self._held_max = config.in_flight_bytes // PAYLOAD_BYTES_MAX
        self._answer_s = config.answer_s
        self._client: TransferClient | None = None
        self._received = 0
        self._expected: deque[Piece] = deque()
        self._turn_asked = self._has_turn = False
        self._calm = 0
        self._jobs: set[asyncio.Task[None]] = set()

    # --- seen from outside --------------------------------------------------------------------------------

    def state(self) -> SourceState:
        """How it does now."""
        phase = self.ended or self._phase()
        rate = 0.0 if self.ended else self.pipeline.bytes_per_s
        return SourceState(
            self.peer, phase, self.bytes_fetched, rate, self.offer.asked_bytes, self.complete, self.note
        )

    def _phase(self) -> SourcePhase:
        if not self._connected:
            return "connecting"
        if self.pipeline.is_stalled:
            return "stalled"
        return "active" if self.offer.asked else "waiting"

    @property
    def is_stalled(self) -> bool:
        """Whether it sends nothing though it was asked."""
        return self.pipeline.is_stalled

    def look(self) -> bool:
        """See whether it sends anything; called every now and then. Whether it stalls, or no longer does, is
        told to the picker; returns whether that changed.
        """
        was_stalled = self.pipeline.is_stalled
        self._count()
        if self.pipeline.check(self._clock.now()) == was_stalled:
            return False
        if was_stalled:
            self._picker.on_recovered(self.offer)
        else:
            self._picker.on_stalled(self.offer)
        return True

    def _count(self) -> None:
        """Note what arrived since the last time."""
        if self._client is not None:
            received = self._client.received_bytes
            self.pipeline.on_bytes(received - self._received, self._clock.now())
            self._received = received
            self.offer.bytes_per_s = self.pipeline.bytes_per_s
            self.offer.arrived_bytes = self._client.arriving_bytes

    # --- pulling ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Pull what the picker wants until it is done.

        Raises what the stream raises and what a thread met, `BadContent`, `ContentUnknown`, `SourceChanged`,
        `SourceVanished`, `RemoteError`.
        """
        try:
            while not isinstance(decision := await self._decide(), Done):
                if self._keeper.failure is not None:
                    raise self._keeper.failure
                if isinstance(decision, Request):
                    await self._ask(decision)
                elif self._client is not None and (self._expected or self._turn_asked):
                    wait_s = self._answer_s if self._expected else TURN_WAITS * self._answer_s
                    self._take(self._client, await self._client.next_answer(wait_s))
                else:
                    await self._ledger.wait_moved()
        finally:
            client, self._client = self._client, None
            if client is not None:
                client.close()
            self._expected.clear()
            self._turn_asked = self._has_turn = False
            self._picker.on_lost(self.offer)
            self.pipeline.on_lost()
            self._ledger.moved.set()  # others may have what was lost here
            # A thread cannot be stopped: its chunk may as well be kept, its file must stay open.
            await settle(self._jobs)

    async def _decide(self) -> Decision:
        """What to ask for now; by turns, only when it is ours."""
        if not self.by_turns and not self._has_turn and not self._turn_asked:
            return self._picker.next(self.offer, self._limit())
        if self._has_turn:
            self._has_turn = False
            lead = await self.lead() if self.lead is not None else None
            decision = self._picker.next(self.offer, CHUNK_BYTES, lead)
            if isinstance(decision, Wait) and self._client is not None:
                await self._client.give_turn_back()
            return decision
        if self._picker.is_done:
            return Done()
        if not self._turn_asked and self._picker.has_use_of(self.offer):
            self._turn_asked = True
            await (await self._open()).ask_turn()
        return Wait()

    async def _open(self) -> TransferClient:
        if self._client is None:
            held_max = max(HELD_MIN, self._held_max // self._share())
            self._client = TransferClient(await self.open_stream(), held_max=held_max)
            self._received = 0
            self._connected = True
        return self._client

    def _limit(self) -> int:
        limit = self.pipeline.limit_bytes
        for cap in self._caps:
            if cap.bytes_per_s:
                limit = min(limit, max(CHUNK_BYTES, int(cap.bytes_per_s * CAP_S)))
        return limit

    async def _ask(self, request: Request) -> None:
        size = sum(piece.weight for piece in request.pieces)
        for cap in self._caps:
            await cap.admit(size)
        client = await self._open()
        self._expected += request.pieces
        self.pipeline.on_asked(size, self._clock.now())
        await client.ask_chunks([piece.digest for piece in request.pieces], check=request.check)

    def _take(self, client: TransferClient, answer: Answer) -> None:
        """Hand an answer's chunks over."""
        if self.look():
            self._ledger.moved.set()
        self._note_wait(answer.header.waited_ms)
        if answer.header.status is Status.TURN:
            client.release(answer)
            self._turn_asked, self._has_turn = False, True
            return
        if answer.header.status is not Status.OK:
            client.release(answer)
            raise self._refusal(answer.header.status, self._expected[0])
        self.used_at = self._clock.now()
        pieces = [self._expected.popleft() for _ in answer.header.lengths]
        self.pipeline.on_answered(sum(piece.weight for piece in pieces))
        job = self._keeper.keep(self, client, answer, pieces, self._on_bad)
        if job is not None:
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)

    def _note_wait(self, waited_ms: int) -> None:
        self._calm = self._calm + 1 if waited_ms < CALM_MS else 0
        if waited_ms >= CALM_MS:
            self.by_turns = True
        elif self._calm >= CALM_TURNS:
            self.by_turns = False

    def _on_bad(self, piece: Piece) -> None:
        """Something did not fit; runs when its thread is done."""
        if self._picker.on_failure(self.offer, piece) and self._client is not None:
            self._client.abandon(
                BadContent(
                    self.peer,
                    Cid.raw_sha256(piece.digest),
                    hint="what was verified is kept; fetch from somebody else",
                )
            )

    def _refusal(self, status: Status, piece: Piece) -> WarrenError:
        """What a failed answer means."""
        peer = self.peer
        name = piece.targets[0][0].source or self._ledger.wanted.name
        match status:
            case Status.NOT_FOUND:
                return ContentUnknown(f"{peer} does not share {name} with us (any more)")
            case Status.CHANGED:
                return SourceChanged(f"{name} is no longer what {peer} shared", hint=ASK_AGAIN)
            case Status.VANISHED:
                return SourceVanished(f"{name} is gone at {peer}", hint=ASK_AGAIN)
        return RemoteError(f"{peer} cannot read {name}", hint="tell them")
