"""`/warren/presence/1.0.0`: fail votes and refutations between a peer and its super-peers.

In:  on one side what to tell a super-peer; on the other streams of peers that Noise has authenticated, and a
`Register` that keeps what they tell. Out: answers.
Spec: docs/protocols/presence.md.

Each stream carries one call and its answer. A vote is taken from its signer alone, over the signer's own
connection, and so is a lease that refutes one, where it is for this node: nobody can pass on what another
signed. Leases are taken, renewed and given back by `protocols.directory`.

Refuses what messages.py refuses, envelopes of others, late messages, and more calls than the allowances.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import LimitReached, ProtocolViolation, RequestTimeout
from warren.core.fail_vote import FailVote
from warren.core.framing import frame
from warren.core.lease import Lease
from warren.network.allowance import Allowances, Rate, Seldom
from warren.network.limits import ip_group
from warren.protocols.presence.messages import (
    ANSWER_BYTES_MAX,
    CALL_BYTES_MAX,
    Accused,
    Answer,
    Ask,
    CastVote,
    Doubt,
    Standing,
    read_call,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream
    from warren.protocols.presence.messages import Call

PROTOCOL: Final = "/warren/presence/1.0.0"
TIMEOUT_S: Final = 10.0
"""For a call and its answer. Attack: a stream on which nothing is said, or slowly."""
ACCUSED_S: Final = 3.0
"""The same for the question to a peer that is doubted or accused, which is there if it answers."""
CALLS: Final = Rate(64, 2.0)
"""Calls of one peer that are answered. Attack: calls without end, each of which costs a signature check."""
CALLS_HOST: Final = Rate(1024, 128.0)
"""The same of one address. Attack: the same from many identities on one machine."""
CALLS_ALL: Final = Rate(4096, 1024.0)
"""The same of all together: 110 ms of each second. Attack: the same from many machines. 10,000 peers that
renew three times a minute need 500."""
KEYS_MAX: Final = 20_000
"""Peers, and hosts, whose allowance is remembered. Attack: keys without end."""
NAMED_EVERY_S: Final = 60.0
"""Between two lines in the log on the same peer. Attack: a log that fills the disk."""
NAMED_MAX: Final = 1024
_log = logging.getLogger(__name__)


class Register(Protocol):
    """Who keeps the votes."""

    def take_vote(self, vote: FailVote) -> Answer:
        """A peer votes. It is checked."""
        ...

    def tell(self, ask: Ask) -> Answer:
        """How some peers stand."""
        ...


class PresenceProtocol:
    """Serves from now on, and calls others."""

    __slots__ = ("_calls", "_calls_by_host", "_doubt", "_named", "_network", "_refute", "_register")

    def __init__(
        self,
        network: Network,
        register: Register,
        refute: Callable[[PeerId, PeerId | None], Answer],
        doubt: Callable[[PeerId, PeerId], Answer],
    ) -> None:
        """refute: answers a super-peer that says that this node is accused there, and at another one maybe.
        doubt: answers a caller that says of a peer that it may be gone.
        """
        self._network = network
        self._register = register
        self._refute = refute
        self._doubt = doubt
        now = network.clock()
        self._calls: Allowances[PeerId] = Allowances(CALLS, CALLS_ALL, KEYS_MAX, now)
        self._calls_by_host: Allowances[str] = Allowances(CALLS_HOST, CALLS_ALL, KEYS_MAX, now)
        self._named: Seldom[PeerId] = Seldom(NAMED_EVERY_S, NAMED_MAX)
        network.handle_stream(PROTOCOL, self._serve)

    # --- calling ------------------------------------------------------------------------------------------
    # Each connects if need be, and raises RequestTimeout, ProtocolNotSupported, ProtocolViolation,
    # StreamReset (it was called too often), and what connecting raises.

    async def vote(self, super_peer: PeerId, sealed: bytes) -> Answer:
        """Tell a super-peer that somebody could not be reached."""
        return await self._call(super_peer, CastVote(sealed))

    async def ask(
        self, super_peer: PeerId, peers: Sequence[PeerId] = (), *, held: bool = False
    ) -> tuple[Standing, ...]:
        """How peers stand with a super-peer (64 at most); held: and whom votes hold offline there."""
        return (await self._call(super_peer, Ask(tuple(peers), held))).standings

    async def ask_one(self, super_peer: PeerId, peer: PeerId) -> Standing:
        """How one peer stands with a super-peer."""
        return _of(peer, await self._call(super_peer, Ask((peer,))))

    async def doubt(self, super_peer: PeerId, peer: PeerId) -> Standing:
        """Tell a super-peer that somebody may be gone; how that one stands there."""
        return _of(peer, await self._call(super_peer, Doubt(peer)))

    async def accuse(self, peer: PeerId, at: PeerId | None = None) -> Lease | None:
        """Tell a peer that it is doubted; the lease that it shows for this node, checked. None: none. at: by
        whom besides.
        """
        answer = await self._call(peer, Accused(at), ACCUSED_S)
        if not answer.lease:
            return None
        lease = Lease.open(answer.lease)
        self._check(lease, peer)
        return lease

    async def _call(self, peer: PeerId, call: Call, timeout_s: float = TIMEOUT_S) -> Answer:
        try:
            async with asyncio.timeout(timeout_s):
                # Written at once, without waiting for the agreement on the protocol: one round trip.
                stream = (await self._network.connect(peer)).open_stream((PROTOCOL,))
                try:
                    stream.write_nowait(frame(call.to_bytes()))
                    return Answer.from_bytes(await stream.read_frame(ANSWER_BYTES_MAX))
                finally:
                    stream.close_nowait()
        except TimeoutError as error:
            raise RequestTimeout(f"{peer} did not answer within {timeout_s:g} s") from error

    # --- answering ----------------------------------------------------------------------------------------

    async def _serve(self, stream: Stream) -> None:
        peer, where = stream.peer_id, stream.socket.remote_addr
        host = where.host if where is not None else None
        try:
            self._spend(peer, host)
            async with asyncio.timeout(TIMEOUT_S):
                call = read_call(await stream.read_frame(CALL_BYTES_MAX))
            answer = self._answer(peer, call)
        except TimeoutError as error:
            raise RequestTimeout(f"no call within {TIMEOUT_S:g} s") from error
        except (ProtocolViolation, LimitReached) as error:
            if self._named.is_due(peer, self._network.clock()):
                _log.warning("%s is refused: %s", peer, error)
            raise
        stream.write_nowait(frame(answer.to_bytes()))

    def _spend(self, peer: PeerId, host: str | None) -> None:
        now = self._network.clock()
        if not self._calls_by_host.take(ip_group(host or ""), now):
            raise LimitReached("presence", f"calls from {host} come too often")
        if not self._calls.take(peer, now):
            raise LimitReached("presence", f"{peer} calls too often")

    def _answer(self, caller: PeerId, call: Call) -> Answer:
        match call:
            case CastVote(sealed):
                vote = FailVote.open(sealed)
                if vote.peer_id != caller:
                    raise ProtocolViolation(f"{caller} shows a vote of {vote.peer_id}")
                return self._register.take_vote(vote)
            case Accused(at):
                return self._refute(caller, at)
            case Doubt(peer):
                return self._doubt(caller, peer)
            case Ask():
                return self._register.tell(call)

    def _check(self, lease: Lease, caller: PeerId) -> None:
        if lease.peer_id != caller:
            raise ProtocolViolation(f"{caller} shows a lease of {lease.peer_id}")
        if not lease.is_for(self._network.peer_id):
            raise ProtocolViolation(f"{caller} shows a lease that is for {lease.super_peer}")


def _of(peer: PeerId, answer: Answer) -> Standing:
    """How a peer stands, by an answer that may not tell."""
    return next((one for one in answer.standings if one.peer == peer), Standing(peer, "absent"))
