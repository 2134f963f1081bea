"""`Receiver`: takes what is sent under a code.

In:  a code; whether its user wants what is offered, and where. Out: `Receiving`, with the offer; files and
folders, verified, under their final names. The sender is told how far it is.

Refuses what `looking` refuses, and content that is larger than was offered.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Self

from warren.core.errors import InputError, InvalidCode, LimitReached, NotFound
from warren.protocols.send.code import SendCode
from warren.protocols.send.messages import Report
from warren.protocols.send.protocol import ALIVE_EVERY_S
from warren.services.sending.looking import LOOK_S, Search

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.send.meeting import MeetingProtocol
    from warren.protocols.send.messages import Item, Offer, State
    from warren.protocols.send.protocol import SendProtocol, Session
    from warren.services.sending.interfaces import Discovery, Fetch, Outcome, Progress

RECEIVINGS_MAX: Final = 64
"""Offers that wait for their user, and those that are fetched. Fault: a script that never answers."""
OFFER_S: Final = 600.0
"""So long an offer waits for its user. Fault: a frontend that was killed while it asked."""
TELL_EVERY_S: Final = 1.0


class Receiver:
    """What one node receives."""

    def __init__(
        self,
        network: Network,
        protocol: SendProtocol,
        meeting: MeetingProtocol,
        discovery: Discovery,
        fetch: Fetch,
        name: str,
    ) -> None:
        """name: what this node calls itself."""
        self._network = network
        self._protocol = protocol
        self._meeting = meeting
        self._discovery = discovery
        self._fetch = fetch
        self._name = name
        self._receivings: dict[str, Receiving] = {}
        self._last = 0

    async def receive(
        self,
        text: str,
        *,
        senders: Sequence[PeerId] = (),
        timeout_s: float = LOOK_S,
        note: Callable[[str], None] = lambda _: None,
    ) -> Receiving:
        """Find who sends under the code, and prove it; nothing is fetched yet.

        senders: who it may be, tried first. note: called with what is worth telling, in words. Raises
        InvalidCode, Refused, NotFound, LimitReached.
        """
        code = SendCode.parse(text)
        if self._protocol.is_open(code.channel):
            raise InvalidCode("this is a code of this very node", hint="type it at the other side")
        if len(self._receivings) >= RECEIVINGS_MAX:
            raise LimitReached(
                "services.sending.receiving.RECEIVINGS_MAX",
                f"{RECEIVINGS_MAX} offers wait for an answer",
                hint="answer one first",
            )
        search = Search(self._network, self._protocol, self._meeting, self._discovery, code, self._name, note)
        session = await search.run(senders, timeout_s)
        self._last += 1
        receiving = Receiving(str(self._last), session, self._fetch, self._network, self._receivings)
        self._receivings[receiving.id] = receiving
        return receiving

    def get(self, number: str) -> Receiving:
        """One that is under way, by its `id`. Raises NotFound."""
        receiving = self._receivings.get(number)
        if receiving is None:
            raise NotFound(f"no offer {number} waits for an answer", hint="give the code again")
        return receiving

    async def close(self) -> None:
        """End all."""
        for receiving in list(self._receivings.values()):
            await receiving.close()


class Receiving:
    """An offer, and what comes of it. Leaving its `async with` before it is fetched lets it go.

    id: by which `Receiver.get` knows it.
    """

    def __init__(
        self,
        number: str,
        session: Session,
        fetch: Fetch,
        network: Network,
        among: dict[str, Receiving],
    ) -> None:
        self.id = number
        self._session = session
        self._fetch = fetch
        self._network = network
        self._among = among
        self._report = Report("asking")
        self._begun = self._closed = False
        self._news = asyncio.Event()
        self._telling = asyncio.get_running_loop().create_task(self._tell())

    @property
    def sender(self) -> PeerId:
        """Who proved the code as well."""
        return self._session.sender

    @property
    def offer(self) -> Offer:
        """What is sent."""
        return self._session.offer

    async def fetch(
        self, folder: Path, progress: Callable[[Progress], None] = lambda _: None
    ) -> tuple[Outcome, ...]:
        """Fetch all into `folder`. progress: of one item after the other. Returns what came of each.

        Cancelling it leaves what was verified for the next attempt. Raises InputError (it was begun already),
        and what `Transfer.result` raises.
        """
        if self._begun or self._telling.done():
            raise InputError("this offer was taken already, or let go", hint="give the code again")
        self._begun = True
        outcomes: list[Outcome] = []
        end: State = "failed"
        try:
            before = 0
            for item in self.offer.items:
                outcomes.append(await self._fetch_one(item, folder, before, progress))
                before += item.size
            end = "done"
        finally:
            self._say(end, self.offer.size if end == "done" else self._report.done_bytes)
            await self.close()
        return tuple(outcomes)

    async def _fetch_one(
        self, item: Item, folder: Path, before: int, progress: Callable[[Progress], None]
    ) -> Outcome:
        async with self._fetch(self.sender, item, folder) as fetching:
            self._say("fetching", before)
            async for one in fetching:
                self._say("fetching", before + min(one.done_bytes, item.size))
                progress(one)
            await fetching.result()
            assert fetching.outcome is not None  # noqa: S101  it is there once there is a result
            return fetching.outcome

    async def decline(self) -> None:
        """Tell the sender that its offer is not wanted."""
        self._say("declined", 0)
        await self.close()

    async def close(self) -> None:
        """Let go of it, having told the sender what there was to tell. Closing twice is harmless."""
        self._among.pop(self.id, None)
        self._telling.cancel()
        await asyncio.gather(self._telling, return_exceptions=True)
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TELL_EVERY_S):
                await self._session.report(self._report)
        self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._begun:
            await self.decline()

    def _say(self, state: State, done_bytes: int) -> None:
        self._report = Report(state, done_bytes)
        self._news.set()

    async def _tell(self) -> None:
        """Report what is new, now and then, and that this node is there."""
        until = self._network.clock() + OFFER_S
        while self._begun or self._network.clock() < until:
            self._news.clear()
            await self._session.report(self._report)
            await asyncio.sleep(TELL_EVERY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_EVERY_S - TELL_EVERY_S):
                    await self._news.wait()
        self._among.pop(self.id, None)
        self._closed = True
        self._session.close()
