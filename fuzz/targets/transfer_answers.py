"""Answers of the transfer protocol: the same for any chunking, and only what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import Header, Status, encode_header

if TYPE_CHECKING:
    from collections.abc import Coroutine

ASKED = (3, 2)
"""How many chunks each request asks for; then comes one for a tree, and one for a turn."""

DOCUMENTED: tuple[type[Exception], ...] = ()
SEEDS = (
    b"\x07"
    + encode_header(Header(1, lengths=(3, 2)))
    + b"abcde"
    + encode_header(Header(1, index=2, lengths=(1,), last=True))
    + b"f"
    + encode_header(Header(2, Status.CHANGED))
    + encode_header(Header(2, index=1, lengths=(4,), last=True))
    + b"wxyz"
    + encode_header(Header(3, lengths=(1, 1)))
    + b"no"
    + encode_header(Header(3, Status.NOT_FOUND, index=2, last=True)),
    b"\x05"
    + encode_header(Header(1, lengths=(1, 1, 1), last=True))
    + b"abc"
    + encode_header(Header(2, lengths=(1, 1), last=True))
    + b"de"
    + encode_header(Header(3, lengths=(1,), last=True))
    + b"f"
    + encode_header(Header(4, Status.TURN, last=True, waited_ms=700)),
    b"\x00" + encode_header(Header(1, Status.BUSY, last=True)),
    b"\x30" + encode_header(Header(1, lengths=(1 << 20,))) + b"only the beginning",
    b"\x01" + encode_header(Header(1, lengths=(0, 0, 0), last=True)),
)


class Outcome(NamedTuple):
    """What the fetching side has in the end."""

    answers: list[tuple[Header, bytes]]
    error: type[Exception] | None


class Stream:
    """As much of a stream as the client touches."""

    peer_id = "peer"

    async def write(self, data: bytes) -> None:
        pass

    def set_receiver(self, *_: object) -> None:
        pass

    def set_target(self, *_: object) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def reset(self) -> None:
        pass


def at_once(work: Coroutine[Any, Any, Any]) -> None:
    """Run what never waits."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


def feed(client: TransferClient, data: bytes) -> None:
    """Where all of it has a place already it is written there, as a socket would."""
    target = client._decoder.target()
    if target is not None and len(target) >= len(data):
        target[: len(data)] = data
        client._on_filled(len(data))
    else:
        client._on_data(memoryview(data))


def fetch(data: bytes, step: int) -> Outcome:
    client = TransferClient(Stream())  # type: ignore[arg-type]
    for count in ASKED:
        at_once(client.ask_chunks([bytes(32)] * count))
    at_once(client.ask_tree([bytes(36)]))
    at_once(client.ask_turn())
    for pos in range(0, len(data), step):
        feed(client, data[pos : pos + step])
        if client._error is not None:
            break
    answers = [(answer.header, bytes(answer.buffer[: answer.size])) for answer in client._arrived]
    return Outcome(answers, type(client._error) if client._error else None)


def parse(data: bytes) -> Outcome:
    return fetch(data[1:], len(data) + 1)


def verify(data: bytes, outcome: Outcome) -> None:
    assert fetch(data[1:], ord(data[:1] or b"a") + 1) == outcome
    for number, count in enumerate(ASKED, 1):
        found = [header for header, _ in outcome.answers if header.request == number]
        assert sum(max(1, len(header.lengths)) for header in found) <= count
    assert sum(len(body) for _, body in outcome.answers) <= len(data)
