"""The messages of peer exchange, and the entries in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_metadata import PeerMetadata
from warren.core.peer_record import PeerRecord
from warren.protocols.exchange.entry import Entry, Version, check
from warren.protocols.exchange.known import Known
from warren.protocols.exchange.messages import ANSWER_MAX, Answer, Ask, News, read_call

if TYPE_CHECKING:
    from warren.protocols.exchange.entry import Listed

_KEY = PrivateKey.from_seed(bytes(32))
_ENTRY = Entry(
    PeerRecord(_KEY.peer_id, 7, (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"),)).seal(_KEY),
    PeerMetadata(_KEY.peer_id, 8, {"room": "B 12"}).seal(_KEY),
)

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    b"\x00" + Ask(Known.of([(_KEY.peer_id, Version(7, 8))], b"salt")).to_bytes(),
    b"\x00" + News((_ENTRY, _ENTRY)).to_bytes(),
    b"\x01" + Answer((_ENTRY,), more=True).to_bytes(),
)


def parse(data: bytes) -> tuple[Ask | News | Answer, list[Listed | None]]:
    """The first byte chooses the reader; the entries are checked, too."""
    message = Answer.from_bytes(data[1:]) if data[:1] == b"\x01" else read_call(data[1:])
    entries = () if isinstance(message, Ask) else message.entries
    return message, [check(entry, Version()) for entry in entries]


def verify(_data: bytes, parsed: tuple[Ask | News | Answer, list[Listed | None]]) -> None:
    message, found = parsed
    if isinstance(message, Ask):
        assert message.limit <= ANSWER_MAX
        assert ((_KEY.peer_id, Version()) in message.known) in (True, False)
    for one in found:
        # Whatever was made of our entry, nobody but us can sign for us.
        assert one is None or one.peer != _KEY.peer_id or one.version.record in (0, 7)
