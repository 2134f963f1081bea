"""Each interop test runs once with js-libp2p and once with py-libp2p."""

from __future__ import annotations

import pytest

from tests.interop.foreign import Foreign


@pytest.fixture(
    params=[
        pytest.param("js", marks=pytest.mark.interop_js),
        pytest.param("py", marks=pytest.mark.interop_py),
    ]
)
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """One foreign library after the other."""
    return Foreign.need(request.param)
