"""`/warren/invite/1.0.0`: who holds an invite code proves it to the inviter, and both learn each other's
names.

In:  on one side a code; on the other a stream of a peer that Noise has authenticated.
Out: the `Introduction` of the other side, once the inviter has committed the new contact; without the
addresses in it that are nearer than the peer itself (`core/reach.py`).
Spec: docs/protocols/invite.md.

Refuses wrong, expired and used-up invitations with their reason, peers that were wrong too often, late and
oversized messages. What an invitation is worth is the desk's decision, in one transaction of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from warren.core.errors import ConnectionClosed, ProtocolNotSupported, ProtocolViolation, RequestTimeout
from warren.core.framing import frame
from warren.core.reach import believable, teller_at
from warren.protocols.invite.guesses import Guesses, GuessLimits
from warren.protocols.invite.messages import (
    MESSAGE_BYTES_MAX,
    Claim,
    Declined,
    Reason,
    read_answer,
    refusal,
    welcome,
)
from warren.protocols.invite.proof import prove, proves, token_of

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream
    from warren.protocols.invite.code import InviteCode
    from warren.protocols.invite.messages import Introduction
    from warren.runtime.seam import Clock

PROTOCOL = "/warren/invite/1.0.0"
# Attack: a stranger opens streams and says nothing. Both messages are one packet.
READ_TIMEOUT_S = 10.0


class Desk(Protocol):
    """Who decides what an invitation is worth."""

    async def redeem(self, token: bytes, peer: PeerId, introduction: Introduction) -> Introduction:
        """Make `peer` a contact by the invitation of `token`; return how we want to be known.

        Everything is committed when this returns. The same peer may redeem the same invitation again (its
        answer got lost) at no further cost. Raises Declined.
        """
        ...


class InviteProtocol:
    """Serves claims at `desk` from now on, and makes claims."""

    __slots__ = ("_clock", "_desk", "_guesses", "_network")

    def __init__(self, network: Network, desk: Desk, clock: Clock, limits: GuessLimits | None = None) -> None:
        self._network = network
        self._desk = desk
        self._clock = clock
        self._guesses = Guesses(limits or GuessLimits(), clock.now())
        network.handle_stream(PROTOCOL, self._serve)

    async def claim(self, code: InviteCode, me: Introduction, *, timeout_s: float = 15.0) -> Introduction:
        """Answer the invitation of a peer that is connected, or whose addresses the network knows.

        Raises Refused (it said no, with its reason), ProtocolNotSupported, RequestTimeout after
        `timeout_s`, and what connecting raises.
        """
        claim = Claim(token_of(code.secret), prove(code.secret, code.peer_id, self._network.peer_id), me)
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    return await self._exchange(code.peer_id, claim)
                except ConnectionClosed:
                    # The connection that was there had died unnoticed. A claim may be made twice at no cost.
                    return await self._exchange(code.peer_id, claim)
        except TimeoutError as error:
            raise RequestTimeout(
                f"the inviter did not answer within {timeout_s:g} s", hint="try again; the code is still good"
            ) from error
        except ProtocolNotSupported as error:
            raise ProtocolNotSupported(
                "the peer named in the code does not take invitations", hint="it may be no Warren node"
            ) from error

    async def _exchange(self, inviter: PeerId, claim: Claim) -> Introduction:
        stream = await self._network.open_stream(inviter, PROTOCOL)
        try:
            await stream.write(frame(claim.to_bytes()))
            answer = await stream.read_frame(MESSAGE_BYTES_MAX)
        except BaseException:
            stream.reset()
            raise
        await stream.close()
        return _believed(read_answer(answer), stream)

    async def _serve(self, stream: Stream) -> None:
        peer = stream.peer_id
        if self._guesses.wait_s(peer, self._clock.now()):
            await self._say(stream, refusal(Reason.TOO_MANY))
            return
        claim = Claim.from_bytes(await self._read(stream))
        try:
            introduction = await self._honour(peer, claim, stream)
        except Declined as declined:
            if not self._guesses.wrong(peer, self._clock.now()):
                stream.socket.abort()
                return
            await self._say(stream, refusal(declined.reason))
        else:
            await self._say(stream, welcome(introduction))

    async def _honour(self, peer: PeerId, claim: Claim, stream: Stream) -> Introduction:
        if not proves(claim.token, claim.proof, self._network.peer_id, peer):
            raise Declined(Reason.UNKNOWN)
        return await self._desk.redeem(claim.token, peer, _believed(claim.introduction, stream))

    async def _read(self, stream: Stream) -> bytes:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return await stream.read_frame(MESSAGE_BYTES_MAX)
        except TimeoutError as error:
            raise ProtocolViolation(f"no claim within {READ_TIMEOUT_S:g} s") from error

    async def _say(self, stream: Stream, answer: bytes) -> None:
        # Far below what a stream takes without waiting for the peer.
        await stream.write(frame(answer))
        await stream.close()


def _believed(introduction: Introduction, stream: Stream) -> Introduction:
    place = stream.socket.remote_addr
    return replace(introduction, addresses=believable(introduction.addresses, teller_at(place)))
