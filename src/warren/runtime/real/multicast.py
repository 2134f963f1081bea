"""`RealMulticast`: the way to `warren.runtime.real.links`, which takes a tenth of a second to load.

In:  addresses of interfaces. Out: `RealLinks`. It is loaded in a thread and by those only who use multicast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.runtime.real.links import RealLinks
    from warren.runtime.seam import Heard

    Load = Callable[[], type[RealLinks]]


class RealMulticast:
    """See `seam.Multicast`. `offload` runs a function in a thread."""

    __slots__ = ("_offload",)

    def __init__(self, offload: Callable[[Load], Awaitable[type[RealLinks]]]) -> None:
        self._offload = offload

    async def join(self, addresses: Sequence[str], hear: Callable[[Heard], None]) -> RealLinks:
        links = await self._offload(_load)
        return await links.open(addresses, hear)


def _load() -> type[RealLinks]:
    from warren.runtime.real.links import RealLinks  # noqa: PLC0415

    return RealLinks
