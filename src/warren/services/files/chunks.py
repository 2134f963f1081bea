"""Pulling chunks: asked for as the picker says, verified and written in threads.

In: a stream to the peer, the picker. Out: verified chunks in their files. The bytes of an answer stay in the
buffer they arrived in until they are written; when `held_max` buffers are in use the peer is not read.
A chunk that does not fit its digest is asked for once more, for the peer to check: an honest one then says
that its file changed; one that insists is named in `BadContent`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from warren.core.cid import Cid
from warren.core.errors import BadContent, ContentUnknown, RemoteError, SourceChanged, SourceVanished
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import PAYLOAD_BYTES_MAX, Status
from warren.services.files.picker import Done, Request
from warren.services.files.staging import Arrived, Commits
from warren.services.files.waiting import settle
from warren.services.files.walk import LEAF_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.errors import WarrenError
    from warren.network.stream import Stream
    from warren.protocols.transfer.decoder import Answer
    from warren.runtime.seam import Runtime
    from warren.services.files.config import FilesConfig
    from warren.services.files.ledger import Ledger
    from warren.services.files.picker import Picker, Piece
    from warren.services.files.staging import Staging
    from warren.services.files.walk import TargetFile

ASK_AGAIN: Final = "ask them to share it again, then fetch again"


class ChunkPuller:
    """Runs until the picker is done; after a failure it may run again, with the same picker."""

    def __init__(
        self, runtime: Runtime, staging: Staging, picker: Picker, ledger: Ledger, config: FilesConfig
    ) -> None:
        self._runtime = runtime
        self._staging = staging
        self._picker = picker
        self._ledger = ledger
        self._held_max = config.in_flight_bytes // PAYLOAD_BYTES_MAX
        self._answer_s = config.answer_s
        self._expected: deque[Piece] = deque()
        self._jobs: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None
        """What a thread met: nothing that another attempt could mend, so it stays."""
        self._client: TransferClient | None = None
        self._rechecked: set[Piece] = set()
        self.commits = Commits(runtime, staging, self._fail)

    async def run(self, open_stream: Callable[[], Awaitable[Stream]]) -> None:
        """Pull what the picker wants until it is done.

        Raises what the stream and the disk raise, `BadContent`, `ContentUnknown`, `SourceChanged`,
        `SourceVanished`, `RemoteError`.
        """
        try:
            while not isinstance(decision := self._picker.next(self._runtime.clock.now()), Done):
                if self._failure is not None:
                    break
                if isinstance(decision, Request):
                    if self._client is None:
                        self._client = TransferClient(await open_stream(), held_max=self._held_max)
                    self._expected += decision.pieces
                    digests = [piece.digest for piece in decision.pieces]
                    await self._client.ask_chunks(digests, check=decision.check)
                elif self._client is not None and self._expected:
                    self._take(self._client, await self._client.next_answer(self._answer_s))
                else:
                    await self._ledger.wait_moved()
        finally:
            client, self._client = self._client, None
            if client is not None:
                client.close()
            self._expected.clear()
            self._picker.on_lost()
            # A thread cannot be stopped: its chunk may as well be kept, its file must stay open.
            await settle(self._jobs)
        if self._failure is not None:
            raise self._failure

    def _take(self, client: TransferClient, answer: Answer) -> None:
        """Hand an answer's chunks to a thread."""
        if answer.header.status is not Status.OK:
            client.release(answer)
            raise self._refusal(answer.header.status, self._expected[0])
        start = 0
        chunks: list[Arrived] = []
        for length in answer.header.lengths:
            piece = self._expected.popleft()
            self._picker.on_arrival(piece)
            chunks.append(Arrived(start, start + length, piece))
            start += length
        job = asyncio.create_task(self._store(client, answer, chunks))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _store(self, client: TransferClient, answer: Answer, chunks: Sequence[Arrived]) -> None:
        try:
            right = await self._runtime.offload(self._staging.store, answer.buffer, chunks)
            for chunk, is_right in zip(chunks, right, strict=True):
                if not is_right:
                    self._on_bad(chunk.piece)
                    continue
                for file in self._on_stored(chunk):
                    if file.size > chunk.end - chunk.start:  # of many chunks: it may have stayed open
                        await self._runtime.offload(self._staging.close_file, file)
                    self._ledger.done_files += 1
                self._picker.on_success(chunk.piece)  # last: closing a file is a part of keeping it
        except Exception as error:  # noqa: BLE001 (supervises a thread: whatever it is, `run` raises it)
            self._fail(error)
        finally:
            client.release(answer)
            self._ledger.moved.set()
            self._ledger.tell("fetching")

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        if self._client is not None:
            self._client.abandon(error)
        self._ledger.moved.set()

    def _on_stored(self, chunk: Arrived) -> list[TargetFile]:
        """Count it; returns the files that it completed."""
        piece, length, ledger = chunk.piece, chunk.end - chunk.start, self._ledger
        ledger.chunks_fetched += 1
        completed: list[TargetFile] = []
        for (file, _), number in zip(piece.targets, piece.numbers, strict=True):
            self.commits.on_stored(number, file.path, length)
            if file.size == LEAF_UNKNOWN:
                file.size = file.left = length
            file.left -= length
            ledger.done_bytes += length
            if file.left == 0:
                completed.append(file)
        ledger.current = piece.targets[0][0].source
        return completed

    def _on_bad(self, piece: Piece) -> None:
        if piece in self._rechecked:
            raise BadContent(
                self._ledger.origin.peer,
                Cid.raw_sha256(piece.digest),
                hint="what was verified is kept; fetch from somebody else",
            )
        self._rechecked.add(piece)
        self._picker.on_failure(piece)

    def _refusal(self, status: Status, piece: Piece) -> WarrenError:
        """What a failed answer means."""
        peer = self._ledger.origin.peer
        name = piece.targets[0][0].source or self._ledger.origin.name
        match status:
            case Status.NOT_FOUND:
                return ContentUnknown(f"{peer} does not share {name} with us (any more)")
            case Status.CHANGED:
                return SourceChanged(f"{name} is no longer what {peer} shared", hint=ASK_AGAIN)
            case Status.VANISHED:
                return SourceVanished(f"{name} is gone at {peer}", hint=ASK_AGAIN)
        return RemoteError(f"{peer} cannot read {name}", hint="tell them")
