"""The messages of a send, those about channels, and the points in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.cid import Cid
from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.send import messages, questions
from warren.protocols.send.messages import Declined, Granted, Hello, Item, Offer, Proof, Report
from warren.protocols.send.pake import ReceiverSide
from warren.protocols.send.proto import send_pb2 as pb
from warren.protocols.send.questions import Leave, Seek, Take, Told, Wanted, Whereabouts, read_question

if TYPE_CHECKING:
    from collections.abc import Callable

_ANNA, _BEN = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(2))
_WHERE = (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"),)
_WHO = Whereabouts(_ANNA, _WHERE)
_ITEM = Item(Cid.raw_sha256(bytes(32)), "dog.jpg", 9, 1, is_folder=False, ticket=b"t")
_SHARE = bytes.fromhex("4290b7a12f7b3ce724d778dc063a50cb7948ff6ac0d18ada142c782245e7282758")


def _finish(share: bytes) -> bool:
    """What a share comes to: never to the key of somebody who does not know the code."""
    side = ReceiverSide(b"4071-guitar-cross", _ANNA, _BEN, lambda count: bytes([1]) * count)
    side.finish(share)
    return side.confirms(bytes(32), b"offer")


_READERS: Final[tuple[Callable[[bytes], object], ...]] = (
    Hello.from_bytes,
    messages.read_challenge,
    Proof.from_bytes,
    messages.read_answer,
    Offer.from_bytes,
    Report.from_bytes,
    read_question,
    Told.from_bytes,
    _finish,
)
DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    b"\x00" + Hello(4071, _SHARE).to_bytes(),
    b"\x01" + messages.challenge(_SHARE),
    b"\x01" + messages.refused_hello(pb.Refusal.TOO_MANY),
    b"\x02" + Proof(bytes(32)).to_bytes(),
    b"\x03" + Granted(bytes(32), Offer((_ITEM,), "ben").to_bytes()).to_bytes(),
    b"\x03" + messages.refused_proof(pb.Refusal.WRONG),
    b"\x04" + Offer((_ITEM, _ITEM), "ben").to_bytes(),
    b"\x05" + Report("fetching", 7, "anna").to_bytes(),
    b"\x06" + Take(4071, _WHERE).to_bytes(),
    b"\x06" + Leave(4071).to_bytes(),
    b"\x06" + Seek(4071, _WHERE).to_bytes(),
    b"\x06" + Wanted(4071, _WHO).to_bytes(),
    b"\x07" + Told(120, (_WHO,)).to_bytes(),
    b"\x08" + _SHARE,
)


def parse(data: bytes) -> object:
    """The first byte chooses the reader. A refusal is what the other side may say."""
    try:
        return _READERS[data[0] % len(_READERS)](data[1:]) if data else None
    except Declined:
        return None


def verify(_data: bytes, value: object) -> None:
    assert value is not True
    match value:
        case Offer():
            assert 1 <= len(value.items) <= messages.ITEMS_MAX
            assert Offer.from_bytes(value.to_bytes()) == value
        case Hello() | Proof() | Report():
            assert type(value).from_bytes(value.to_bytes()) == value
        case Take() | Leave() | Seek() | Wanted():
            assert read_question(value.to_bytes()) == value
        case Told():
            assert len(value.found) <= questions.FOUND_MAX
            assert Told.from_bytes(value.to_bytes()) == value
        case _:
            pass
