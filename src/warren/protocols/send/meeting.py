"""`/warren/send/channels/1.0.0`: a peer that both know tells a receiver who sends under a channel.

In:  on one side what this node sends, or looks for, and whom to ask; on the other requests of peers that
Noise has authenticated. Out: senders and where they may be reached, none of it proven; calls to who looks for
this node.
Spec: docs/protocols/send.md. Requests are bounded as docs/protocols/messages.md says.

Every node keeps places for those who are connected to it, in memory. Nobody is believed about networks that
are nearer to us than the one he speaks from (`core/reach.py`).

Refuses what questions.py refuses, and more questions than a peer may ask.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warren.core.errors import LimitReached, WarrenError
from warren.core.reach import believable, teller_at
from warren.network.allowance import Allowance, Allowances, Rate
from warren.network.limits import ip_group
from warren.protocols.send.channels import Channels
from warren.protocols.send.questions import (
    Leave,
    Seek,
    Take,
    Told,
    Wanted,
    Whereabouts,
    read_question,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.send.questions import Question

PROTOCOL: Final = "/warren/send/channels/1.0.0"
TIMEOUT_S: Final = 5.0
QUESTIONS: Final = Rate(30, 1)
"""Of one peer. Attack: questions without end, each of which may be passed on to 16 senders."""
QUESTIONS_ALL: Final = Rate(1000, 100)
"""Of all together. Attack: the same under many identities."""
PEERS_MAX: Final = 10_000
"""Peers whose allowance is remembered. Attack: identities without end."""
CALLS: Final = Rate(20, 0.2)
"""Calls to who is said to look for this node. Attack: we are made to dial others without end."""
CALL_S: Final = 10.0
_log = logging.getLogger(__name__)


class MeetingProtocol:
    """Answers from now on, and asks. is_sending: whether this node sends under a channel."""

    __slots__ = ("_calls", "_channels", "_is_sending", "_network", "_questions", "_running", "_where")

    def __init__(
        self,
        network: Network,
        is_sending: Callable[[int], bool],
        where: Callable[[], Sequence[Multiaddr]],
        channels: Channels | None = None,
    ) -> None:
        """where: the addresses at which others reach this node."""
        self._network = network
        self._is_sending = is_sending
        self._where = where
        self._channels = channels if channels is not None else Channels()
        now = network.clock()
        self._questions: Allowances[PeerId] = Allowances(QUESTIONS, QUESTIONS_ALL, PEERS_MAX, now)
        self._calls = Allowance(CALLS, now)
        self._running: set[asyncio.Task[None]] = set()
        network.handle_request(PROTOCOL, self._answer)

    async def close(self) -> None:
        """End what runs in the background."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    # --- asking: each raises what `Network.request` raises, and ProtocolViolation ---------------------------

    async def take(self, peer: PeerId, channel: int) -> int:
        """Take a place at `peer`. Returns for how many seconds; 0: it has no room."""
        return (await self._ask(peer, Take(channel, self._own()))).lease_s

    async def leave(self, peer: PeerId, channel: int) -> None:
        """Give it back."""
        await self._ask(peer, Leave(channel))

    async def seek(self, peer: PeerId, channel: int) -> tuple[Whereabouts, ...]:
        """Who sends there, as far as `peer` knows. It also tells them that this node looks for them."""
        told = await self._ask(peer, Seek(channel, self._own()))
        me = self._network.peer_id
        return tuple(self._believed(peer, one) for one in told.found if one.peer != me)

    async def _ask(self, peer: PeerId, question: Question) -> Told:
        answer = await self._network.request(peer, PROTOCOL, question.to_bytes(), timeout_s=TIMEOUT_S)
        return Told.from_bytes(answer)

    # --- answering ----------------------------------------------------------------------------------------

    async def _answer(self, peer: PeerId, payload: bytes) -> bytes:
        now = self._network.clock()
        if not self._questions.take(peer, now):
            raise LimitReached("protocols.send.meeting.QUESTIONS", "this is asked too often", hint="wait")
        match read_question(payload):
            case Take(channel, addresses):
                told = self._believed(peer, Whereabouts(peer, addresses))
                host = ip_group(self._host(peer))
                return Told(int(self._channels.put(channel, peer, told.addresses, host, now))).to_bytes()
            case Leave(channel):
                self._channels.drop(channel, peer)
            case Seek(channel, addresses):
                return self._tell(peer, channel, addresses, now).to_bytes()
            case Wanted(channel, who):
                if self._is_sending(channel) and who.peer != self._network.peer_id and self._calls.take(now):
                    self._spawn(self._call(self._believed(peer, who)))
        return Told().to_bytes()

    def _tell(self, asker: PeerId, channel: int, addresses: tuple[Multiaddr, ...], now: float) -> Told:
        connected = self._network.is_connected
        places = [
            place
            for place in self._channels.find(channel, now)
            if place.peer != asker and connected(place.peer)
        ]
        wanted = Wanted(channel, self._believed(asker, Whereabouts(asker, addresses)))
        for place in places if wanted.who.addresses else ():
            self._spawn(self._pass_on(place.peer, wanted))
        found = [Whereabouts(place.peer, place.addresses) for place in places]
        if self._is_sending(channel):
            found.insert(0, Whereabouts(self._network.peer_id))
        return Told(found=tuple(found))

    async def _pass_on(self, sender: PeerId, wanted: Wanted) -> None:
        await self._network.request(sender, PROTOCOL, wanted.to_bytes(), timeout_s=TIMEOUT_S)

    async def _call(self, who: Whereabouts) -> None:
        """Connect to who looks for this node: it may not be able to connect to us."""
        if not self._network.is_connected(who.peer):
            await self._network.connect(who.peer, hearsay=who.addresses, timeout_s=CALL_S)

    # --- inside -------------------------------------------------------------------------------------------

    def _own(self) -> tuple[Multiaddr, ...]:
        return tuple(address.without_peer() for address in self._where())

    def _believed(self, teller: PeerId, one: Whereabouts) -> Whereabouts:
        places = [socket.remote_addr for socket in self._network.sockets(teller)]
        reach = min((teller_at(place) for place in places), default=teller_at(None))
        return Whereabouts(one.peer, believable(one.addresses, reach))

    def _host(self, peer: PeerId) -> str:
        places = [socket.remote_addr for socket in self._network.sockets(peer)]
        return next((place.host or "" for place in places if place is not None), "")

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_tried(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _tried(work: Awaitable[None]) -> None:
    try:
        await work
    except (OSError, WarrenError) as error:
        _log.debug("passing on that somebody looks for a sender: %s", error)
