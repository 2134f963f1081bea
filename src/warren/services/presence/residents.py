"""Who is online at a super-peer: those who hold leases there, and itself. Pure.

In:  the leases, as whoever keeps them shows them. Out: the same, with the super-peer among them: it is online
as others are, and votes as they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from warren.core.peer_id import PeerId
    from warren.network.places import Place


class Held(Protocol):
    """A lease that is held. since: monotonic seconds, from when on without a break."""

    @property
    def since(self) -> float: ...

    @property
    def place(self) -> Place: ...


class Leases(Protocol):
    """Who keeps the leases: the directory."""

    def __len__(self) -> int: ...

    def get(self, peer: PeerId) -> Held | None:
        """The lease of a peer; None: it is not there."""
        ...

    def items(self) -> Iterable[tuple[PeerId, Held]]:
        """All who are there, and their leases."""
        ...

    def number_of(self, peer: PeerId) -> int | None:
        """The highest number of a peer's leases, as far as that is remembered; None: never heard of."""
        ...


class Nobody:
    """Who is online at a node that is no super-peer, as far as that node is concerned."""

    __slots__ = ()

    def __len__(self) -> int:
        return 0

    def get(self, _: PeerId) -> Held | None:
        """None."""

    def items(self) -> Iterable[tuple[PeerId, Held]]:
        """None."""
        return ()

    def number_of(self, _: PeerId) -> int | None:
        """None."""


class _Own(NamedTuple):
    since: float
    place: Place


class Residents:
    """Of one super-peer."""

    __slots__ = ("_leases", "_me", "_place", "_since")

    def __init__(self, leases: Leases, me: PeerId, place: Callable[[], Place], now: float) -> None:
        """place: where this node is, the super-peer. now: it is one from now on."""
        self._leases = leases
        self._me = me
        self._place = place
        self._since = now

    def __len__(self) -> int:
        return len(self._leases) + 1

    def get(self, peer: PeerId) -> Held | None:
        """The lease of a peer, or what stands for this node's own; None: it is not online."""
        return self._own() if peer == self._me else self._leases.get(peer)

    def items(self) -> Iterator[tuple[PeerId, Held]]:
        """All that are online."""
        yield self._me, self._own()
        yield from self._leases.items()

    def number_of(self, peer: PeerId) -> int | None:
        """The highest number of a peer's leases; None: none is known. This node holds none."""
        return self._leases.number_of(peer)

    def _own(self) -> _Own:
        return _Own(self._since, self._place())
