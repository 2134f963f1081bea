"""The messages of peer exchange as plain values.

In:  bytes of one frame, as a stranger sent it; or what we want to say. Out: the other form.
Spec: docs/protocols/peers.md; the wire form is proto/exchange.proto.

Refuses, with `ProtocolViolation`, bytes that are not the message, filters over their size, more entries than
a message may hold, and envelopes over theirs. Signatures are looked at later, and only those of news.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.core.errors import ProtocolViolation
from warren.protocols.exchange.entry import RECORD_BYTES_MAX, Entry
from warren.protocols.exchange.known import Known
from warren.protocols.exchange.proto import exchange_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NEWS_MAX: Final = 64
"""Entries of one message of news. Attack: one message whose signatures take long to check."""
ANSWER_MAX: Final = 128
"""The same for an answer, which was asked for."""
CALL_BYTES_MAX: Final = 24 * 1024
"""What a stranger may send in one message: 64 entries of the usual size. Attack: memory for its holding."""
ANSWER_BYTES_MAX: Final = 64 * 1024
"""An answer. Attack: whom we asked sends without end."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Tell of peers that are not in `known`, at most `limit`."""

    known: Known
    limit: int = ANSWER_MAX

    def to_bytes(self) -> bytes:
        """As a call."""
        ask = exchange_pb2.Ask(salt=self.known.salt, known=self.known.bits, limit=self.limit)
        return exchange_pb2.Call(ask=ask).SerializeToString()


@dataclass(frozen=True, slots=True)
class News:
    """What the sender learnt a moment ago."""

    entries: tuple[Entry, ...]

    def to_bytes(self) -> bytes:
        """As a call."""
        return exchange_pb2.Call(
            news=exchange_pb2.News(entries=[_message(one) for one in self.entries])
        ).SerializeToString()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the asker did not know; `more`: that was not all."""

    entries: tuple[Entry, ...]
    more: bool = False

    def to_bytes(self) -> bytes:
        return exchange_pb2.Answer(
            entries=[_message(one) for one in self.entries], more=self.more
        ).SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """Raises `ProtocolViolation`."""
        message = protobuf.parse(exchange_pb2.Answer, data, "peer exchange: the answer")
        return cls(_entries(message.entries, ANSWER_MAX), message.more)


def read_call(data: bytes) -> Ask | News:
    """What who opened the stream wants. Raises `ProtocolViolation`."""
    message = protobuf.parse(exchange_pb2.Call, data, "peer exchange: the call")
    match message.WhichOneof("what"):
        case "ask":
            ask = message.ask
            return Ask(Known(ask.salt, ask.known), min(ask.limit, ANSWER_MAX))
        case "news":
            return News(_entries(message.news.entries, NEWS_MAX))
        case _:
            raise ProtocolViolation("peer exchange: an empty call")


def fit(entries: Iterable[Entry], count_max: int, bytes_max: int) -> tuple[Entry, ...]:
    """The first entries that go into one message; those that may not be sent at all are left out."""
    chosen: list[Entry] = []
    room = bytes_max
    for entry in entries:
        if len(entry.record) > RECORD_BYTES_MAX:
            continue
        room -= entry.size
        if room < 0 or len(chosen) == count_max:
            break
        chosen.append(entry)
    return tuple(chosen)


def _message(entry: Entry) -> exchange_pb2.Entry:
    return exchange_pb2.Entry(record=entry.record, metadata=entry.metadata, told_from=entry.told_from)


def _entries(messages: Sequence[exchange_pb2.Entry], count_max: int) -> tuple[Entry, ...]:
    if len(messages) > count_max:
        raise ProtocolViolation(f"peer exchange: {len(messages)} entries (at most {count_max} are allowed)")
    return tuple(Entry(one.record, one.metadata, one.told_from) for one in messages)
