from __future__ import annotations

from typing import Any

import pytest

from warren.core.errors import ConfigError
from warren.services.presence.config import PresenceConfig


@pytest.mark.parametrize(
    "settings",
    [{"ratio": 1.0}, {"ratio": 0.0}, {"vote_s": 0}, {"vote_s": 3601}, {"ramp_s": 0.0}],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"presence.{next(iter(settings))}"):
        PresenceConfig(**settings)
