"""Who may have a socket: pure counting, asked before any work is done for a stranger.

In: a socket's direction, its host and its age in the handshake.  Out: admitted, or `LimitReached` with the
name of the limit; and the choice of whom to close when room is needed.
The rule of eviction: never a protected peer; one of the host that has the most sockets, never one with
streams while it has one without, and of those the one that was silent for longest.  The crowd comes first
because whoever makes up identities opens a stream on each for nothing.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from warren.core.errors import LimitReached
from warren.core.ip import ip_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.network.config import NetworkConfig
    from warren.network.socket import Socket

HOSTS_MAX: Final = 4096
"""Hosts whose newcomers and violations are remembered: bounded memory."""


@lru_cache(maxsize=4096)
def ip_group(host: str) -> str:
    """What counts as one host: an IPv4 address (mapped ones too), or the /64 of an IPv6 address."""
    ip = ip_of(host)
    if ip is None:
        return host
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((ip, 64), strict=False))
    return str(ip)


class SocketLimits:
    """Counts the sockets of one network."""

    __slots__ = (
        "_config",
        "_handshakes_by_ip",
        "_inbound_by_ip",
        "_newcomers",
        "_violations",
        "handshakes",
        "inbound",
        "outbound",
    )

    def __init__(self, config: NetworkConfig) -> None:
        self._config = config
        self._inbound_by_ip: Counter[str] = Counter()
        self._handshakes_by_ip: Counter[str] = Counter()
        self._newcomers: dict[str, tuple[float, float]] = {}
        """By host: how many may come at once, and when that was reckoned."""
        self._violations: dict[str, tuple[int, float]] = {}
        """By host: how many, and until when they count."""
        self.inbound = 0
        self.outbound = 0
        self.handshakes = 0

    def welcome(self, host: str, now: float) -> None:
        """Ask about a newcomer before anything is made for it. Raises `LimitReached`."""
        group = ip_group(host)
        violations, until = self._violations.get(group, (0, 0.0))
        if violations >= self._config.violations_max and now < until:
            raise LimitReached("violations_max")
        self._spend_newcomer(group, now)

    def admit_inbound(self, host: str) -> None:
        """Count a newcomer that begins its handshake. Raises `LimitReached`."""
        config, group = self._config, ip_group(host)
        # The host's own share first: who has it all makes room among its own, not among the others.
        if self._inbound_by_ip[group] >= config.per_ip_max:
            raise LimitReached("per_ip_max")
        if self._handshakes_by_ip[group] >= config.handshakes_per_ip_max:
            raise LimitReached("handshakes_per_ip_max")
        if self.inbound >= config.inbound_max:
            raise LimitReached("inbound_max")
        if self.handshakes >= config.handshakes_max:
            raise LimitReached("handshakes_max")
        self.count_inbound(host)

    @property
    def load(self) -> float:
        """The share of the inbound sockets that are taken, 0 to 1; 1 where none are allowed."""
        return self.inbound / self._config.inbound_max if self._config.inbound_max else 1.0

    def crowd(self, group: str) -> int:
        """Inbound sockets of one host."""
        return self._inbound_by_ip[group]

    def count_inbound(self, host: str) -> None:
        """Count a newcomer for whom room was made."""
        group = ip_group(host)
        self.inbound += 1
        self.handshakes += 1
        self._inbound_by_ip[group] += 1
        self._handshakes_by_ip[group] += 1

    def _spend_newcomer(self, group: str, now: float) -> None:
        config = self._config
        burst = max(config.per_ip_max / 4, 1.0)
        left, at = self._newcomers.pop(group, (burst, now))
        left = min(burst, left + (now - at) * config.per_ip_per_s)
        if len(self._newcomers) >= HOSTS_MAX:
            del self._newcomers[next(iter(self._newcomers))]
        self._newcomers[group] = (max(left - 1, 0.0), now)
        if left < 1:
            raise LimitReached("per_ip_per_s")

    def note_violation(self, host: str, now: float) -> None:
        """A connection from `host` broke the protocol."""
        group = ip_group(host)
        count, until = self._violations.pop(group, (0, 0.0))
        if now >= until:
            count = 0
        if len(self._violations) >= HOSTS_MAX:
            del self._violations[next(iter(self._violations))]
        self._violations[group] = (count + 1, now + self._config.violations_s)

    def admit_outbound(self) -> None:
        """Count a dial. Raises `LimitReached`."""
        if self.outbound >= self._config.outbound_max:
            raise LimitReached("outbound_max")
        self.outbound += 1

    def end_handshake(self, host: str) -> None:
        """An inbound socket proved its key, or is gone before it did."""
        self.handshakes -= 1
        _decrement(self._handshakes_by_ip, ip_group(host))

    def release_inbound(self, host: str) -> None:
        """An inbound socket is gone."""
        self.inbound -= 1
        _decrement(self._inbound_by_ip, ip_group(host))

    def release_outbound(self) -> None:
        """An outbound socket is gone."""
        self.outbound -= 1


def _decrement(counter: Counter[str], key: str) -> None:
    if counter[key] <= 1:
        del counter[key]
    else:
        counter[key] -= 1


def choose_victim(
    sockets: Iterable[Socket], is_protected: Callable[[Socket], bool], crowd: Callable[[Socket], int]
) -> Socket | None:
    """The socket to close when room is needed, by the rule above; None when every peer is protected.

    `crowd` tells how many sockets the host of one has.
    """
    candidates = [s for s in sockets if not is_protected(s)]
    if not candidates:
        return None
    return min(candidates, key=lambda s: (-crowd(s), s.streams > 0, s.last_read_at))
