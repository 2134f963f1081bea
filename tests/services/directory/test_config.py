"""What the directory can be told."""

from __future__ import annotations

from typing import Any

import pytest

from warren.core.errors import ConfigError
from warren.services.directory.config import ROLES, DirectoryConfig


@pytest.mark.parametrize("role", ROLES)
def test_the_roles(role: str) -> None:
    assert DirectoryConfig(role=role, super_peers=0).role == role


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
    ],
)
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        DirectoryConfig(**wrong)
    assert "directory." in str(caught.value)
