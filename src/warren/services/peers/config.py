"""What measuring and the health of peers can be told: how often, and how much it may cost."""

from __future__ import annotations

from dataclasses import dataclass

from warren.core.bounds import check_settings

_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class PeersConfig:
    """Measuring peers, and finding out who is still there.

    latency_interval_s: the round trip of a connected peer is measured so often at least. Idle connections
        have a keep-alive; its answers are used on the side that asks.
    probe_timeout_s: a peer that is tried and has not answered by then did not answer. (Attack: peers that
        accept a connection and hang.)
    probes_max: tries under way at once. (Attack: the same; each occupies one until its deadline.)
    feeler_interval_s: so often one peer of the table that is not connected is tried: whether it lives, and
        how far it is. (Attack: a table filled with peers that do not exist.) 0: never.
    forget_s: who was unreachable for so long leaves the table; contacts and blocked peers stay. Never met
        at all: after a day at most. (Attack: the same.)
    anchors: peers that this node dialled and had for long, to be dialled first after a restart, each in
        another network. (Attack: a node is restarted into a table of the attacker's peers.) 0: none.
    speedtest_interval_s: so often a speed test with a connected contact is considered. 0: never by itself.
    speedtest_age_s: a speed younger than this is not measured again.
    speedtest_seconds: how long such a test lasts.
    speedtest_bytes_max: how much it moves in each direction at most.
    speedtests_per_day: tests that this node makes by itself in 24 hours at most.
    speedtest_bytes_per_day: what they cost together, both directions.
    speedtests_per_peer_per_day: the same for one peer.
    speedtest_bytes_per_peer_per_day: the same for one peer.
    contact_tests_per_day: tests of this node that are answered to one contact. (Attack: a contact that keeps
        all others from testing.)
    contact_bytes_per_day: what they cost. (Attack: a contact that makes this node send all day.)
    stranger_tests_per_day: tests that are answered to all strangers together. 0: strangers may not test.
        (Attack: identities that cost nothing, each of which makes this node send.)
    stranger_bytes_per_day: what they cost. (Attack: the same.)
    stranger_bytes_per_test: what one of them may; also all that it may cost in a day.
    served_seconds_max: a run that another node asked for ends after so long, to within 30 s. (Attack: peers
        that move a byte now and then, and keep all others from testing.)
    """

    latency_interval_s: float = 300.0
    probe_timeout_s: float = 10.0
    probes_max: int = 8
    feeler_interval_s: float = 300.0
    forget_s: float = 7 * _DAY_S
    anchors: int = 4
    speedtest_interval_s: float = 3600.0
    speedtest_age_s: float = _DAY_S
    speedtest_seconds: float = 2.0
    speedtest_bytes_max: int = 16 << 20
    speedtests_per_day: int = 8
    speedtest_bytes_per_day: int = 256 << 20
    speedtests_per_peer_per_day: int = 2
    speedtest_bytes_per_peer_per_day: int = 64 << 20
    contact_tests_per_day: int = 200
    contact_bytes_per_day: int = 64 << 30
    stranger_tests_per_day: int = 0
    stranger_bytes_per_day: int = 256 << 20
    stranger_bytes_per_test: int = 16 << 20
    served_seconds_max: float = 120.0

    def __post_init__(self) -> None:
        check_settings(
            self,
            "peers.",
            zero=(
                "feeler_interval_s",
                "anchors",
                "speedtest_interval_s",
                "stranger_tests_per_day",
            ),
            most={"probes_max": 256, "anchors": 32, "speedtest_seconds": 60},
        )
