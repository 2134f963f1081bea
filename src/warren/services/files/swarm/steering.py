"""Between a fetch and its user: what is seen of the sources, and what is said of them and of the speed.

In: a cap in bytes a second, and further peers, at any time; where the sources' states are to be had, once
there are some. Out: the states, also after the fetch ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.services.files.streaming.growing import Growing
    from warren.services.files.types import SourceState


class Steering:
    """One per fetch. `cap_bytes_per_s` 0: no cap."""

    __slots__ = ("_add", "_look", "added", "cap_bytes_per_s", "growing", "name", "root")

    def __init__(self, cap_bytes_per_s: int = 0) -> None:
        self._look: Callable[[], tuple[SourceState, ...]] = tuple
        self._add: Callable[[PeerId], None] | None = None
        self.added: list[PeerId] = []
        """Peers that were named before there was anybody to tell."""
        self.root: Cid | None = None
        """What is fetched, once that is known; and what it is called."""
        self.name = ""
        self.growing: Growing | None = None
        """What is there already, once something may be."""
        self.cap_bytes_per_s = 0
        self.set_cap(cap_bytes_per_s)

    def found(self, root: Cid, name: str) -> None:
        """It is known now what is fetched."""
        self.root, self.name = root, name

    def show(
        self, look: Callable[[], tuple[SourceState, ...]], add: Callable[[PeerId], None] | None = None
    ) -> None:
        """From now on `look` says what the sources are, and `add` takes further ones."""
        self._look, self._add = look, add

    def add(self, peer: PeerId) -> None:
        """This peer may have it, too."""
        if self._add is not None:
            self._add(peer)
        else:
            self.added.append(peer)

    def sources(self) -> tuple[SourceState, ...]:
        """The sources as they are now; those that were dropped too."""
        return self._look()

    def set_cap(self, bytes_per_s: int) -> None:
        """Fetch at most so many bytes a second from now on; 0: no cap. Raises `InputError`."""
        if bytes_per_s < 0:
            raise InputError(f"a cap of {bytes_per_s} bytes a second is none", hint="0 lifts the cap")
        self.cap_bytes_per_s = bytes_per_s
