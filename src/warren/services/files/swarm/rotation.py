"""Which source of a fetch gives way, where others wait for its place. Pure: time in seconds is an argument.

In:  how each source does, whether who waits is known to have what is wanted. Out: who gives way now.

Among many who fetch the same, most sources have nothing at first, and each fetch asks few of them. Were they
kept, what the first ones have would go round among them. So who has nothing that is wanted makes room: at
once for one who is known to have something, after a while for any other one. Who has everything stays, unless
it stalls: the last pieces may be nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

REPLACE_S: Final = 15.0
"""For so long a source sends nothing before another one may take its place."""
USELESS_S: Final = 3.0
"""For so long it has nothing that is wanted before one may of whom nothing is known."""
SETTLED_S: Final = 0.5
"""So long it stays in any case. Attack: who claims to have something, to push others out one by one."""
AT_ONCE_MAX: Final = 4
"""So many give way at a time for those of whom nothing is known: each costs a connection."""


class Seat(Protocol):
    """A source, as far as this goes. complete: it has everything; None: nobody knows. since: when it was
    taken in. used_at: when it last sent something, else `since`. wanted_at: when it last had something that
    is wanted, else `since`.
    """

    @property
    def complete(self) -> bool | None: ...

    @property
    def is_stalled(self) -> bool: ...

    @property
    def since(self) -> float: ...

    @property
    def used_at(self) -> float: ...

    @property
    def wanted_at(self) -> float: ...


S = TypeVar("S", bound=Seat)


def for_better(sources: Iterable[S], now: float) -> S | None:
    """Who gives way to one that is known to have what is wanted."""
    useless = (
        one
        for one in sources
        if one.complete is False and one.wanted_at < now and one.since <= now - SETTLED_S
    )
    return min(useless, key=_wanted_at, default=None)


def for_any(sources: Iterable[S], now: float) -> list[S]:
    """Who give way to others of whom nothing is known: some of those that have nothing, and the one that sent
    nothing for longest.
    """
    sources = list(sources)
    useless = [one for one in sources if one.complete is False and one.wanted_at <= now - USELESS_S]
    useless = sorted(useless, key=_wanted_at)[:AT_ONCE_MAX]
    idle = (
        one for one in sources if one.used_at <= now - REPLACE_S and (one.complete is False or one.is_stalled)
    )
    least = min(idle, key=lambda one: one.used_at, default=None)
    if least is not None and least not in useless:
        useless.append(least)
    return useless


def _wanted_at(seat: Seat) -> float:
    return seat.wanted_at
