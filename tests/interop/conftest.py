"""Each interop test runs once with js-libp2p and once with py-libp2p."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.foreign import Foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.multiaddr import Multiaddr


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("js", marks=pytest.mark.interop_js),
        pytest.param("py", marks=pytest.mark.interop_py),
    ],
)
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """One foreign library after the other."""
    return Foreign.need(request.param)


@pytest.fixture(scope="module")
def address(foreign: Foreign) -> Iterator[Multiaddr]:
    """Where a node of the library listens; the tests of a module share it, each comes with a new peer id."""
    with foreign.serving() as listening:
        yield listening
