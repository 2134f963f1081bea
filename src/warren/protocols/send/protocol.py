"""`/warren/send/1.0.0`: who knows the code of a send proves it to the sender, and learns what is sent.

In:  on one side a code and a peer that may be the sender; on the other what is sent under which code, and
streams of peers that Noise has authenticated. Out: a `Session` with the offer; for the sender, who came, how
far they are and how many guesses were wrong.
Spec: docs/protocols/send.md.

Each stream is one attempt, and one guess for whoever does not know the code, on either side. The receiver's
reports follow on the same stream until it ends.

Refuses attempts at codes that are not there, ended or withdrawn, peers that try too often, late, oversized
and malformed messages.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, Self

from warren.core.errors import (
    ConnectionFailed,
    InputError,
    LimitReached,
    ProtocolViolation,
    RequestTimeout,
)
from warren.core.framing import frame
from warren.network.allowance import Allowance, Rate
from warren.protocols.send.guesses import Guesses, GuessLimits
from warren.protocols.send.messages import (
    ANSWER_BYTES_MAX,
    SMALL_BYTES_MAX,
    Granted,
    Hello,
    Offer,
    Proof,
    Report,
    challenge,
    clipped,
    read_answer,
    read_challenge,
    refused_hello,
    refused_proof,
)
from warren.protocols.send.pake import ReceiverSide, SenderSide
from warren.protocols.send.proto import send_pb2 as pb

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.network.stream import Stream
    from warren.protocols.send.code import SendCode
    from warren.protocols.send.messages import Reason

PROTOCOL: Final = "/warren/send/1.0.0"
STEP_S: Final = 10.0
"""For each message of an attempt. Attack: a stream on which nothing is said."""
ATTEMPT_S: Final = 20.0
"""For a whole attempt, with connecting. Attack: a false sender that holds a receiver up."""
REPORT_S: Final = 60.0
"""Without a report for so long, a receiver counts as gone."""
ALIVE_EVERY_S: Final = 15.0
"""So often a receiver says that it is there, at least."""
REPORTS: Final = Rate(30, 5)
"""Of one receiver. Attack: reports without end."""
VISITS_MAX: Final = 256
"""Receivers of one send at once. Attack: who was told the code holds streams without end."""


class Host(Protocol):
    """One send, as those who come see it. All of it is called by the protocol, and must not block."""

    def offer_to(self, receiver: PeerId) -> Offer:
        """What is sent, for a receiver that has proven the code."""
        ...

    def guessed_wrong(self, peer: PeerId) -> None:
        """Somebody tried another code; it is counted already."""
        ...

    def reported(self, receiver: PeerId, report: Report) -> None:
        """A receiver is there, or got on."""
        ...

    def left(self, receiver: PeerId) -> None:
        """It ended its stream, or went away."""
        ...


class _Sending:
    """What is sent under one code."""

    __slots__ = ("code", "guesses", "host", "is_shut", "visits")

    def __init__(self, code: SendCode, host: Host, guesses: Guesses) -> None:
        self.code = code
        self.host = host
        self.guesses = guesses
        self.is_shut = False
        self.visits: dict[PeerId, Stream] = {}


class Session:
    """A receiver that proved the code. Leaving its `async with` ends the stream.

    offer: what is sent. name: what this node calls itself.
    """

    __slots__ = ("_name", "_stream", "offer")

    def __init__(self, stream: Stream, offer: Offer, name: str) -> None:
        self._stream = stream
        self._name = clipped(name)
        self.offer = offer

    @property
    def sender(self) -> PeerId:
        """Who proved the code as well."""
        return self._stream.peer_id

    async def report(self, report: Report) -> None:
        """Tell the sender how far this receiver is. A sender that is gone is no error: others may go on."""
        try:
            await self._stream.write(frame(replace(report, name=self._name).to_bytes()))
        except ConnectionFailed:
            return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it. Closing twice is harmless."""
        self._stream.close_nowait()


