"""How often peers are tried, and when they are given up: what `Probing` goes by. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FORGET_NEW_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class ProbePolicy:
    """Seconds, but for the counts.

    settle_s: from a loss to the first try, doubling where connections do not last (attack: peers that accept
        and hang up, to be dialled without pause); also within what all are due again when a doubt ends.
    steady_s: a connection that stood so long did last. The end of a shorter one that the peer made is not
        looked into: it may have come to see whether this node lives, and would be seen in turn without end.
    retest_s: between the tries of a suspect, doubling.
    failures_max: so many in a row make a suspect unreachable.
    backoff_first_s: between the first two tries of the unreachable, doubling from then on.
    backoff_max_s: up to this.
    forget_s: unreachable for so long: forgotten. forget_new_s: the same for who was never met. (Attack: peers
        that do not exist, to fill the table.)
    hold_s: how long a failure waits for a witness.
    probes_max: under way at once. (Attack: peers that accept and hang; each occupies one for its deadline.)
    gap_s: between any two. (Attack: a table filled by others makes this node a scanner.)
    host_gap_s: between two to one host, that of the best address. (Attack: many peer ids at a victim's
        address, for all to dial.) How often any address of theirs is tried is counted by `network.hearsay`.
    peers_max: kept here. (Attack: identities that cost nothing; about 300 bytes each.)
    """

    settle_s: float = 5.0
    steady_s: float = 60.0
    retest_s: float = 30.0
    failures_max: int = 4
    backoff_first_s: float = 300.0
    backoff_max_s: float = 86400.0
    forget_s: float = 7 * 86400.0
    forget_new_s: float = FORGET_NEW_S
    hold_s: float = 20.0
    probes_max: int = 8
    gap_s: float = 0.5
    host_gap_s: float = 2.0
    peers_max: int = 4096
