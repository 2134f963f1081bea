"""`Sender`: gives files and folders to whoever proves a code.

In:  paths, and for how long. Out: `Sending`, with its code and its receivers as they come. Each path is
hashed and held ready for those alone who proved the code, and for nobody once the send has ended; a node that
was killed does not take it up again, and nothing of it is kept. So the count of wrong guesses lasts as long
as the code does.

Refuses nothing to send, and too much at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from warren.core.errors import InputError, LimitReached
from warren.protocols.send.code import WORDS_MIN, SendCode
from warren.protocols.send.messages import ITEMS_MAX, Item, Offer, clipped
from warren.services.sending.model import ReceiverState, SendChanged, SendState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.send.guesses import Guesses
    from warren.protocols.send.messages import Report
    from warren.protocols.send.protocol import SendProtocol
    from warren.services.sending.announcing import Announcer
    from warren.services.sending.interfaces import Lend, Lent, Skipped
    from warren.services.sending.model import SendEnd

SENDINGS_MAX: Final = 16
"""Sends of one node at once. Fault: a script that sends without end."""
RECEIVERS_MAX: Final = 1000
"""Receivers that one send remembers. Attack: who was told the code comes under ever new identities."""
FOR_S_MAX: Final = 30 * 86400.0


class Sender:
    """The sends of one node."""

    def __init__(
        self,
        network: Network,
        protocol: SendProtocol,
        announcer: Announcer,
        lend: Lend,
        name: str,
        ticket: Callable[[PeerId, Item], bytes],
    ) -> None:
        """name: what this node calls itself. ticket: this node's word that a peer may have an item."""
        self._network = network
        self._protocol = protocol
        self._announcer = announcer
        self._lend = lend
        self._name = clipped(name)
        self._ticket = ticket
        self._sendings: set[Sending] = set()

    async def send(
        self,
        paths: Sequence[Path],
        *,
        words: int = WORDS_MIN,
        once: bool = False,
        for_s: float | None = None,
        progress: Callable[[Any], None] | None = None,
    ) -> Sending:
        """Hash what lies at `paths`, and give it to whoever proves the code, until the send is closed.

        progress: called with how far hashing is. words: of the code. once: until the first receiver has it.
        for_s: so many seconds at most; who fetches then may end. Raises InputError, LimitReached, NotFound,
        StorageError.
        """
        _check(paths, for_s)
        if len(self._sendings) >= SENDINGS_MAX:
            raise LimitReached(
                "services.sending.sending.SENDINGS_MAX",
                f"{SENDINGS_MAX} sends are under way",
                hint="end one first",
            )
        code = self._new_code(words)
        async with contextlib.AsyncExitStack() as stack:
            lent: list[Lent] = []
            for path in paths:
                lent.append(await self._lend(path, progress))
                stack.push_async_callback(lent[-1].take_back)
            sending = Sending(code, lent, self._offer, self._network.events.emit, once=once)
            sending.guesses = self._protocol.open(code, sending)
            stack.callback(self._sendings.discard, sending)
            stack.callback(self._protocol.end, code.channel)
            self._sendings.add(sending)
            sending.run(self._live(sending, for_s, stack.pop_all()))
        return sending

    async def close(self) -> None:
        """End all."""
        for sending in list(self._sendings):
            await sending.close()

    def sends(self) -> list[SendState]:
        """Those that are under way."""
        return sorted((one.state for one in self._sendings), key=lambda state: state.channel)

    async def _live(self, sending: Sending, for_s: float | None, stack: contextlib.AsyncExitStack) -> None:
        """The life of a send, once it can be tried."""
        async with stack:
            channel = sending.code.channel
            async with self._announcer.announced(channel):
                end = await sending.wait_for_end(for_s)
            self._protocol.shut(channel)
            await sending.wait_until_idle(end)

    def _new_code(self, words: int) -> SendCode:
        below = self._network.runtime.entropy.below
        while True:
            code = SendCode.make(below, words)
            if not self._protocol.is_open(code.channel):
                return code

    def _offer(self, receiver: PeerId, items: Sequence[Item]) -> Offer:
        granted = (replace(item, ticket=self._ticket(receiver, item)) for item in items)
        return Offer(tuple(granted), self._name)


