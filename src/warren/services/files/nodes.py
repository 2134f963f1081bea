"""Pulling the nodes of a tree: what there is to fetch, found out as it is verified.

In: a stream to the peer, the walk. Out: folders made, chunks wanted in the picker, symlinks kept for the end.
What an earlier attempt left is checked here and not wanted again. Nodes are pulled no further ahead of the
chunks than `BACKLOG_MAX`; while that is reached no stream is kept open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.cid import Cid
from warren.core.errors import BadContent, ContentUnknown, InputError
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import Status
from warren.services.files.walk import BadBlock, MakeFile, MakeFolder, MakeSymlink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.network.stream import Stream
    from warren.protocols.transfer.decoder import Answer
    from warren.runtime.seam import Runtime
    from warren.services.files.ledger import Ledger
    from warren.services.files.picker import Picker
    from warren.services.files.staging import Staging
    from warren.services.files.walk import Leaf, Step, Walk

BACKLOG_MAX: Final = 16_384
"""Chunks that are planned and not asked for. This is memory, some 6 MB."""
ASKED_MAX: Final = 256
"""Nodes named in one request; each stands for all below it."""
CHECK_BYTES: Final = 64 * 1024 * 1024
CHECK_LEAVES: Final = 1024
"""What an earlier attempt left is checked in steps of this size."""


class NodePuller:
    """Runs until the walk is done; after a failure it may run again."""

    def __init__(
        self,
        runtime: Runtime,
        staging: Staging,
        walk: Walk,
        picker: Picker,
        ledger: Ledger,
        answer_s: float,
    ) -> None:
        self._runtime = runtime
        self._staging = staging
        self._walk = walk
        self._picker = picker
        self._ledger = ledger
        self._answer_s = answer_s
        self._room_checked = False
        self.symlinks: list[MakeSymlink] = []
        """To be made once all else is there."""

    async def run(self, open_stream: Callable[[], Awaitable[Stream]]) -> None:
        """Pull all nodes. Raises what the stream and the disk raise, `BadContent`, `ContentUnknown`."""
        await self._apply()  # a lone chunk has no nodes, but a step
        while not self._walk.done:
            client = TransferClient(await open_stream(), held_max=2)
            try:
                await self._pull_until_full(client)
            finally:
                client.close()
            while self._picker.backlog >= BACKLOG_MAX:
                await self._ledger.wait_moved()
        self._picker.close()
        self._ledger.moved.set()

    async def _pull_until_full(self, client: TransferClient) -> None:
        while not self._walk.done and self._picker.backlog < BACKLOG_MAX:
            await self._pull_some(client)

    async def _pull_some(self, client: TransferClient) -> None:
        """One request, and all that answers it."""
        await client.ask_tree(self._walk.wanted(ASKED_MAX))
        last = False
        while not last:
            answer = await client.next_answer(self._answer_s)
            last = answer.header.last
            try:
                if answer.header.status is not Status.OK:
                    raise ContentUnknown(
                        f"{self._ledger.origin.peer} does not share {self._ledger.origin.cid} with us now",
                        hint=f"list what there is with: warren ls {self._ledger.origin.peer}",
                    )
                await self._runtime.offload(self._read, answer)
            finally:
                client.release(answer)
            await self._apply()

    def _read(self, answer: Answer) -> None:
        """Verify and read the nodes of an answer; runs in a thread, one at a time."""
        start = 0
        try:
            with memoryview(answer.buffer) as view:
                for length in answer.header.lengths:
                    self._walk.receive(view[start : start + length])
                    start += length
        except BadBlock as error:
            raise BadContent(self._ledger.origin.peer, Cid.from_bytes(error.cid)) from error

    async def _apply(self) -> None:
        """Do what the nodes so far call for."""
        walk, ledger = self._walk, self._ledger
        ledger.total_bytes, ledger.total_files = walk.total_bytes, walk.files
        if walk.total_bytes and not self._room_checked:
            self._room_checked = True
            await self._runtime.offload(self._staging.check_room, walk.total_bytes)
        steps = walk.take_steps()
        await self._runtime.offload(self._make, steps)
        files: list[MakeFile] = []
        for step in steps:
            if isinstance(step, MakeSymlink):
                self._keep_symlink(step)
            elif isinstance(step, MakeFile):
                if step.leaves:
                    files.append(step)
                else:
                    ledger.done_files += 1
        if self._staging.resumed:
            await self._want_missing(files)
        else:
            for file in files:
                self._want(file, [False] * len(file.leaves))
        ledger.moved.set()
        ledger.tell("fetching")

    def _make(self, steps: Sequence[Step]) -> None:
        self._staging.make_folders([step.path for step in steps if isinstance(step, MakeFolder)])
        for step in steps:
            if isinstance(step, MakeFile) and not step.leaves:
                self._staging.make_empty_file(step.file)

    def _keep_symlink(self, step: MakeSymlink) -> None:
        if not step.path:
            raise InputError("this is a symlink and nothing else", hint="fetch the folder that it lies in")
        self.symlinks.append(step)

    def _want(self, step: MakeFile, present: Sequence[bool]) -> None:
        file, ledger = step.file, self._ledger
        for leaf, is_there in zip(step.leaves, present, strict=True):
            if is_there:
                file.left -= leaf.length
                ledger.done_bytes += leaf.length
                ledger.chunks_reused += 1
            else:
                self._picker.add(leaf.digest, leaf.length, file, leaf.offset)
        if file.left == 0:
            ledger.done_files += 1

    async def _want_missing(self, files: Sequence[MakeFile]) -> None:
        """Check what is there, a handy amount at a time."""
        batch: list[MakeFile] = []
        size = count = 0
        for step in files:
            for leaves in _cut(step.leaves):
                batch.append(MakeFile(step.file, leaves))
                size += sum(leaf.length for leaf in leaves)
                count += len(leaves)
                if size >= CHECK_BYTES or count >= CHECK_LEAVES:
                    await self._check(batch)
                    batch, size, count = [], 0, 0
        await self._check(batch)

    async def _check(self, batch: Sequence[MakeFile]) -> None:
        found = await self._runtime.offload(
            lambda: [self._staging.find_present(file, leaves) for file, leaves in batch]
        )
        for step, present in zip(batch, found, strict=True):
            self._ledger.current = step.file.source
            self._want(step, present)
        self._ledger.moved.set()
        self._ledger.tell("verifying")


def _cut(leaves: Sequence[Leaf]) -> list[Sequence[Leaf]]:
    step = CHECK_BYTES // (1024 * 1024)
    return [leaves[at : at + step] for at in range(0, len(leaves), step)]
