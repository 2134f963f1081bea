"""What every test gets: one Hypothesis profile, steadier where CI runs it, and its turn on the machine.

In comes the environment variable `CI`. What a test may miss on a user's machine (foreign peers, root)
it asks for with `tests.support.require`, which skips here and fails there, so that no promise goes untested
unnoticed.

`python3 run.py test` runs the whole suite in a process for each core (pytest-xdist), a file of tests at a
time.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

# No deadline per example: two shared cores make a fast parser look slow. Derandomised in CI, so that a red
# run is red on every machine; new examples are found by developers and by the fuzzers.
_QUIET = [HealthCheck.too_slow]
settings.register_profile("local", max_examples=100, deadline=None, suppress_health_check=_QUIET)
settings.register_profile(
    "ci", max_examples=200, deadline=None, suppress_health_check=_QUIET, derandomize=True
)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell starts what it puts behind with interrupts ignored, and children inherit that: the nodes that tests
# stop as Ctrl-C does would run on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_WORKERS_MAX = 4  # each takes a gigabyte of memory, and what tests start shares the cores with them


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One for each core for the whole suite; 0, this process alone, where some tests were picked or would be
    read as they print: that starts at once.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    picked = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.option.keyword
    if cores == 1 or picked or config.option.capture == "no":
        return 0
    return min(cores, _WORKERS_MAX)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes run them: files with long tests first and those that hold up the others last,
    for no core to be idle while another ends its file.
    """
    if not hasattr(config, "workerinput"):
        return
    marks: dict[Path, set[str]] = {}
    for item in items:
        marks.setdefault(item.path, set()).update(mark.name for mark in item.iter_markers())
    items.sort(key=lambda item: ("alone" in marks[item.path], "slow" not in marks[item.path]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that is marked `alone` runs while no other process of the suite is at one."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    with Turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often a fetching process is killed by the test of that."""
    parser.addoption("--moments", type=int, default=4, help="kills of a fetch, each at a random moment")
