"""How much of something there is room for: so much in all, and of that no network may take what others need.

In:  who holds how much, from which network. Out: whether there is room for more. Pure.

One network may have half of what the others leave. So it has plenty where it is alone, and whoever comes
from another one finds room, however many identities took all they could: five networks of them leave a
thirty-second part.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

K = TypeVar("K")


class Room(Generic[K]):
    """For `size_max` in all. Group None: of no network, bounded by that alone."""

    __slots__ = ("_groups", "_held", "_size_max", "total")

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._held: dict[K, tuple[int, Hashable | None]] = {}
        self._groups: Counter[Hashable] = Counter()
        self.total = 0
        """What all hold together."""

    def to_free(self, holder: K, group: Hashable | None, size: int, idle: Iterable[K] = ()) -> list[K] | None:
        """Who is to give up what it has, so that the holder may have so much with what it has already; None:
        there is no room for that. Nobody is refused what it has.

        idle: those who may lose it, who loses it first before the others; without need nobody does.
        """
        old, old_group = self._held.get(holder, (0, None))
        if size <= old:
            return []
        others = self.total - old
        of_group = self._groups[group] - (old if old_group == group else 0)
        freed: list[K] = []
        more = (one for one in idle if one != holder and one in self._held)
        while not self._fits(group, size, others, of_group):
            one = next(more, None)
            if one is None:
                return None
            freed.append(one)
            its, its_group = self._held[one]
            others -= its
            of_group -= its if its_group == group else 0
        return freed

    def _fits(self, group: Hashable | None, size: int, others: int, of_group: int) -> bool:
        if group is None:
            return others + size <= self._size_max
        return of_group + size <= (self._size_max - (others - of_group)) // 2

    def hold(self, holder: K, group: Hashable | None, size: int) -> None:
        """The holder has so much now, with what it had before."""
        self.free(holder)
        if size:
            self._held[holder] = size, group
            self.total += size
            if group is not None:
                self._groups[group] += size

    def free(self, holder: K) -> None:
        """It has nothing any more."""
        size, group = self._held.pop(holder, (0, None))
        self.total -= size
        if group is not None:
            self._groups[group] -= size
            if not self._groups[group]:
                del self._groups[group]
