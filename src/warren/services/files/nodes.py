"""Pulling the nodes of a tree: what there is to fetch, found out as it is verified.

In: streams to those who have them, the walk. Out: folders made, chunks wanted in the picker, symlinks kept
for the end; of what is not selected, nothing but numbers.
What an earlier attempt left is checked here and not wanted again. Nodes are pulled no further ahead of the
chunks than `BACKLOG_MAX`; while that is reached no stream is kept open.

A connection may break at any moment, which cancels `run`: a step stays in the queue until it was handed over
whole, and making its folder or looking for its chunks a second time does no harm.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.cid import Cid
from warren.core.errors import BadContent, ContentUnknown, InputError, ProtocolViolation
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import Status
from warren.runtime.waiting import run_out
from warren.services.files.dag.build import CHUNK_BYTES
from warren.services.files.swarm.selection import Selection
from warren.services.files.walk import BadBlock, MakeFile, MakeFolder, MakeSymlink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream
    from warren.protocols.transfer.decoder import Answer
    from warren.runtime.seam import Runtime
    from warren.services.files.ledger import Ledger
    from warren.services.files.staging import Staging
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.swarm.picker import Picker
    from warren.services.files.types import Audience
    from warren.services.files.walk import Step, Walk

BACKLOG_MAX: Final = 16_384
"""Chunks that are planned and not asked for. This is memory, some 9 MB."""
BACKLOG_HUNGRY_MAX: Final = 4 * BACKLOG_MAX
"""The same where some source has nothing of them."""
ASKED_MAX: Final = 256
"""Nodes named in one request; each stands for all below it."""
CHECK_BYTES: Final = 64 * 1024 * 1024
CHECK_LEAVES: Final = 1024
"""What an earlier attempt left is checked in steps of this size."""


class NodeSource(Protocol):
    """Who is asked for nodes. word: for whom what it has is, as it says."""

    @property
    def peer(self) -> PeerId: ...

    @property
    def word(self) -> Audience | None: ...

    @property
    def open_stream(self) -> Callable[[], Awaitable[Stream]]: ...


class NodePuller:
    """Runs until the walk is done; after a failure it may run again."""

    def __init__(
        self,
        runtime: Runtime,
        staging: Staging,
        walk: Walk,
        picker: Picker,
        ledger: Ledger,
        partial: Partial | None = None,
    ) -> None:
        """partial: what others are served of it; None: nothing."""
        self._runtime = runtime
        self._staging = staging
        self._walk = walk
        self._picker = picker
        self._ledger = ledger
        self._partial = partial
        self._selection = Selection(ledger.wanted.select) if ledger.wanted.select is not None else None
        self._room_checked = False
        self._todo: deque[Step] = deque()
        self._bad: BadContent | None = None
        self.failure: ProtocolViolation | None = None
        """What makes the tree one that nobody can serve."""
        self.symlinks: list[MakeSymlink] = []
        """To be made once all else is there."""

    async def run(self, source: NodeSource, answer_s: float) -> None:
        """Pull all nodes, of one source that answers within `answer_s` seconds each time.

        Raises what the stream and the disk raise, `BadContent`, `ContentUnknown`, `ProtocolViolation`, and
        `IntegrityError` for more bytes than may come.
        """
        if self.failure is not None:
            raise self.failure
        if self._bad is not None:  # found out while the last attempt ended for another reason
            bad, self._bad = self._bad, None
            raise bad
        await self._apply()  # a lone chunk has no nodes, but a step; and a broken attempt left some
        while not self._walk.done:
            client = TransferClient(await source.open_stream(), held_max=2)
            try:
                await self._pull_until_full(client, source, answer_s)
            finally:
                client.close()
            while self._is_full:
                await self._ledger.wait_moved()
        self._check_selection()
        self._picker.close()
        self._ledger.moved.set()

    @property
    def done(self) -> bool:
        """Whether all nodes came, and all that they call for was handed over."""
        return self._walk.done and not self._todo

    @property
    def known(self) -> int:
        """Grows with all that comes."""
        return self._walk.files + self._walk.leaves

    @property
    def files(self) -> int:
        """The files to be fetched, as far as they are known."""
        return self._walk.files if self._selection is None else self._selection.count

    @property
    def _is_full(self) -> bool:
        """Whether enough is planned; where nobody has any of it, or somebody waits for what follows, that may
        be had.
        """
        picker = self._picker
        most = BACKLOG_HUNGRY_MAX if picker.hungry or picker.seeks_beyond else BACKLOG_MAX
        return self._picker.backlog >= most

    def _check_selection(self) -> None:
        if self._selection is not None and not self._selection.found:
            raise InputError(
                f"nothing in {self._ledger.wanted.name} is selected",
                hint="list what there is with: warren ls",
            )

    async def _pull_until_full(self, client: TransferClient, source: NodeSource, answer_s: float) -> None:
        while not self._walk.done and not self._is_full:
            await self._pull_some(client, source, answer_s)

    async def _pull_some(self, client: TransferClient, source: NodeSource, answer_s: float) -> None:
        """One request, and all that answers it."""
        await client.ask_tree(self._walk.wanted(ASKED_MAX))
        last = False
        while not last:
            answer = await client.next_answer(answer_s)
            last = answer.header.last
            try:
                if answer.header.status is not Status.OK:
                    raise ContentUnknown(
                        f"{source.peer} does not share {self._ledger.wanted.cid} with us now",
                        hint=f"list what there is with: warren ls {source.peer}",
                    )
                if self._partial is not None:
                    self._partial.use(source.word)
                await run_out(self._runtime, self._read, answer, source.peer)
            finally:
                client.release(answer)
            await self._apply()

    def _read(self, answer: Answer, peer: PeerId) -> None:
        """Verify and read the nodes of an answer; runs in a thread, one at a time."""
        start = 0
        try:
            with memoryview(answer.buffer) as view:
                for length in answer.header.lengths:
                    self._receive(view[start : start + length])
                    start += length
        except BadBlock as error:
            self._bad = BadContent(peer, Cid.from_bytes(error.cid))
            raise self._bad from error
        except ProtocolViolation as error:
            self.failure = self._ledger.wanted.refuse(error)
            raise self.failure from error

    def _receive(self, block: memoryview) -> None:
        cid = self._walk.wanted(1)[0] if self._partial is not None and not self._walk.done else b""
        self._walk.receive(block)
        if self._partial is not None:
            self._partial.on_node(cid, bytes(block))

    async def _apply(self) -> None:
        """Do what the nodes so far call for."""
        walk, ledger = self._walk, self._ledger
        for step in walk.take_steps():
            for one in (step,) if self._selection is None else self._selection.of(step):
                self._todo += _cut(one)
        if self._selection is None:
            ledger.total_bytes, ledger.total_files = walk.total_bytes, walk.files
        else:
            ledger.total_bytes, ledger.total_files = self._selection.bytes, self._selection.count
        ledger.wanted.check_size(ledger.total_bytes)
        if ledger.total_bytes and not self._room_checked and (walk.done or self._selection is None):
            await self._runtime.offload(self._staging.check_room, ledger.total_bytes)
            self._room_checked = True
        while self._todo:
            batch = self._next_batch()
            found = await run_out(self._runtime, self._prepare, batch)
            # No await from here to the end of the batch: all of it is handed over, or nothing.
            for step, present in zip(batch, found, strict=True):
                self._hand_over(step, present)
                self._todo.popleft()
            ledger.moved.set()
            ledger.tell("verifying" if self._staging.resumed else "fetching")

    def _next_batch(self) -> list[Step]:
        """The next steps: all, or as many as are checked in a handy time."""
        if not self._staging.resumed:
            return list(self._todo)
        batch: list[Step] = []
        size = count = 0
        for step in self._todo:
            if size >= CHECK_BYTES or count >= CHECK_LEAVES:
                break
            batch.append(step)
            leaves = step.leaves if isinstance(step, MakeFile) else ()
            size += sum(leaf.length for leaf in leaves)
            count += max(1, len(leaves))
        return batch

    def _prepare(self, batch: Sequence[Step]) -> list[Sequence[bool]]:
        """Make folders and empty files; say of each step which of its chunks are there. Runs in a thread."""
        self._staging.make_folders([step.path for step in batch if isinstance(step, MakeFolder)])
        return [self._find_present(step) if isinstance(step, MakeFile) else () for step in batch]

    def _find_present(self, step: MakeFile) -> Sequence[bool]:
        if not step.leaves:
            self._staging.make_empty_file(step.file)
            return ()
        if self._staging.resumed:
            return self._staging.find_present(step.file, step.leaves, step.first)
        return [False] * len(step.leaves)

    def _hand_over(self, step: Step, present: Sequence[bool]) -> None:
        match step:
            case MakeSymlink(path):
                if not path:
                    raise InputError(
                        "this is a symlink and nothing else", hint="fetch the folder that it lies in"
                    )
                self.symlinks.append(step)
            case MakeFile():
                self._want(step, present)

    def _want(self, step: MakeFile, present: Sequence[bool]) -> None:
        file, ledger = step.file, self._ledger
        ledger.current = file.source
        for number, (leaf, is_there) in enumerate(zip(step.leaves, present, strict=True), step.first):
            if self._partial is not None:
                self._partial.on_leaf(number, leaf.digest, leaf.length, file.path, leaf.offset)
            if is_there:
                file.left -= leaf.length
                ledger.done_bytes += leaf.length
                ledger.chunks_reused += 1
                if self._partial is not None:
                    self._partial.on_stored(number)
            else:
                self._picker.add(leaf.digest, leaf.length, file, leaf.offset, number)
        if file.left == 0:
            ledger.done_files += 1


def _cut(step: Step) -> Iterator[Step]:
    """A step in parts that are checked in a handy time."""
    count = CHECK_BYTES // CHUNK_BYTES
    if not isinstance(step, MakeFile) or len(step.leaves) <= count:
        yield step
        return
    for at in range(0, len(step.leaves), count):
        yield MakeFile(step.file, step.leaves[at : at + count], step.first + at)
