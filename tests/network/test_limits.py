from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from warren.core.errors import LimitReached
from warren.network.config import NetworkConfig
from warren.network.limits import HOSTS_MAX, SocketLimits, choose_victim, ip_group


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a name", "a name"),
    ],
)
def test_what_counts_as_one_host(host: str, group: str) -> None:
    assert ip_group(host) == group


def admitted(limits: SocketLimits, hosts: list[str], limit: str) -> int:
    """How many get in before `limit` stops one."""
    stopped_by, count = "", 0
    for host in hosts:
        try:
            limits.admit_inbound(host)
        except LimitReached as error:
            stopped_by = error.limit
            break
        count += 1
    assert stopped_by == limit
    return count


def far(count: int) -> list[str]:
    return [f"10.0.{n // 250}.{n % 250}" for n in range(count)]


def test_inbound_sockets_are_counted_and_let_go() -> None:
    limits = SocketLimits(NetworkConfig(inbound_max=3))
    assert admitted(limits, far(5), "inbound_max") == 3
    limits.end_handshake("10.0.0.0")
    limits.release_inbound("10.0.0.0")
    assert admitted(limits, ["10.1.1.1"], "") == 1


def test_one_host_has_its_share_only() -> None:
    limits = SocketLimits(NetworkConfig(per_ip_max=2))
    neighbours = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
    assert admitted(limits, neighbours, "per_ip_max") == 2
    assert admitted(limits, ["2001:db8:0:1::1"], "") == 1


def test_handshakes_are_limited_in_all_and_by_host() -> None:
    limits = SocketLimits(NetworkConfig(handshakes_max=3, handshakes_per_ip_max=2))
    assert admitted(limits, ["10.0.0.1"] * 3, "handshakes_per_ip_max") == 2
    assert admitted(limits, ["10.0.0.2", "10.0.0.3"], "handshakes_max") == 1
    limits.end_handshake("10.0.0.1")
    assert admitted(limits, ["10.0.0.1", "10.0.0.4"], "handshakes_max") == 1
    assert limits.handshakes == 3
    assert limits.inbound == 4


def test_outbound_sockets_are_limited() -> None:
    limits = SocketLimits(NetworkConfig(outbound_max=1))
    limits.admit_outbound()
    with pytest.raises(LimitReached) as caught:
        limits.admit_outbound()
    assert caught.value.limit == "outbound_max"
    limits.release_outbound()
    limits.admit_outbound()


def test_hosts_that_are_gone_leave_nothing_behind() -> None:
    limits = SocketLimits(NetworkConfig(handshakes_max=300))
    for host in far(300):
        limits.admit_inbound(host)
    for host in far(300):
        limits.end_handshake(host)
        limits.release_inbound(host)
    assert limits.inbound == limits.handshakes == 0
    assert not limits._inbound_by_ip
    assert not limits._handshakes_by_ip


def test_a_host_over_its_share_is_told_so_before_the_node_counts_as_full() -> None:
    limits = SocketLimits(NetworkConfig(inbound_max=3, per_ip_max=2, handshakes_per_ip_max=1))
    for host, newcomers in (("10.0.0.1", 2), ("10.0.0.2", 1)):
        for _ in range(newcomers):
            limits.admit_inbound(host)
            limits.end_handshake(host)
    assert [limits.crowd(host) for host in ("10.0.0.1", "10.0.0.2", "10.0.0.3")] == [2, 1, 0]
    assert admitted(limits, ["10.0.0.1"], "per_ip_max") == 0
    assert admitted(limits, ["10.0.0.2"], "inbound_max") == 0


def socket(name: str, *, streams: int = 0, last_read_at: float = 0.0, crowd: int = 1) -> Any:
    return SimpleNamespace(name=name, streams=streams, last_read_at=last_read_at, crowd=crowd)


def test_the_crowd_goes_first_then_the_silent_and_the_longest_silent_before_the_others() -> None:
    sockets = [
        socket("busy", streams=1, last_read_at=1.0),
        socket("lately", last_read_at=9.0),
        socket("long ago", last_read_at=2.0),
        socket("protected", last_read_at=0.0, crowd=7),
        socket("crowd, busy", last_read_at=9.0, streams=1, crowd=5),
        socket("crowd", last_read_at=9.5, crowd=5),
    ]

    def choose() -> Any:
        return choose_victim(sockets, lambda s: s.name == "protected", lambda s: s.crowd)  # type: ignore[attr-defined]

    order = []
    while (victim := choose()) is not None:
        order.append(victim.name)
        sockets.remove(victim)
    assert order == ["crowd", "crowd, busy", "long ago", "lately", "busy"]


def test_what_is_remembered_of_hosts_is_bounded() -> None:
    limits = SocketLimits(NetworkConfig())
    for n in range(HOSTS_MAX + 10):
        host = f"10.{n >> 16}.{(n >> 8) & 255}.{n & 255}"
        limits.welcome(host, 0.0)
        limits.note_violation(host, 0.0)
    assert len(limits._newcomers) == len(limits._violations) == HOSTS_MAX
