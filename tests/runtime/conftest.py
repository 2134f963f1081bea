"""The fixture `setting`: each conformance test runs on the real and on the simulated runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.runtime.settings import Setting


@pytest.fixture(params=sorted(SETTINGS))
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setting]:
    made = SETTINGS[request.param](tmp_path)
    yield made
    made.close()
