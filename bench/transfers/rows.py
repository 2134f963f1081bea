"""The rows of `run.py bench transfers`, each with what was promised. All take turns on one disk."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.file_rows import GIB, SMALL_COUNT, after_another, make_big, make_small, rounds
from bench.processes import RunError
from bench.table import Row
from bench.transfers import links
from bench.transfers.contenders import contenders, make_torrent, torrent_command
from bench.transfers.swarm import CAP, Torrent, Warren, many_to_one, memory_of, one_to_many, with_failing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.file_rows import Progress
    from bench.transfers.contenders import Contender
    from bench.transfers.swarm import Peers

PARTS = ("one", "small", "four", "spread", "failing", "memory")
LARGE_BYTES = 20 * GIB
FAILING_BYTES = GIB // 4
SLOWER_THAN_CURL_MAX = 1.6
FASTER = 1.0001
"""A promise to be faster, as a ratio."""


def rows(parts: Sequence[str], runs: int, parent: Path, progress: Progress) -> Iterator[Row]:
    """The rows of these parts; works in a folder below `parent`, which is removed."""
    with tempfile.TemporaryDirectory(prefix="warren-bench.", dir=parent) as name, ExitStack() as stack:
        work = Path(name)
        served = work / "source"
        served.mkdir()
        everyone = contenders(stack, work, served) if {"one", "small"} & set(parts) else []
        if "one" in parts:
            make_big(served / "big.bin", GIB)
            yield from _one(runs, served / "big.bin", work, everyone, progress)
        if "small" in parts:
            make_small(served / "small", SMALL_COUNT)
            yield from _small(runs, served / "small", work, everyone, progress)
        yield from _swarms(parts, runs, served, work, progress)


def _one(
    runs: int, source: Path, work: Path, everyone: Sequence[Contender], progress: Progress
) -> Iterator[Row]:
    what = "1 GiB, one holder to one receiver, verified, on disk"
    times = {one.name: Row(what, one.name, "s", better="less") for one in everyone}
    costs = {one.name: Row("processor seconds for it", one.name, "s", better="less") for one in everyone}
    for name in ("libtorrent", "rsync over ssh", "magic-wormhole", "syncthing", "syncthing, no fsync"):
        times[name].ratio_min = FASTER
    times["curl from nginx"].ratio_min = 1 / SLOWER_THAN_CURL_MAX
    _take_turns(runs, source, work, everyone, times, costs, progress)
    yield from (*times.values(), *costs.values())


def _small(
    runs: int, source: Path, work: Path, everyone: Sequence[Contender], progress: Progress
) -> Iterator[Row]:
    what = "10,000 files of 4 KiB, verified, on disk"
    able = [one for one in everyone if one.trees]
    times = {one.name: Row(what, one.name, "s", better="less") for one in able}
    costs = {one.name: Row("processor seconds for them", one.name, "s", better="less") for one in able}
    times["rsync over ssh"].ratio_min = FASTER
    _take_turns(runs, source, work, able, times, costs, progress)
    yield from (*times.values(), *costs.values())


def _take_turns(
    runs: int,
    source: Path,
    work: Path,
    everyone: Sequence[Contender],
    times: dict[str, Row],
    costs: dict[str, Row],
    progress: Progress,
) -> None:
    for run in rounds(source, runs):
        for one in everyone:
            if one.copy is None:
                times[one.name].note = costs[one.name].note = f"missing: {one.how_to_get}"
                continue
            progress(f"{source.name}: {one.name}, " + (f"run {run} of {runs}" if run else "warming up"))
            target = work / f"{source.name}.{one.name.replace(' ', '-')}.{run}"
            try:
                cost = after_another(partial(one.copy, source), source, target)
            except RunError as error:
                print(error, file=sys.stderr)
                times[one.name].note = "failed"
                continue
            if run:
                times[one.name].samples.append(cost.took_s)
                costs[one.name].samples.append(cost.cpu_s)


def _swarms(parts: Sequence[str], runs: int, served: Path, work: Path, progress: Progress) -> Iterator[Row]:
    big, part = served / "big.bin", served / "part.bin"
    if {"four", "spread"} & set(parts) and not big.exists():
        make_big(big, GIB)
    mib_s = "MB/s"
    if "four" in parts:
        row = Row("4 holders of 20 MB/s each to one receiver", "", mib_s, bound=76.0)
        yield from _each(row, runs, big, work, progress, lambda *to: GIB / many_to_one(*to) / 1e6)
    if "spread" in parts:
        ideal_s = GIB / CAP
        what = f"1 GiB from one holder of 20 MB/s to 4 receivers (ideal {ideal_s:.1f} s)"
        row = Row(what, "", "s", better="less", bound=1.15 * ideal_s)
        yield from _each(row, runs, big, work, progress, one_to_many)
    if "failing" in parts:
        make_big(part, FAILING_BYTES)
        what = "256 MiB from 4 holders of 20 MB/s: one stalls, one lies, one dies"
        row = Row(what, "", "s", better="less", bound=1.3 * FAILING_BYTES / CAP)
        yield from _each(row, runs, part, work, progress, with_failing)
    if "memory" in parts:
        progress("20 GiB: memory")
        _make_sparse(served / "large.bin", LARGE_BYTES)
        yield from _memory(served / "large.bin", work)


def _each(
    row: Row,
    runs: int,
    source: Path,
    work: Path,
    progress: Progress,
    measure: Callable[[Peers, Path, Path], float],
) -> Iterator[Row]:
    """The row for Warren, and, but where holders fail, for libtorrent."""
    command = torrent_command()
    everyone: list[Peers] = [Warren(sys.executable)]
    if command is not None and measure is not with_failing:
        everyone.append(Torrent(command, make_torrent(command, source, work / "torrents")))
    found = [
        Row(row.what, peers.name, row.unit, row.better, bound=row.bound if at == 0 else None)
        for at, peers in enumerate(everyone)
    ]
    lacking = links.missing()
    for run in range(0 if lacking else runs):
        for peers, one in zip(everyone, found, strict=True):
            progress(f"{row.what}: {peers.name}, run {run + 1} of {runs}")
            try:
                one.samples.append(measure(peers, source, work))
            except RunError as error:
                print(error, file=sys.stderr)
                one.note = "failed"
    for one in found:
        one.note = one.note or (f"missing: {lacking}" if lacking else "")
    yield from found


def _memory(source: Path, work: Path) -> Iterator[Row]:
    what = "20 GiB: most memory of the "
    found = [Row(what + side, "warren", "MB", better="less", bound=200.0) for side in ("holder", "receiver")]
    lacking = links.missing()
    if lacking:
        found[0].note = found[1].note = f"missing: {lacking}"
    else:
        for row, peak in zip(found, memory_of(Warren(sys.executable), source, work), strict=True):
            row.samples.append(peak / 1e6)
    yield from found


def _make_sparse(path: Path, size: int) -> None:
    """A file of nothing but a counter in every MiB: all chunks differ, and it takes little of the disk."""
    with path.open("wb") as file:
        file.truncate(size)
        for at in range(0, size, 1 << 20):
            file.seek(at)
            file.write(at.to_bytes(8))
