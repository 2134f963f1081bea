"""One fetch: a root of one peer becomes a file or folder here.

In: where the root is, and where its copy goes. Out: the verified copy under its final name, at once; or the
reason why not, with what was verified left for the next attempt. Nodes come on one stream (`nodes`), chunks
on another (`chunks`), both verified before anything is done with them. When the connection breaks it is tried
again, as long as that brings something.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.core.errors import (
    ConnectionFailed,
    IntegrityError,
    LimitReached,
    NotFound,
    ProtocolViolation,
    StorageError,
)
from warren.protocols.transfer.messages import PROTOCOL_ID
from warren.services.files.chunks import ChunkPuller
from warren.services.files.ignoring import FETCHED
from warren.services.files.importer import Importer
from warren.services.files.ledger import Ledger
from warren.services.files.names import safe_top_name
from warren.services.files.nodes import NodePuller
from warren.services.files.picker import Picker
from warren.services.files.staging import Staging
from warren.services.files.types import Fetched, Renamed
from warren.services.files.waiting import run_out, settle
from warren.services.files.walk import LEAF_UNKNOWN, Walk

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Sequence

    from warren.network.network import Network
    from warren.network.stream import Stream
    from warren.runtime.seam import Runtime
    from warren.services.files.config import FilesConfig
    from warren.services.files.importer import Imported
    from warren.services.files.ledger import Origin
    from warren.services.files.types import Progress
    from warren.services.files.walk import MakeSymlink

logger = logging.getLogger(__name__)

RETRY_DELAYS_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Waits after failures between which nothing arrived; then it is given up."""


