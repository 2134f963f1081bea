"""Searches that were begun here: for the user of this node, and for peers that ask it.

In:  searches as they begin, and whom they are for; events of the routing machine. Out: each event to its
search. Refuses, with `LimitReached`, more than there is room for, and who would take the room of others.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.errors import LimitReached
from warren.services.overlay.budgets import Places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.peer_id import PeerId
    from warren.services.overlay.asking import Asking
    from warren.services.overlay.routing import Deliver, RoundEnded

OWN_MAX: Final = 64
"""Searches at once of the user of this node. Fault: a program that searches without end."""
OF_PEERS_MAX: Final = 256
"""The same of peers together. Attack: weak peers that ask without end."""


class Asker(NamedTuple):
    """A peer that a search is for. group: of its address; "" for this machine."""

    peer: PeerId
    group: str


class Searches:
    """See the module."""

    def __init__(self) -> None:
        self._under_way: dict[bytes, Asking] = {}
        self._own = 0
        self._places = Places(OF_PEERS_MAX)

    def __len__(self) -> int:
        return len(self._under_way)

    def take(self, event: Deliver | RoundEnded) -> None:
        """To the search that it belongs to."""
        asking = self._under_way.get(event.id)
        if asking is not None:
            asking.take(event)

    @contextmanager
    def begun(self, asking: Asking, asker: Asker | None) -> Iterator[None]:
        """While a search is under way. asker: None for the user. Raises `LimitReached`."""
        self._enter(asker)
        self._under_way[asking.id] = asking
        try:
            yield
        finally:
            del self._under_way[asking.id]
            self._leave(asker)

    def _enter(self, asker: Asker | None) -> None:
        if asker is None and self._own < OWN_MAX:
            self._own += 1
        elif asker is None or not self._places.enter(*asker):
            raise LimitReached("overlay searches", "too many searches are under way; try again in a moment")

    def _leave(self, asker: Asker | None) -> None:
        if asker is None:
            self._own -= 1
        else:
            self._places.leave(*asker)
