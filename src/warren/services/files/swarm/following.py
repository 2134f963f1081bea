"""Telling a source what is here, and learning what it has by now, again and again.

In:  a source that was met, and how to ask it. Out: what it says, handed on. What is new here is told at once,
so that who lacks it can ask for it: among many, each hop that news take is a time in which lines idle.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warren.core.errors import WarrenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.runtime.seam import Clock
    from warren.services.files.swarm.interfaces import Holding
    from warren.services.files.swarm.partial import Partial
    from warren.services.files.swarm.source import Source

TELL_S: Final = 0.25
"""So long after the last time it is told at the soonest. Fault: a fetch of tiny leaves that tells of each."""
POLL_S: Final = 2.0
"""How often one that has a part is asked what it has by now, where nothing is to be told."""
POLL_TELLER_S: Final = 8.0
"""The same where it tells us by itself: it was heard of in that time."""
POLL_WHOLE_S: Final = 15.0
"""How often one that has everything is asked who else wants it."""
_log = logging.getLogger(__name__)


async def follow(
    source: Source,
    ask: Callable[[], Awaitable[Holding]],
    learn: Callable[[Holding], None],
    partial: Partial | None,
    clock: Clock,
) -> None:
    """Go on until it is not known any more what it has. partial: what is here, where that is told."""
    told = 0
    while source.complete is not None:
        await asyncio.sleep(TELL_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(_patience_s(source, clock.now()) - TELL_S):
                if source.complete or partial is None:
                    await asyncio.Event().wait()  # nothing is to be told
                else:
                    await partial.more_than(told)
        now = partial.bits.version if partial is not None else 0
        try:
            learn(await ask())
            told = now
        except WarrenError as error:
            _log.debug("what %s has now is not known: %s", source.peer, error)


def _patience_s(source: Source, now: float) -> float:
    if source.complete:
        return POLL_WHOLE_S
    return POLL_TELLER_S if source.heard_at > now - POLL_TELLER_S else POLL_S
