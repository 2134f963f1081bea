from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from warren.core.errors import ConfigError
from warren.protocols.transfer.messages import PAYLOAD_BYTES_MAX
from warren.protocols.transfer.server import ServerLimits
from warren.services.files.config import FilesConfig


def config(**changes: Any) -> FilesConfig:
    return replace(FilesConfig(), **changes)


MAY_BE_ZERO = {"hash_bytes_per_s", "down_bytes_per_s", "up_bytes_per_s"}
NUMBERS = [field.name for field in fields(FilesConfig) if field.type != "bool"]


@pytest.mark.parametrize("name", [name for name in NUMBERS if name not in MAY_BE_ZERO])
@pytest.mark.parametrize("value", [0, -1])
def test_nothing_is_zero_or_negative(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"files\.{name} must be above 0"):
        config(**{name: value})


@pytest.mark.parametrize("name", sorted(MAY_BE_ZERO))
def test_where_zero_means_that_there_is_no_bound_it_may_be_so(name: str) -> None:
    assert getattr(config(**{name: 0}), name) == 0
    with pytest.raises(ConfigError, match=rf"files\.{name} must be 0 or above"):
        config(**{name: -1})


@pytest.mark.parametrize(
    ("name", "least"), [("outstanding_bytes", PAYLOAD_BYTES_MAX), ("in_flight_bytes", 2 * PAYLOAD_BYTES_MAX)]
)
def test_a_chunk_must_fit(name: str, least: int) -> None:
    assert getattr(config(**{name: least}), name) == least
    with pytest.raises(ConfigError, match="1 MiB"):
        config(**{name: least - 1})


def test_the_server_has_the_same_defaults() -> None:
    given = FilesConfig()
    assert ServerLimits() == ServerLimits(
        streams_max=given.serve_streams_max,
        streams_per_peer=given.serve_streams_per_peer,
        ahead_bytes=given.serve_ahead_bytes,
        idle_s=given.idle_s,
        strangers_max=given.serve_strangers_max,
        strangers_per_peer=given.serve_strangers_per_peer,
        strangers_ahead_bytes=given.serve_strangers_ahead_bytes,
        strangers_idle_s=given.strangers_idle_s,
        stall_s=given.stall_s,
    )
