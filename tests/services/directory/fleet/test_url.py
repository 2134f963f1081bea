"""Where a store is, as people write it."""

from __future__ import annotations

import pytest

from warren.core.errors import ConfigError
from warren.services.directory.fleet.url import check_url, shown


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://10.0.0.5:6379/0",
        "redis://:secret@[::1]:6379",
        "rediss://user:secret@redis.example.org:6380/3?ssl_cert_reqs=required",
        "unix:///run/redis.sock?db=2",
        "unix://user@/run/redis.sock?password=secret",
    ],
)
def test_what_is_taken(url: str) -> None:
    check_url(url)
    assert "secret" not in shown(url)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://:secret@localhost",
        "redis://",
        "redis://:secret@/0",
        "redis://:secret@host:port",
        "redis://:secret@host:99999",
        "redis://:secret@host:0",
        "redis://:secret@host/mine",
        "redis://:secret@[::1",
        "unix://run?password=secret",
    ],
)
def test_what_is_refused_names_the_cure_and_no_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_url(url)
    assert "directory.store" in str(caught.value)
    assert "redis://" in caught.value.hint
    assert "secret" not in str(caught.value)


def test_all_but_the_password_is_shown() -> None:
    assert shown("rediss://me:secret@host:6380/3") == "rediss://me:***@host:6380/3"
    assert shown("redis://:secret@host") == "redis://:***@host"
    assert shown("redis://host:1/0") == "redis://host:1/0"
    assert shown("unix:///run/s?db=2&password=secret") == "unix:///run/s?db=2&password=***"