class Sending:
    """One send. Iterating gives its state as it changes, until it has ended; leaving its `async with` ends
    it.

    code: to be told to those who shall have it.
    """

    def __init__(
        self,
        code: SendCode,
        lent: Sequence[Lent],
        offer: Callable[[PeerId, Sequence[Item]], Offer],
        emit: Callable[[object], None],
        *,
        once: bool,
    ) -> None:
        self.code = code
        self.guesses: Guesses | None = None
        """Set before anybody comes."""
        self._lent = lent
        self._items = tuple(_item(one) for one in lent)
        self._make_offer = offer
        self._emit = emit
        self._once = once
        self._receivers: dict[PeerId, ReceiverState] = {}
        self._end: SendEnd = ""
        self._is_closed = self._is_over = False
        self._changed = asyncio.Event()
        self._version = 0
        self._life: asyncio.Task[None] | None = None

    # --- what the user sees -------------------------------------------------------------------------------

    @property
    def items(self) -> tuple[Item, ...]:
        """What is sent."""
        return self._items

    @property
    def skipped(self) -> tuple[list[Skipped], int]:
        """What was left out of what is sent: some of it, and how much it is in all."""
        shares = [one.share for one in self._lent]
        return [entry for one in shares for entry in one.skipped], sum(one.skipped_count for one in shares)

    @property
    def state(self) -> SendState:
        """How it is now."""
        guesses = self.guesses
        return SendState(
            channel=self.code.channel,
            names=tuple(item.name for item in self._items),
            files=sum(item.files for item in self._items),
            bytes=sum(item.size for item in self._items),
            wrong=guesses.wrong if guesses is not None else 0,
            wrong_max=guesses.wrong_max if guesses is not None else 0,
            receivers=tuple(self._receivers.values()),
            end=self._end,
        )

    async def __aiter__(self) -> AsyncIterator[SendState]:
        """The state from now on; the last one says how it ended."""
        seen = -1
        while True:
            if seen != self._version:
                seen = self._version
                is_over = self._is_over
                yield self.state
                if is_over:
                    return
            else:
                await self._changed.wait()

    async def close(self) -> None:
        """End it now. Closing twice is harmless."""
        self._is_closed = True
        self._finish("closed")
        self._tell()
        if self._life is not None:
            await asyncio.wait([self._life])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- its life -----------------------------------------------------------------------------------------

    def run(self, life: Coroutine[object, object, None]) -> None:
        """Begin it."""
        self._life = asyncio.get_running_loop().create_task(life)
        self._life.add_done_callback(lambda _: self._over())
        self._tell()

    async def wait_for_end(self, for_s: float | None) -> SendEnd:
        """Until nobody else shall come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                while not self._end:
                    await self._changed.wait()
        self._finish("time")
        return self._end

    async def wait_until_idle(self, end: SendEnd) -> None:
        """Until those who are there have ended, where the end lets them."""
        while end in {"time", "withdrawn"} and any(map(_is_busy, self._receivers.values())):
            if self._is_closed:
                return
            await self._changed.wait()

    def _finish(self, end: SendEnd) -> None:
        if not self._end:
            self._end = end
            self._tell()

    def _over(self) -> None:
        self._finish("closed")
        self._is_over = True
        self._tell()

    def _tell(self) -> None:
        self._version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        self._emit(SendChanged(self.state))

    # --- Host ---------------------------------------------------------------------------------------------

    def offer_to(self, receiver: PeerId) -> Offer:
        """See `protocols.send.protocol.Host`."""
        for one in self._lent:
            one.admit(receiver)
        return self._make_offer(receiver, self._items)

    def guessed_wrong(self, peer: PeerId) -> None:
        """See `Host`."""
        del peer  # who guesses has identities without end: how many guesses there were says more
        self._tell()
        if self.guesses is not None and self.guesses.withdrawn:
            self._finish("withdrawn")

    def reported(self, receiver: PeerId, report: Report) -> None:
        """See `Host`."""
        if receiver not in self._receivers and len(self._receivers) >= RECEIVERS_MAX:
            self._receivers.pop(next(iter(self._receivers)))
        done = min(report.done_bytes, sum(item.size for item in self._items))
        self._receivers[receiver] = ReceiverState(receiver, report.name, report.state, done)
        self._tell()
        if report.state == "done" and self._once:
            self._finish("done")

    def left(self, receiver: PeerId) -> None:
        """See `Host`."""
        state = self._receivers.get(receiver)
        if state is not None:
            self._receivers[receiver] = replace(state, is_here=False)
            self._tell()


def _is_busy(one: ReceiverState) -> bool:
    return one.is_here and one.state in {"asking", "fetching"}


def _item(lent: Lent) -> Item:
    share = lent.share
    return Item(share.cid, share.name, share.bytes, share.files, is_folder=share.kind == "dir")


def _check(paths: Sequence[Path], for_s: float | None) -> None:
    if not 1 <= len(paths) <= ITEMS_MAX:
        raise InputError(f"a send has 1 to {ITEMS_MAX} files and folders", hint="put them into one folder")
    if for_s is not None and not 0 < for_s <= FOR_S_MAX:
        raise InputError(f"a send cannot last {for_s:g} seconds", hint="30 days are the most")
