"""What the directory can be told."""

from __future__ import annotations

from typing import Any

import pytest

from warren.config import Config
from warren.core.errors import ConfigError
from warren.services.directory.config import ROLES, DirectoryConfig


@pytest.mark.parametrize("role", ROLES)
def test_the_roles(role: str) -> None:
    assert DirectoryConfig(role=role, super_peers=0).role == role


def test_a_store_is_for_super_peers_and_its_password_is_not_shown() -> None:
    store = "redis://:secret@localhost/0"
    config = Config(directory=DirectoryConfig(role="super", store=store))
    assert config.directory.store == store
    assert "secret" not in repr(config)
    for role in ("auto", "weak", "off"):
        with pytest.raises(ConfigError, match=r"directory\.store is for super-peers") as caught:
            Config(directory=DirectoryConfig(role=role, store=store))
        assert "--role super" in caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "boss"},
        {"role": ""},
        {"super_peers": -1},
        {"super_peers": 17},
        {"lease_s": 0},
        {"lease_s": 3601},
        {"peers_max": 0},
        {"entries_max": 0},
        {"auto_public": "yes"},
        {"store": "http://localhost"},
        {"store": 7},
    ],
)
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        DirectoryConfig(**wrong)
    assert "directory." in str(caught.value)
