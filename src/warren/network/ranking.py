"""In which order, and how far apart, the addresses of a peer are tried. Pure.

Near addresses first (loopback, then the local network), IPv6 before IPv4 within a class, as RFC 8305 has it;
an attempt that fails lets the next begin at once.  Those of the local network start together, because
one of them is often a stale lease and an answer from there takes no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from warren.core.multiaddr import Multiaddr


@dataclass(frozen=True, slots=True)
class Attempt:
    """Dial `address`, at the latest `delay_s` after the dial began."""

    delay_s: float
    address: Multiaddr


def rank(addresses: Iterable[Multiaddr], stagger_s: float, most: int) -> Sequence[Attempt]:
    """Order the addresses that can be dialled; duplicates and what comes after `most` are dropped.

    Dropped before they are ordered: many near addresses, made up by whoever, must not hide the far one that
    the caller named first.
    """
    unique = list(dict.fromkeys(addresses))[:most]
    unique.sort(key=_class)
    attempts, delay, previous = [], 0.0, None
    for address in unique:
        kind = _class(address)
        if previous is not None and not (previous[0] == kind[0] == _PRIVATE):
            delay += stagger_s
        attempts.append(Attempt(delay, address))
        previous = kind
    return attempts


_LOOPBACK, _PRIVATE, _GLOBAL = 0, 1, 2


def _class(address: Multiaddr) -> tuple[int, int]:
    reach = _LOOPBACK if address.is_loopback else _PRIVATE if address.is_private else _GLOBAL
    return reach, 0 if address.protocols[:1] == ("ip6",) else 1
