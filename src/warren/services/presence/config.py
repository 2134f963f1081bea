"""What presence can be told."""

from __future__ import annotations

from dataclasses import dataclass

from warren.core import fail_vote
from warren.core.bounds import check_settings
from warren.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """Fail votes. How long a lease is good for says `directory.lease_s`.

    vote_s: for so long this node's votes count, unless it votes again.
    ratio: as a super-peer, the share of the votes' weight that must be passed before a peer counts as
        offline.
    ramp_s: as a super-peer, the age of its lease at which a voter weighs all it can. Turned up, identities
        that were made for an attack weigh less, and so do honest newcomers.
    hearsay_s: so often super-peers are asked whom votes hold offline.
    """

    vote_s: int = 600
    ratio: float = 0.5
    ramp_s: float = 3600.0
    hearsay_s: float = 60.0

    def __post_init__(self) -> None:
        check_settings(self, "presence.", most={"vote_s": fail_vote.VALID_S_MAX})
        if self.ratio >= 1:
            raise ConfigError(
                f"presence.ratio must be below 1, not {self.ratio:g}",
                hint="a share of all is passed by nobody; write for instance 0.5",
            )
