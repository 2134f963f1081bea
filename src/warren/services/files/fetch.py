"""One fetch: a root becomes a file or folder here.

In: what is wanted, who has it as far as that is known, and where its copy goes. Out: the verified copy under
its final name, at once; or the reason why not, with what was verified left for the next attempt. Nodes come
on one stream (`nodes`), chunks on one of each source (`swarm`), all verified before anything is done with
them. While it runs others are served of what is here (`partial`).
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from warren.core.errors import IntegrityError, NotFound, ProtocolViolation, StorageError
from warren.runtime.waiting import run_out
from warren.services.files.chunks import ChunkKeeper
from warren.services.files.ignoring import FETCHED
from warren.services.files.importer import Importer
from warren.services.files.ledger import Ledger
from warren.services.files.names import safe_top_name
from warren.services.files.nodes import NodePuller
from warren.services.files.staging import Staging
from warren.services.files.streaming.growing import Growing
from warren.services.files.swarm.caps import Cap
from warren.services.files.swarm.picker import Picker
from warren.services.files.swarm.swarm import Swarm, Work
from warren.services.files.swarm.words import Words
from warren.services.files.types import Fetched, Renamed
from warren.services.files.walk import LEAF_UNKNOWN, Walk

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.runtime.seam import Runtime
    from warren.services.files.config import FilesConfig
    from warren.services.files.importer import Imported
    from warren.services.files.ledger import Wanted
    from warren.services.files.swarm.interfaces import Holders
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.swarm.steering import Steering
    from warren.services.files.swarm.swarms import Swarms
    from warren.services.files.types import Progress
    from warren.services.files.walk import MakeSymlink


class Surroundings(NamedTuple):
    """What all fetches of a node share. places: see `staging.make_places`. cap: of all of them together.

    swarms: where others learn what is fetched here; None: nobody is asked what it has, nor served. holders:
    who finds further sources. gave: told which peer gave how much that was right.
    """

    runtime: Runtime
    network: Network
    config: FilesConfig
    places: deque[None]
    cap: Cap
    swarms: Swarms | None = None
    holders: Holders | None = None
    gave: Callable[[PeerId, int], None] = lambda _peer, _size: None


class Fetch:
    """See the module's header. Make it, `run` it once.

    peers: who has it, as far as that is known; only: nobody else is asked. swarm: its sources, while it runs.
    """

    def __init__(
        self,
        around: Surroundings,
        wanted: Wanted,
        peers: Sequence[PeerId],
        folder: str,
        steering: Steering,
        report: Callable[[Progress], None],
        *,
        only: bool = False,
    ) -> None:
        self._around = around
        self._runtime = runtime = around.runtime
        self._wanted = wanted
        self._peers = peers
        self._only = only
        self._steering = steering
        self._staging = Staging(runtime.disk, folder, str(wanted.cid), around.places, sync=around.config.sync)
        self._ledger = Ledger(wanted, runtime.clock, report)
        self.partial: Partial | None = None
        """What others are served of it meanwhile."""
        self.root = wanted.cid
        self.swarm: Swarm | None = None

    async def run(self) -> Fetched:
        """Fetch it. Raises what `Transfer.result` names. `close` it afterwards."""
        begun = self._runtime.clock.now()
        wanted, staging, runtime = self._wanted, self._staging, self._runtime
        self._ledger.tell("listing", at_once=True)
        await run_out(runtime, staging.open)
        try:
            name, reason = safe_top_name(wanted.name, staging.rules)
            copy = await self._find_copy(name)
            if copy is not None:
                await run_out(runtime, staging.discard)
                path, found = copy
                seconds = runtime.clock.now() - begun
                return Fetched(path, wanted.cid, (), found.files, found.bytes, seconds, already_there=True)
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
        if self.partial is not None:
            # Some file systems have clocks of their own, and some do not keep when a folder changed.
            named_at_ns = await run_out(runtime, staging.named_at_ns)
            self.partial.on_moved(str(path), max(named_at_ns, int(runtime.clock.wall() * 1e9)))
            self.partial.complete = wanted.select is None
            self._ledger.moved.set()
        renamed = walk.renamed
        if reason:
            renamed = [Renamed("", path.name, reason), *renamed]
        ledger = self._ledger
        return Fetched(
            path=path,
            cid=wanted.cid,
            sources=self._steering.sources(),
            files=ledger.done_files,
            bytes=ledger.done_bytes,
            seconds=runtime.clock.now() - begun,
            partial=wanted.select is not None,
            chunks_fetched=ledger.chunks_fetched,
            chunks_reused=ledger.chunks_reused,
            skipped=tuple(skipped),
            skipped_count=skipped_count,
            renamed=tuple(renamed),
            renamed_count=walk.renamed_count + bool(reason),
        )

    def close(self) -> None:
        """Serve others nothing of it any more: it is over, or they are served the copy."""
        if self.partial is not None and self._around.swarms is not None:
            self._around.swarms.end(self.partial)

    def _begin_walk(self) -> Walk:
        wanted = self._wanted
        size = LEAF_UNKNOWN if wanted.size is None else wanted.size
        try:
            return Walk(wanted.cid.to_bytes(), self._staging.rules, size=size)
        except ProtocolViolation as error:
            raise wanted.refuse(error) from error

    async def _find_copy(self, name: str) -> tuple[Path, Imported] | None:
        """What already lies under the final name, or one with a number, if it is this very content."""
        for path in await self._runtime.offload(self._staging.find_named, name):
            try:
                size = await self._runtime.offload(self._staging.measure, path)
                if self._wanted.size not in {None, size}:
                    continue
                top = await self._runtime.offload(self._runtime.disk.real_path, path)
                found = await Importer(self._runtime, self._around.config.hash_jobs, rules=FETCHED).run(top)
            except (OSError, NotFound, StorageError):
                continue  # whatever it is, it stays, and is not this
            if found.root.cid == self._wanted.cid.to_bytes():
                return Path(path), found
        return None

    async def _fetch_all(self, walk: Walk) -> list[MakeSymlink]:
        """Fill the staging folder; returns the symlinks that are still to be made."""
        runtime, staging, ledger, around = self._runtime, self._staging, self._ledger, self._around
        words: Words | None = None
        if around.swarms is not None:
            words = Words(runtime, self._wanted.cid, staging.hidden, resumed=staging.resumed)
            self.partial = words.partial
            around.swarms.begin(self.partial)
        seed = int.from_bytes(runtime.entropy.bytes(4))
        picker = Picker(sequential=self._wanted.sequential, seed=seed)
        nodes = NodePuller(runtime, staging, walk, picker, ledger, self.partial)
        keeper = ChunkKeeper(runtime, staging, picker, ledger, words, around.gave)
        self.swarm = Swarm(
            around.network,
            around.config,
            Work(ledger, picker, nodes, keeper, self.partial),
            exchange=around.swarms,
            holders=around.holders,
            caps=(Cap(runtime.clock.now, lambda: self._steering.cap_bytes_per_s), around.cap),
            only=self._only,
        )
        self._steering.show(self.swarm.sources, self.swarm.add)
        if self.partial is not None:
            self._steering.growing = Growing(runtime, walk, self.partial, ledger, picker)
            ledger.tell("listing", at_once=True)  # who waits to read looks at it
        try:
            await self.swarm.run([*self._peers, *self._steering.added])
            await keeper.commits.close(keep=False)  # it will have its final name in a moment
        except BaseException:
            with contextlib.suppress(StorageError):  # there is a failure to report already
                await run_out(runtime, staging.close)
                await keeper.commits.close(keep=True)
            raise
        if not nodes.done or ledger.done_files != nodes.files:
            # Never met; but what is incomplete must not get its final name, whatever fault led here.
            raise IntegrityError(
                f"only {ledger.done_files} of {nodes.files} files are complete",
                hint="fetch again: what is there already is not fetched twice",
            )
        self._wanted.check_size(ledger.done_bytes)  # of a lone chunk it shows only now
        return nodes.symlinks
