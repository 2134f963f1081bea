"""A process with one half of the files service, for tests that need two, and for the benchmark.

    python -m tests.services.files.node share HOME PATH...        prints its address, runs until stdin ends
    python -m tests.services.files.node fetch ADDRESS REF FOLDER  prints progress and the outcome

Every line of output is a JSON document. Options before the verb: `--port N` listens there; `--die-after N`
kills the process with SIGKILL once N answers are read (share) or stored (fetch); `--hold-after N` says
{"held": 1} once N are stored and stores no more before a line came in; `--commit-bytes N` commits after so
many; `--file-max N` lets no file grow over N bytes; `--nobody` gives up root. The last line of `share` also
says which chunks were served, by digest.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.services.files.pair import open_state
from tests.services.files.swarms import swarms_of
from warren.core.errors import WarrenError
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.runtime.real import RealRuntime
from warren.services.files.config import FilesConfig
from warren.services.files.fetcher import Fetcher
from warren.services.files.kept_open import KeptOpen
from warren.services.files.library import Library
from warren.services.files.staging import Staging, commits
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.services.files.serving import ReadChunks

SHARER = PrivateKey.from_seed(b"\1" * 32)
FETCHER = PrivateKey.from_seed(b"\2" * 32)
NOBODY = 65_534


def tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def facts_of_process() -> dict[str, float]:
    """Peak memory in MB and CPU seconds of this process so far.

    VmHWM, because `ru_maxrss` begins with what the process had before it became this program.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    lines = Path("/proc/self/status").read_text().splitlines()
    peak_kb = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return {"peak_mb": peak_kb / 1024, "cpu_s": used.ru_utime + used.ru_stime}


def die_after(count: int, function: Callable[..., Any]) -> Callable[..., Any]:
    calls = itertools.count(1)

    def counting(*arguments: Any) -> Any:
        result = function(*arguments)
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return counting


def hold_after(count: int, function: Callable[..., Any]) -> Callable[..., Any]:
    calls, gate = itertools.count(1), threading.Event()

    def holding(*arguments: Any) -> Any:
        call = next(calls)
        if call == count:
            tell(held=1)
            sys.stdin.readline()
            gate.set()
        elif call > count:
            gate.wait()
        return function(*arguments)

    return holding


def note_served(served: list[str], function: Callable[..., Any]) -> Callable[..., Any]:
    def noting(kept: KeptOpen, job: ReadChunks) -> Any:
        served.extend(digest.hex() for digest, _ in job.wanted)
        return function(kept, job)

    return noting


async def share(options: argparse.Namespace) -> None:
    if options.die_after:
        KeptOpen.read = die_after(options.die_after, KeptOpen.read)  # type: ignore[method-assign]
    served: list[str] = []
    KeptOpen.read = note_served(served, KeptOpen.read)  # type: ignore[method-assign]
    runtime = RealRuntime()
    network = Network(runtime, SHARER)
    await network.listen([Multiaddr.tcp("127.0.0.1", options.port)])
    home, *paths = options.rest
    state = await open_state(runtime, Path(home))
    library = await Library.open(
        runtime, network, FilesConfig(), state, Path(home) / "index.db", swarms_of(network, SHARER)
    )
    hash_seconds = [(await library.share(path, Audience("public"))).hash_seconds for path in paths]
    tell(address=str(network.listen_addrs[0]), hash_seconds=hash_seconds)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    tell(served=served, **facts_of_process())
    await library.close()
    await state.close()
    await network.stop()
    await runtime.close()


async def fetch(options: argparse.Namespace) -> None:
    if options.die_after:
        Staging.store = die_after(options.die_after, Staging.store)  # type: ignore[method-assign]
    if options.hold_after:
        Staging.store = hold_after(options.hold_after, Staging.store)  # type: ignore[method-assign]
    if options.commit_bytes:
        commits.COMMIT_BYTES = options.commit_bytes  # type: ignore[misc]
        commits.COMMIT_GAP_S = 0.0  # type: ignore[misc]
    address, ref, folder = options.rest
    runtime = RealRuntime()
    network = Network(runtime, FETCHER)
    fetcher = Fetcher(runtime, network, FilesConfig())
    network.add_addresses(SHARER.peer_id, [Multiaddr.parse(address)], 3600)
    try:
        async with fetcher.get(ref, folder, peers=[SHARER.peer_id]) as transfer:
            async for progress in transfer:
                tell(phase=progress.phase, done=progress.done_bytes, total=progress.total_bytes)
            await transfer.result()
            outcome = transfer.outcome
            assert outcome is not None
            tell(
                path=str(outcome.path),
                seconds=outcome.seconds,
                files=outcome.files,
                bytes=outcome.bytes,
                fetched=outcome.chunks_fetched,
                reused=outcome.chunks_reused,
                already_there=outcome.already_there,
                **facts_of_process(),
            )
    except WarrenError as error:
        tell(error=type(error).__name__, message=str(error), hint=error.hint)
    await fetcher.close()
    await network.stop()
    await runtime.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--hold-after", type=int, default=0)
    parser.add_argument("--commit-bytes", type=int, default=0)
    parser.add_argument("--file-max", type=int, default=0)
    parser.add_argument("--nobody", action="store_true")
    parser.add_argument("verb", choices=["share", "fetch"])
    parser.add_argument("rest", nargs="+")
    options = parser.parse_args()
    if options.file_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.file_max, resource.RLIM_INFINITY))
    if options.nobody and os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    asyncio.run({"share": share, "fetch": fetch}[options.verb](options))


if __name__ == "__main__":
    main()
