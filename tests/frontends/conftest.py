"""A fake node behind a real API, shared by the tests of one module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.support import running_api

if TYPE_CHECKING:
    from tests.frontends.support import RunningApi


@pytest.fixture(scope="module")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_api(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def api(shared_api: RunningApi) -> Any:
    """The API with its node as new."""
    shared_api.call(shared_api.node.forget)
    shared_api.stopped.clear()
    shared_api.home.remember_listing("peers", [])
    shared_api.home.remember_listing("files", [])
    return shared_api


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("WARREN_")]:
        monkeypatch.delenv(name)
