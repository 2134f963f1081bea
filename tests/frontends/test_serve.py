"""A node that may have too few files open says what to do."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from warren.config import Config
from warren.frontends import serve
from warren.network.config import FOR_MANY
from warren.services.directory.config import DirectoryConfig

SUPER = replace(Config(), directory=DirectoryConfig(role="super"), network=FOR_MANY)


@pytest.mark.parametrize(
    ("config", "allowed", "level"),
    [
        (SUPER, 4096, logging.WARNING),
        (SUPER, FOR_MANY.inbound_max + serve.FILES_BESIDES, None),
        (SUPER, None, None),
        (Config(), 4096, logging.INFO),
        (Config(), 8192, None),
    ],
)
def test_too_few_open_files_are_told_with_the_cure(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    config: Config,
    allowed: int | None,
    level: int | None,
) -> None:
    asked: list[int] = []

    def allow(wanted: int) -> int | None:
        asked.append(wanted)
        return allowed

    monkeypatch.setattr(serve, "allow_open_files", allow)
    with caplog.at_level(logging.INFO):
        serve._allow_connections(config)
    network = config.network
    assert asked == [network.inbound_max + network.outbound_max + serve.FILES_BESIDES]
    assert [record.levelno for record in caplog.records] == ([level] if level is not None else [])
    for record in caplog.records:
        assert f"ulimit -n {network.inbound_max + serve.FILES_BESIDES}" in record.getMessage()
