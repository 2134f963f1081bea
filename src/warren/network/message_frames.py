"""The frames of requests and answers, as they come from a peer.

In: bytes in any chunking. Out: messages. Refuses what is too long and what is no message.
Wire: `proto/messages.proto`, explained in docs/protocols/messages.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core import protobuf
from warren.network.proto.messages_pb2 import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.framing import FrameDecoder

ENVELOPE_BYTES_MAX: Final = 64
"""What the id, the kind and the lengths may add to a payload."""


def read_messages(decoder: FrameDecoder, data: memoryview) -> Iterator[Message]:
    """The whole messages so far, then the violation that followed them, if one did."""
    for body in decoder.receive(data):
        yield protobuf.parse(Message, body, "the message")
    if decoder.violation is not None:
        raise decoder.violation
