"""Keeping chunks: verified and written in threads, counted, and offered to others.

In: answers of sources with the pieces that they hold. Out: chunks in their files; the picker and the ledger
know what became of each. The bytes of an answer stay in the buffer they arrived in until they are written.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from warren.services.files.staging import Arrived, Commits
from warren.services.files.walk import LEAF_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.protocols.transfer.client import TransferClient
    from warren.protocols.transfer.decoder import Answer
    from warren.runtime.seam import Runtime
    from warren.services.files.ledger import Ledger
    from warren.services.files.staging import Staging
    from warren.services.files.swarm.picker import Picker
    from warren.services.files.swarm.pieces import Piece
    from warren.services.files.swarm.source import Source
    from warren.services.files.swarm.words import Words
    from warren.services.files.walk import TargetFile


class ChunkKeeper:
    """One for all sources of a fetch. words: of what others are served of it; None: nothing. gave: told who
    gave how much that was right.

    failure: what a thread met. Nothing that another source could mend, so it stays. commits: close them when
    no source is at work any more.
    """

    def __init__(
        self,
        runtime: Runtime,
        staging: Staging,
        picker: Picker,
        ledger: Ledger,
        words: Words | None = None,
        gave: Callable[[PeerId, int], None] = lambda _peer, _size: None,
    ) -> None:
        self._runtime = runtime
        self._staging = staging
        self._picker = picker
        self._ledger = ledger
        self._words = words
        self._gave = gave
        self._partial = words.partial if words is not None else None
        self.failure: Exception | None = None
        self.commits = Commits(runtime, staging, self._fail)

    def keep(
        self,
        source: Source,
        client: TransferClient,
        answer: Answer,
        pieces: Sequence[Piece],
        blame: Callable[[Piece], None],
    ) -> asyncio.Task[None] | None:
        """Begin to keep what an answer holds of these pieces, all that lie in it one behind the other.

        What came already from somebody else is passed over. blame: called with what did not fit.
        """
        start = 0
        chunks: list[Arrived] = []
        for length, piece in zip(answer.header.lengths, pieces, strict=True):
            if self._picker.on_arrival(source.offer, piece):
                chunks.append(Arrived(start, start + length, piece))
            start += length
        if not chunks:
            client.release(answer)
            return None
        return asyncio.create_task(self._store(source, client, answer, chunks, blame))

    async def _store(
        self,
        source: Source,
        client: TransferClient,
        answer: Answer,
        chunks: Sequence[Arrived],
        blame: Callable[[Piece], None],
    ) -> None:
        try:
            if self._words is not None:
                await self._words.use(source.word)
            right = await self._runtime.offload(self._staging.store, answer.buffer, chunks)
            for chunk, is_right in zip(chunks, right, strict=True):
                if not is_right:
                    blame(chunk.piece)
                    continue
                source.bytes_fetched += chunk.end - chunk.start
                self._gave(source.peer, chunk.end - chunk.start)
                for file in self._on_stored(chunk):
                    if file.size > chunk.end - chunk.start:  # of many chunks: it may have stayed open
                        await self._runtime.offload(self._staging.close_file, file)
                    self._ledger.done_files += 1
                self._picker.on_success(chunk.piece)  # last: closing a file is a part of keeping it
        except Exception as error:  # noqa: BLE001 (supervises a thread: whatever it is, `Swarm.run` raises it)
            self._fail(error)
            client.abandon(error)
        finally:
            client.release(answer)
            self._ledger.moved.set()
            self._ledger.tell("fetching")

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        self._ledger.moved.set()

    def _on_stored(self, chunk: Arrived) -> list[TargetFile]:
        """Count it, and offer it to others; returns the files that it completed."""
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
        if self._partial is not None:
            for number in piece.numbers:
                self._partial.on_stored(number, length)
        return completed
