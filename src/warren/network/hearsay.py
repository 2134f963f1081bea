"""How often one host is tried at addresses that only others told of: one count for all who dial. Pure.

In:  the time, addresses before they are tried, and those at which their peer was met. Out: whether they may
be tried. Each host (IPv4 address, IPv6 /64) has so many attempts at once, and one more each so many seconds.
An attempt that meets its peer is given back: honest peers, however many share a host, are dialled freely. One
that fails is not, nor one that was given up because its peer was met elsewhere: who names a machine beside
its own address is counted for that machine.

So however many liars name a host, by whatever protocol, they cannot make this node hammer it. Not counted:
attempts on the word of the user, those where this node has met the peer itself, and loopback, which is nobody
else's. Memory is bounded, and room is made at the expense of the hosts that have the most attempts left: to
name many others does not make a host forgotten that was tried too often.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.reach import Reach, reach_of
from warren.network.limits import HOSTS_MAX, ip_group

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr

_HAIR = 1e-9
"""Who comes at the very time that `ready_at` named is not turned away for a rounding."""


class Hearsay:
    """Of one network. burst: attempts at one host at once; every_s: until it may be tried once more."""

    __slots__ = ("_burst", "_every_s", "_hosts")

    def __init__(self, burst: int, every_s: float) -> None:
        self._burst = burst
        self._every_s = every_s
        self._hosts: dict[str, tuple[float, float]] = {}
        """How many attempts are left, and when that was reckoned; who is not here has all."""

    def __len__(self) -> int:
        return len(self._hosts)

    def left(self, address: Multiaddr, now: float) -> int:
        """How many attempts at the host of `address` may begin now; loopback is not bounded."""
        return self._burst if _is_loopback(address) else int(self._left(_host_of(address), now) + _HAIR)

    def take(self, address: Multiaddr, now: float) -> bool:
        """Use up an attempt at the host of `address`, if there is one."""
        if _is_loopback(address):
            return True
        host = _host_of(address)
        left = self._left(host, now)
        if left + _HAIR < 1:
            return False
        self._hosts[host] = (left - 1, now)
        if len(self._hosts) > HOSTS_MAX:
            self._make_room(now)
        return True

    def give_back(self, address: Multiaddr, now: float) -> None:
        """An attempt that was taken met its peer."""
        host = _host_of(address)
        if host in self._hosts:
            left = self._left(host, now) + 1
            if left < self._burst:
                self._hosts[host] = (left, now)
            else:
                del self._hosts[host]

    def ready_at(self, address: Multiaddr, now: float) -> float:
        """When an attempt at the host of `address` may begin."""
        left = self._left(_host_of(address), now)
        return now if left + _HAIR >= 1 or _is_loopback(address) else now + (1 - left) * self._every_s

    def _left(self, host: str, now: float) -> float:
        left, at = self._hosts.get(host, (self._burst, now))
        return min(self._burst, left + max(now - at, 0.0) / self._every_s)

    def _make_room(self, now: float) -> None:
        """Forget one half: those with the most attempts left."""
        spent = sorted(self._hosts, key=lambda host: self._left(host, now))
        self._hosts = {host: self._hosts[host] for host in spent[: HOSTS_MAX // 2]}


def _host_of(address: Multiaddr) -> str:
    return ip_group(address.host or "")


def _is_loopback(address: Multiaddr) -> bool:
    return reach_of(address) is Reach.LOOPBACK
