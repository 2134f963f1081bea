"""Every test here stands on a wire of its own, or is skipped with the reason; it fails where CI is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.namespaces.link import Link, missing
from tests.support import require

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _namespaces() -> str:
    return missing()


@pytest.fixture
def link(request: pytest.FixtureRequest, _namespaces: str) -> Iterator[Link]:
    """Two machines on a wire. `@pytest.mark.parametrize("link", [0.02], indirect=True)` makes it long: that
    many seconds from end to end.
    """
    require(not _namespaces, _namespaces)
    with Link(latency_s=getattr(request, "param", 0.0)) as made:
        yield made