class SendProtocol:
    """Serves the sends of this node from now on, and makes attempts at those of others."""

    __slots__ = ("_limits", "_network", "_sendings")

    def __init__(self, network: Network, limits: GuessLimits | None = None) -> None:
        self._network = network
        self._limits = limits or GuessLimits()
        self._sendings: dict[int, _Sending] = {}
        network.handle_stream(PROTOCOL, self._serve)

    # --- sending ------------------------------------------------------------------------------------------

    def open(self, code: SendCode, host: Host) -> Guesses:
        """Take attempts at `code` until `end`. Returns their count. Raises InputError: the channel is taken.

        Nothing resets that count while the code is good, and it is good until `end`, or until this node ends.
        """
        if code.channel in self._sendings:
            raise InputError(f"something is sent under {code.channel} already", hint="take another number")
        sending = _Sending(code, host, Guesses(self._limits, self._network.clock()))
        self._sendings[code.channel] = sending
        return sending.guesses

    def shut(self, channel: int) -> None:
        """Take no more attempts there; who is there stays."""
        sending = self._sendings.get(channel)
        if sending is not None:
            sending.is_shut = True

    def end(self, channel: int) -> None:
        """Take no more attempts there, and let go of who is there. One that is not open is no error."""
        sending = self._sendings.pop(channel, None)
        for stream in list(sending.visits.values()) if sending is not None else ():
            stream.reset()

    def is_sending(self, channel: int) -> bool:
        """Whether attempts at what this node sends there are taken."""
        sending = self._sendings.get(channel)
        return sending is not None and not sending.is_shut

    def is_open(self, channel: int) -> bool:
        """Whether the channel is taken here."""
        return channel in self._sendings

    async def _serve(self, stream: Stream) -> None:
        peer = stream.peer_id
        hello = Hello.from_bytes(await _read(stream))
        sending = self._sendings.get(hello.channel)
        if sending is None:
            await _say_last(stream, refused_hello(pb.Refusal.UNKNOWN))
        elif sending.guesses.withdrawn:
            await _say_last(stream, refused_hello(pb.Refusal.WITHDRAWN))
        elif sending.is_shut:
            await _say_last(stream, refused_hello(pb.Refusal.ENDED))
        elif not sending.guesses.begin(peer, self._network.clock()):
            await _say_last(stream, refused_hello(pb.Refusal.TOO_MANY))
        else:
            await self._try(stream, sending, hello.share)

    async def _try(self, stream: Stream, sending: _Sending, share: bytes) -> None:
        """One attempt. It counts as a guess from the moment that its confirmation is looked at."""
        runtime, me = self._network.runtime, self._network.peer_id
        side = await runtime.offload(
            SenderSide, sending.code.password, stream.peer_id, me, runtime.entropy.bytes
        )
        await stream.write(frame(challenge(side.share)))
        proof = Proof.from_bytes(await _read(stream))
        await runtime.offload(side.finish, share)
        reason = self._judge(sending, stream.peer_id, side, proof)
        if reason is not None:
            await _say_last(stream, refused_proof(reason))
            return
        offer = sending.host.offer_to(stream.peer_id).to_bytes()
        await stream.write(frame(Granted(side.confirm(offer), offer).to_bytes()))
        await self._attend(stream, sending)

    def _judge(self, sending: _Sending, peer: PeerId, side: SenderSide, proof: Proof) -> Reason | None:
        """Why the attempt comes to nothing; None: it does not. Runs in one turn, so that attempts that come
        at once count one after the other.
        """
        if sending.guesses.withdrawn:
            return pb.Refusal.WITHDRAWN
        if sending.is_shut or self._sendings.get(sending.code.channel) is not sending:
            return pb.Refusal.ENDED
        if not side.confirms(proof.confirmation, b""):
            sending.guesses.failed()
            sending.host.guessed_wrong(peer)
            return pb.Refusal.WRONG
        if len(sending.visits) >= VISITS_MAX and peer not in sending.visits:
            return pb.Refusal.TOO_MANY
        return None

    async def _attend(self, stream: Stream, sending: _Sending) -> None:
        """Take in the reports of a receiver until it is gone."""
        receiver, visits = stream.peer_id, sending.visits
        before, visits[receiver] = visits.get(receiver), stream
        if before is not None:
            before.reset()  # it came again
        reports = Allowance(REPORTS, self._network.clock())
        try:
            while True:
                report = Report.from_bytes(await _read(stream, REPORT_S))
                if not reports.take(self._network.clock()):
                    raise LimitReached("protocols.send.protocol.REPORTS", f"{receiver} reports too often")
                sending.host.reported(receiver, report)
        finally:
            if visits.get(receiver) is stream:
                del visits[receiver]
                sending.host.left(receiver)

    # --- receiving ----------------------------------------------------------------------------------------

    async def attempt(self, peer: PeerId, code: SendCode, name: str) -> Session:
        """Prove `code` to `peer`, which is connected or whose addresses the network knows, and have it prove
        the same. name: what this node calls itself; told to nobody but who proved it.

        Whoever does not know the code has one guess by this. Raises Declined, with the reason;
        RequestTimeout, ProtocolNotSupported, ProtocolViolation (it does not know the code, too), and what
        connecting raises.
        """
        try:
            async with asyncio.timeout(ATTEMPT_S):
                stream = await self._network.open_stream(peer, PROTOCOL)
                try:
                    offer = await self._prove(stream, code)
                except BaseException:
                    stream.reset()
                    raise
        except TimeoutError as error:
            raise RequestTimeout(f"{peer} did not answer within {ATTEMPT_S:g} s") from error
        return Session(stream, offer, name)

    async def _prove(self, stream: Stream, code: SendCode) -> Offer:
        runtime, me = self._network.runtime, self._network.peer_id
        side = await runtime.offload(ReceiverSide, code.password, me, stream.peer_id, runtime.entropy.bytes)
        await stream.write(frame(Hello(code.channel, side.share).to_bytes()))
        share = read_challenge(await stream.read_frame(SMALL_BYTES_MAX))
        await runtime.offload(side.finish, share)
        await stream.write(frame(Proof(side.confirm(b"")).to_bytes()))
        granted = read_answer(await stream.read_frame(ANSWER_BYTES_MAX))
        if not side.confirms(granted.confirmation, granted.offer):
            raise ProtocolViolation(f"{stream.peer_id} does not know the code, and says that it does")
        return Offer.from_bytes(granted.offer)


async def _read(stream: Stream, timeout_s: float = STEP_S) -> bytes:
    try:
        async with asyncio.timeout(timeout_s):
            return await stream.read_frame(SMALL_BYTES_MAX)
    except TimeoutError as error:
        raise ProtocolViolation(f"no message within {timeout_s:g} s") from error


async def _say_last(stream: Stream, answer: bytes) -> None:
    # Far below what a stream takes without waiting for the peer.
    await stream.write(frame(answer))
    await stream.close()
