"""The rows about files: one large file and many small ones, by Warren and by the tools people copy with
today.

All take turns on one disk. What was written by one run is flushed before the next, a large target is
removed after its run, and targets of many files stay until the end: ext4 is slow to create thousands of
files right after as many were deleted. One run of each, not counted, comes first: of many files once, and of
a large one before each that counts (`warm`).
"""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.copies import tools
from bench.processes import RunError, run_client
from bench.table import Row
from bench.warm import give_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.copies import Tool

T = TypeVar("T")
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
    for run in rounds(source, runs):
        for name, row in rows.items():
            tool = next((tool for tool in copiers if tool.name == name), None)
            if tool is not None and tool.copy is None:
                row.note = f"missing: {tool.how_to_get}"
                continue
            progress(f"{source.name}: {name}, " + (f"run {run} of {runs}" if run else "warming up"))
            copy = partial(_fetch, source) if tool is None else partial(_copy, tool, source)
            try:
                took_s, more = after_another(
                    copy, source, work / f"{source.name}.{name.replace(' ', '-')}.{run}"
                )
            except RunError as error:
                print(error, file=sys.stderr)
                row.note = "failed"
                continue
            if run:
                row.samples.append(took_s)
                for key, figure in extra.items():
                    if key in more:
                        figure.samples.append(more[key] / (1e6 if key.endswith("bytes") else 1))


def rounds(source: Path, runs: int) -> range:
    """Their numbers; 0 is not counted."""
    return range(1 if source.is_file() else 0, runs + 1)


def after_another(copy: Callable[[Path, Path | None], T], source: Path, target: Path) -> T:
    """What `copy(folder, old)` into the new folder `target` tells; of a large file, right after another.

    The copies are checked. Those of a large file are removed: that of the other as soon as `copy` is about to
    begin, which it does itself, as `old`; see `warm`. Raises `RunError`.
    """
    if source.is_dir():
        return _one_copy(copy, source, target, None)
    old = target.with_name(f"{target.name}.old")
    try:
        _one_copy(copy, source, old, None)
        return _one_copy(copy, source, target, old)
    finally:
        for one in (old, target):
            shutil.rmtree(one, ignore_errors=True)


def _one_copy(copy: Callable[[Path, Path | None], T], source: Path, target: Path, old: Path | None) -> T:
    target.mkdir()
    os.sync()
    told = copy(target, old)
    _check(source, target / source.name)
    return told


def _copy(tool: Tool, source: Path, target: Path, old: Path | None) -> tuple[float, dict[str, float]]:
    assert tool.copy is not None
    give_back(old)
    start = time.perf_counter()
    tool.copy(source, target / source.name)
    return time.perf_counter() - start, {}


def _fetch(source: Path, target: Path, old: Path | None) -> tuple[float, dict[str, float]]:
    result = fetch(source, target, old)
    return result["fetch_s"], result


def fetch(source: Path, target: Path, old: Path | None, *, sync: bool = False) -> dict[str, Any]:
    """What `bench.files` prints of copying `source` into the folder `target` by Warren."""
    more = (["--sync"] if sync else []) + ([] if old is None else ["--old", str(old)])
    return run_client([sys.executable, "-m", FILES_MODULE, str(source), str(target), *more], timeout_s=600)


def _check(source: Path, target: Path) -> None:
    """The copy is whole."""
    if source.is_dir():
        count = sum(len(files) for _, _, files in os.walk(target))
        if count != sum(len(files) for _, _, files in os.walk(source)):
            raise RunError(f"{target} holds {count} files")
        return
    if not filecmp.cmp(source, target, shallow=False):
        raise RunError(f"{target} differs from its source")


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
