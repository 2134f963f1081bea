"""An hour of 200 whole nodes is the same hour in every process; what it takes is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("two_hundred.py")
SOURCE = Path(__file__).parents[2] / "src"
NODES, DEGREE, MINUTES = 200, 8, 60


def start(hash_seed: int) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": path}
    command = [sys.executable, str(PROGRAM), str(MINUTES)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    result: dict[str, Any] = json.loads(out)
    return result


@pytest.mark.alone
@pytest.mark.slow
def test_an_hour_of_two_hundred_nodes_is_the_same_under_any_hash_seed() -> None:
    processes = [start(hash_seed) for hash_seed in (1, 2)]
    try:
        one, other = [finish(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
    facts = one["facts"]
    for run in (one, other):
        print(f"{facts['deliveries']} deliveries in {run['wall_s']:.1f} s, of which CPU {run['cpu_s']:.1f} s")
    assert facts == other["facts"]
    assert facts["virtual_s"] > MINUTES * 60
    assert facts["pings"] == NODES * DEGREE * MINUTES * 4
    assert facts["quickest_s"] == pytest.approx(0.04)
    assert facts["slowest_s"] == pytest.approx(0.04)
    assert facts["broadcasts"] == NODES * MINUTES / 5
    assert facts["reached"] == facts["received"] == NODES * DEGREE * MINUTES / 5
    assert facts["failed"] == 0
