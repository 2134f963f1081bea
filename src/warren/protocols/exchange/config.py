"""What peer exchange can be told."""

from __future__ import annotations

from dataclasses import dataclass

from warren.core.bounds import check_settings


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Peer exchange.

    enabled: whether to learn of peers from connected ones, and tell them of those that we know. Without, this
    node hears only of whom it meets; whoever meets it may still pass on what it signed.
    """

    enabled: bool = True

    def __post_init__(self) -> None:
        check_settings(self, "exchange.")
