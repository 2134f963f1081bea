"""The rows about files: one large file and many small ones, by Warren and by the tools people copy with
today.

All take turns on one disk. What was written by one run is flushed before the next, a large target is
removed after its run, and targets of many files stay until the end: ext4 is slow to create thousands of
files right after as many were deleted. One run of each, not counted, comes first, and right before each run
as much memory is used and given back: a virtual machine pays for the first use of each page (`warm`).
"""

from __future__ import annotations

import filecmp
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.copies import tools
from bench.processes import RunError, run_client
from bench.table import Row
from bench.warm import warm_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.copies import Tool

GIB = 1 << 30
SMALL_COUNT = 10_000
SMALL_BYTES = 4096
FILES_MODULE = "bench.files"
"""Two nodes in two processes: one shares, the other fetches; prints fetch_s, hash_s, cpu_s and peak_bytes."""

Progress = Callable[[str], None]


def file_rows(runs: int, big_bytes: int, small_count: int, parent: Path, progress: Progress) -> Iterator[Row]:
    """Every row about files; works in a folder below `parent`, which is removed."""
    with tempfile.TemporaryDirectory(prefix="warren-bench.", dir=parent) as work_name:
        work = Path(work_name)
        served = work / "source"
        served.mkdir()
        big, small = served / "big.bin", served / "small"
        make_big(big, big_bytes)
        make_small(small, small_count)
        with tools(work, served) as copiers:
            yield from _big(runs, big, work, copiers, progress)
            yield from _small(runs, small, work, copiers, progress)


def _big(runs: int, source: Path, work: Path, copiers: list[Tool], progress: Progress) -> Iterator[Row]:
    what = f"one file of {source.stat().st_size >> 20} MiB, verified, to disk"
    rows = {name: Row(what, name, "s", better="less") for name in ["warren", *(c.name for c in copiers)]}
    rows["scp"].ratio_min = 1.0
    extra = {
        "hash_s": Row("hashing it for the share, once", "warren", "s", better="less"),
        "peak_bytes": Row("most memory of either node", "warren", "MB", better="less", bound=150.0),
    }
    _take_turns(runs, source, work, copiers, rows, extra, progress)
    yield from (*rows.values(), *extra.values())


def _small(runs: int, source: Path, work: Path, copiers: list[Tool], progress: Progress) -> Iterator[Row]:
    count = sum(len(files) for _, _, files in os.walk(source))
    what = f"{count:,} files of 4 KiB, verified, to disk"
    trees = [tool for tool in copiers if "curl" not in tool.name]
    rows = {name: Row(what, name, "s", better="less") for name in ["warren", *(c.name for c in trees)]}
    rows["warren"].bound = 2.0 * count / SMALL_COUNT
    extra = {"peak_bytes": Row("most memory of either node then", "warren", "MB", better="less", bound=150.0)}
    _take_turns(runs, source, work, trees, rows, extra, progress)
    yield from (*rows.values(), *extra.values())


def _take_turns(
    runs: int,
    source: Path,
    work: Path,
    copiers: list[Tool],
    rows: dict[str, Row],
    extra: dict[str, Row],
    progress: Progress,
) -> None:
    for run in range(runs + 1):
        for name, row in rows.items():
            tool = next((tool for tool in copiers if tool.name == name), None)
            if tool is not None and tool.copy is None:
                row.note = f"missing: {tool.how_to_get}"
                continue
            progress(f"{source.name}: {name}, " + (f"run {run} of {runs}" if run else "warming up"))
            target = work / f"{source.name}.{name.replace(' ', '-')}.{run}"
            os.sync()
            try:
                took_s, more = _fetch(source, target) if tool is None else _copy(tool, source, target)
            except RunError as error:
                print(error, file=sys.stderr)
                row.note = "failed"
                continue
            if run:
                row.samples.append(took_s)
                for key, figure in extra.items():
                    if key in more:
                        figure.samples.append(more[key] / (1e6 if key.endswith("bytes") else 1))


def _copy(tool: Tool, source: Path, target: Path) -> tuple[float, dict[str, float]]:
    assert tool.copy is not None
    warm_for(source)
    start = time.perf_counter()
    tool.copy(source, target)
    took_s = time.perf_counter() - start
    check(source, target)
    return took_s, {}


def _fetch(source: Path, target: Path) -> tuple[float, dict[str, float]]:
    target.mkdir()
    result = run_client([sys.executable, "-m", FILES_MODULE, str(source), str(target)], timeout_s=600)
    check(source, target / source.name)
    return result["fetch_s"], result


def check(source: Path, target: Path) -> None:
    """The copy is whole; a large one is then removed."""
    if source.is_dir():
        count = sum(len(files) for _, _, files in os.walk(target))
        if count != sum(len(files) for _, _, files in os.walk(source)):
            raise RunError(f"{target} holds {count} files")
        return
    if not filecmp.cmp(source, target, shallow=False):
        raise RunError(f"{target} differs from its source")
    target.unlink()


def make_big(path: Path, size: int) -> None:
    """A file of random bytes."""
    with path.open("wb") as file:
        for _ in range(0, size, 1 << 22):
            file.write(os.urandom(1 << 22))


def make_small(folder: Path, count: int) -> None:
    """Files of random bytes, a hundred to a folder."""
    for at in range(count):
        part = folder / f"d{at // 100:03}"
        if at % 100 == 0:
            part.mkdir(parents=True)
        (part / f"f{at:05}.bin").write_bytes(os.urandom(SMALL_BYTES))
