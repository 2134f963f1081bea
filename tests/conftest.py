"""What every test gets: one Hypothesis profile, steadier where CI runs it.

In comes the environment variable `CI`. What a test may miss on a user's machine (foreign peers, root)
it asks for with `tests.support.require`, which skips here and fails there, so that no promise goes untested
unnoticed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import pytest

# No deadline per example: two shared cores make a fast parser look slow. Derandomised in CI, so that a red
# run is red on every machine; new examples are found by developers and by the fuzzers.
_QUIET = [HealthCheck.too_slow]
settings.register_profile("local", max_examples=100, deadline=None, suppress_health_check=_QUIET)
settings.register_profile(
    "ci", max_examples=200, deadline=None, suppress_health_check=_QUIET, derandomize=True
)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often a fetching process is killed by the test of that."""
    parser.addoption("--moments", type=int, default=4, help="kills of a fetch, each at a random moment")
