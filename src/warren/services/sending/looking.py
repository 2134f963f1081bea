"""`look`: finds the sender of a code, and proves the code to it.

In:  a code. Out: a `Session` with the one that proved it, too; or why there is none. Discovery and all
connected peers are asked who sends under the channel, for as long as it takes; whom they name is tried, some
at once. A sender that cannot be dialled is told of this node by whoever named it, and may call back.

Refuses to go on when a sender says that the code is wrong, and nobody else shows up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError, NotFound, ProtocolNotSupported, Refused, WarrenError
from warren.network.events import PeerConnected
from warren.protocols.send.messages import Declined
from warren.protocols.send.proto import send_pb2 as pb
from warren.protocols.send.protocol import Session
from warren.services.sending.announcing import namespace_of
from warren.services.sending.candidates import TOLD, Candidates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.send.code import SendCode
    from warren.protocols.send.meeting import MeetingProtocol
    from warren.protocols.send.messages import Reason
    from warren.protocols.send.protocol import SendProtocol
    from warren.services.sending.interfaces import Discovery

LOOK_S: Final = 60.0
"""How long a sender is looked for, unless said otherwise."""
ASK_EVERY_S: Final = 3.0
"""Between two rounds of asking those who are connected."""
ASKED_MAX: Final = 64
"""Of them, in one round."""
AT_ONCE: Final = 8
"""Candidates that are tried at the same time."""
DIAL_S: Final = 10.0
CALLED_BACK_S: Final = 10.0
"""How long a sender that could not be dialled may take to dial us."""
LATE_S: Final = 6.0
"""After somebody said that the code is wrong: so long the true sender may still be found."""
_log = logging.getLogger(__name__)


class Search:
    """One search for a sender. `run` it once. note: called with what is worth telling, in words."""

    def __init__(
        self,
        network: Network,
        protocol: SendProtocol,
        meeting: MeetingProtocol,
        discovery: Discovery,
        code: SendCode,
        name: str,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._network = network
        self._protocol = protocol
        self._meeting = meeting
        self._discovery = discovery
        self._code = code
        self._name = name
        self._note = note
        self._candidates = Candidates(network.peer_id)
        self._changed = asyncio.Event()
        self._unable: set[PeerId] = set()
        """Who does not speak of channels."""
        self._declined: Reason | None = None
        self._impostors = 0
        self._last_heard = network.clock()
        """When somebody was found, or tried to the end, last."""

    async def run(self, given: Sequence[PeerId] = (), timeout_s: float = LOOK_S) -> Session:
        """given: who may be it, by the user's word. Raises Refused, NotFound."""
        for peer in given:
            self._candidates.add(peer, (), "user")
        looking = [asyncio.ensure_future(work) for work in (self._ask_around(), self._discover())]
        trying: set[asyncio.Task[Session | None]] = set()
        session: Session | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while session is None:
                    self._begin(trying)
                    if not trying and self._is_late():
                        break
                    await self._wait(trying)
                    session = self._first(trying)
        except TimeoutError:
            pass
        finally:
            for task in (*looking, *trying):
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
            for one in await asyncio.gather(*trying, return_exceptions=True):
                if isinstance(one, Session) and one is not session:
                    one.close()  # one more way to the same sender
        if session is None:
            raise self._failure()
        return session

    # --- trying -------------------------------------------------------------------------------------------

    def _begin(self, trying: set[asyncio.Task[Session | None]]) -> None:
        while len(trying) < AT_ONCE and (peer := self._candidates.next()) is not None:
            trying.add(asyncio.ensure_future(self._try(peer)))

    def _first(self, trying: set[asyncio.Task[Session | None]]) -> Session | None:
        """Who proved the code; those that came to nothing are let go."""
        for task in [task for task in trying if task.done()]:
            session = task.result()
            if session is not None:
                return session
            trying.discard(task)
            self._last_heard = self._network.clock()
        return None

    async def _wait(self, trying: set[asyncio.Task[Session | None]]) -> None:
        """Until somebody is found, an attempt has ended, or it is late."""
        self._changed.clear()
        heard = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({heard, *trying}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard.cancel()

    def _is_late(self) -> bool:
        """Whether somebody declined, and the true sender had its time to be found."""
        said = self._declined is not None or self._impostors > 0
        return said and self._network.clock() >= self._last_heard + LATE_S

    async def _try(self, peer: PeerId) -> Session | None:
        try:
            await self._reach(peer)
            return await self._protocol.attempt(peer, self._code, self._name)
        except Declined as declined:
            _log.debug("%s declines: %s", peer, declined)
            if declined.reason != pb.Refusal.UNKNOWN:
                self._declined = declined.reason
        except WarrenError as error:
            _log.debug("%s is not the sender: %s", peer, error)
            if self._network.is_connected(peer) and not isinstance(error, ProtocolNotSupported):
                self._impostors += 1
                self._note(f"{peer} answers under {self._code.channel} and does not prove the code: {error}")
        return None

    async def _reach(self, peer: PeerId) -> None:
        """Connect, or be called back. Raises what connecting raises."""
        if self._network.is_connected(peer):
            return
        events = self._network.events.subscribe(PeerConnected, where=lambda event: event.peer == peer)
        try:
            await self._network.connect(
                peer, hearsay=self._candidates.addresses(peer), timeout_s=DIAL_S, forced=True
            )
        except WarrenError:
            try:
                async with asyncio.timeout(CALLED_BACK_S):
                    while not self._network.is_connected(peer):
                        await anext(events)
            except (TimeoutError, StopAsyncIteration):
                pass
            else:
                return
            raise
        finally:
            events.close()

    # --- looking ------------------------------------------------------------------------------------------

    async def _ask_around(self) -> None:
        """Ask all who are connected, again and again: newcomers, and senders that come later."""
        while True:
            peers = [peer for peer in self._network.peers() if peer not in self._unable][:ASKED_MAX]
            await asyncio.gather(*(self._ask(peer) for peer in peers))
            await asyncio.sleep(ASK_EVERY_S)

    async def _ask(self, peer: PeerId) -> None:
        try:
            for one in await self._meeting.seek(peer, self._code.channel):
                self._found(one.peer, one.addresses, TOLD, peer)
        except ProtocolNotSupported:
            self._unable.add(peer)
        except (OSError, WarrenError) as error:
            _log.debug("%s does not say who sends: %s", peer, error)

    async def _discover(self) -> None:
        with contextlib.suppress(InputError):  # neither multicast nor the DHT is there
            async for found in self._discovery.find(namespace_of(self._code.channel)):
                if found.peer is not None:
                    self._found(found.peer, found.addresses, found.source)

    def _found(
        self, peer: PeerId, addresses: Sequence[Multiaddr], source: str, teller: PeerId | None = None
    ) -> None:
        self._candidates.add(peer, addresses, source, teller)
        self._changed.set()

    # --- the end ------------------------------------------------------------------------------------------

    def _failure(self) -> WarrenError:
        channel = self._code.channel
        another = "ask for a new code"
        match self._declined:
            case pb.Refusal.WRONG:
                return Refused("the sender says that the code is wrong", hint="compare it word by word")
            case pb.Refusal.TOO_MANY:
                return Refused("the code was tried too often", hint="wait a minute, then try again")
            case pb.Refusal.WITHDRAWN:
                return Refused("the code was withdrawn after too many wrong guesses", hint=another)
            case pb.Refusal.ENDED:
                return Refused("the send has ended", hint=another)
            case None if self._impostors:
                return Refused(
                    f"nobody who sends under {channel} knows this code", hint="compare it word by word"
                )
            case None:
                return NotFound(
                    f"nobody was found who sends under {channel}",
                    hint="the sender must still run, on the same network or reachable from here;"
                    " name it with --from",
                )
        return Refused("the sender said no", hint=another)
