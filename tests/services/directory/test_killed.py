"""A node that is killed -9 amid changes: all that was done is in the catalog, once and in order."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.services.directory.changing import open_catalog
from tests.services.directory.weak_and_super import Both
from warren.runtime.real.runtime import RealRuntime

ROOT = Path(__file__).parents[3]
CHANGES = 150


def changes_until_killed(path: Path, seed: str) -> list[list[str]]:
    """What a process said of its changes; it is killed in one of them."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    words = [sys.executable, "-P", "-m", "tests.services.directory.changing", str(path), seed]
    said = []
    with subprocess.Popen(words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.split())
            if len(said) == 2 * CHANGES:
                process.kill()
    return said


async def listed(path: Path) -> tuple[dict[str, int], int]:
    """What the catalog has, and its number."""
    runtime = RealRuntime()
    catalog, database = await open_catalog(runtime, str(path))
    page = await catalog.page("", {0}, 1000)
    await database.close()
    await runtime.close()
    return {one.entry.path: one.entry.size for one in page}, catalog.position.seq


async def replayed(path: Path) -> dict[str, int]:
    """What a super-peer has that was told nothing before."""
    runtime, both = RealRuntime(), Both()
    both.catalog, database = await open_catalog(runtime, str(path))
    both.session = both.new_session()
    assert await both.talk()
    await database.close()
    await runtime.close()
    return both.at_super()


def test_what_was_done_when_the_node_was_killed_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    expected: dict[str, int] = {}
    last_seq = 0
    for seed in ("1", "2"):
        said = changes_until_killed(path, seed)
        begun = None
        for what, name, size, *seq in said:
            if what == "begin":
                begun = name, int(size)
                continue
            begun = None
            assert int(seq[0]) >= last_seq
            last_seq = int(seq[0])
            expected.pop(name, None)
            if int(size) >= 0:
                expected[name] = int(size)
        found, seq_found = asyncio.run(listed(path))
        assert seq_found >= last_seq
        if begun is not None and found != expected:  # the one that was under way is whole
            expected.pop(begun[0], None)
            if begun[1] >= 0:
                expected[begun[0]] = begun[1]
        assert found == expected
        assert asyncio.run(replayed(path)) == expected
        last_seq = seq_found