class Fetch:
    """See the module's header. Make it, `run` it once."""

    def __init__(
        self,
        runtime: Runtime,
        network: Network,
        config: FilesConfig,
        origin: Origin,
        folder: str,
        places: deque[None],
        report: Callable[[Progress], None],
    ) -> None:
        self._runtime = runtime
        self._network = network
        self._config = config
        self._origin = origin
        self._folder = folder
        self._staging = Staging(runtime.disk, folder, origin.cid, places, sync=config.sync)
        self._ledger = Ledger(origin, runtime.clock, report)

    async def run(self) -> Fetched:
        """Fetch it. Raises what `Transfer.result` names."""
        begun = self._runtime.clock.now()
        origin, staging, runtime = self._origin, self._staging, self._runtime
        self._ledger.tell("listing", at_once=True)
        await run_out(runtime, staging.open)
        try:
            name, reason = safe_top_name(origin.name, staging.rules)
            copy = await self._find_copy(name)
            if copy is not None:
                await run_out(runtime, staging.discard)
                path, found = copy
                seconds = runtime.clock.now() - begun
                return Fetched(
                    path, origin.cid, origin.peer, found.files, found.bytes, seconds, already_there=True
                )
            walk = self._begin_walk()
            symlinks = await self._fetch_all(walk)
        except BaseException:
            with contextlib.suppress(StorageError):  # there is a failure to report already
                await run_out(runtime, staging.close)
                if not (staging.resumed or self._ledger.chunks_fetched):
                    await run_out(runtime, staging.discard)  # nothing in it would be of use
            raise
        await run_out(runtime, staging.close)
        self._ledger.tell("finishing", at_once=True)
        skipped, skipped_count = await run_out(runtime, staging.make_symlinks, symlinks)
        path = Path(await run_out(runtime, staging.finish, name))
        renamed = walk.renamed
        if reason:
            renamed = [Renamed("", path.name, reason), *renamed]
        ledger = self._ledger
        return Fetched(
            path=path,
            cid=origin.cid,
            peer=origin.peer,
            files=ledger.done_files,
            bytes=ledger.done_bytes,
            seconds=runtime.clock.now() - begun,
            chunks_fetched=ledger.chunks_fetched,
            chunks_reused=ledger.chunks_reused,
            skipped=tuple(skipped),
            skipped_count=skipped_count,
            renamed=tuple(renamed),
            renamed_count=walk.renamed_count + bool(reason),
        )

    def _begin_walk(self) -> Walk:
        origin = self._origin
        size = LEAF_UNKNOWN if origin.size is None else origin.size
        try:
            return Walk(origin.cid.to_bytes(), self._staging.rules, size=size)
        except ProtocolViolation as error:
            raise origin.blame(error) from error

    async def _find_copy(self, name: str) -> tuple[Path, Imported] | None:
        """What already lies under the final name, or one with a number, if it is this very content."""
        for path in await self._runtime.offload(self._staging.find_named, name):
            try:
                size = await self._runtime.offload(self._staging.measure, path)
                if self._origin.size not in {None, size}:
                    continue
                top = await self._runtime.offload(self._runtime.disk.real_path, path)
                found = await Importer(self._runtime, self._config.hash_jobs, rules=FETCHED).run(top)
            except (OSError, NotFound, StorageError):
                continue  # whatever it is, it stays, and is not this
            if found.root.cid == self._origin.cid.to_bytes():
                return Path(path), found
        return None

    async def _fetch_all(self, walk: Walk) -> list[MakeSymlink]:
        """Fill the staging folder; returns the symlinks that are still to be made."""
        picker = Picker(self._config.outstanding_bytes)
        config, ledger = self._config, self._ledger
        nodes = NodePuller(self._runtime, self._staging, walk, picker, ledger, config.answer_s)
        chunks = ChunkPuller(self._runtime, self._staging, picker, ledger, config)
        try:
            await self._pull(nodes, chunks)
            await chunks.commits.close(keep=False)  # it will have its final name in a moment
        except BaseException:
            with contextlib.suppress(StorageError):  # there is a failure to report already
                await run_out(self._runtime, self._staging.close)
                await chunks.commits.close(keep=True)
            raise
        if not nodes.done or ledger.done_files != walk.files:
            # Never met; but what is incomplete must not get its final name, whatever fault led here.
            raise IntegrityError(
                f"only {ledger.done_files} of {walk.files} files are complete",
                hint="fetch again: what is there already is not fetched twice",
            )
        self._origin.check_size(ledger.done_bytes)  # of a lone chunk it shows only now
        return nodes.symlinks

    async def _pull(self, nodes: NodePuller, chunks: ChunkPuller) -> None:
        """Pull all nodes and chunks, over as many connections as it takes."""
        ledger = self._ledger
        failures = arrived = 0
        while True:
            try:
                await self._attempt(nodes, chunks)
            except (ConnectionFailed, LimitReached) as error:
                now_arrived = ledger.chunks_fetched + ledger.chunks_reused  # finding what is there counts
                failures, arrived = (1 if now_arrived > arrived else failures + 1), now_arrived
                if failures > len(RETRY_DELAYS_S):
                    raise
                logger.info("fetching %s from %s again: %s", self._origin.cid, self._origin.peer, error)
                await asyncio.sleep(RETRY_DELAYS_S[failures - 1])
            else:
                return

    async def _attempt(self, nodes: NodePuller, chunks: ChunkPuller) -> None:
        # No TaskGroup: on Python 3.11 one that is ending swallows a cancel, and the fetch would go on.
        pullers = [asyncio.create_task(puller.run(self._open_stream)) for puller in (nodes, chunks)]
        try:
            await asyncio.wait(pullers, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for puller in pullers:
                puller.cancel()
            await settle(pullers)
        errors = [error for puller in pullers if not puller.cancelled() and (error := puller.exception())]
        if errors:
            raise _most_telling(errors)

    async def _open_stream(self) -> Stream:
        return await self._network.open_stream(self._origin.peer, PROTOCOL_ID)


def _most_telling(errors: Sequence[BaseException]) -> BaseException:
    """The error that is not just a broken connection, if there is one."""
    return min(errors, key=lambda error: isinstance(error, ConnectionFailed | LimitReached))
