"""Invite codes as somebody pasted them."""

from __future__ import annotations

from warren.core.errors import InvalidCode
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.invite.code import InviteCode

_KEY = PrivateKey.from_seed(bytes(32))
_ADDR = Multiaddr.parse("/ip4/192.0.2.1/tcp/4101")

DOCUMENTED = (InvalidCode,)
SEEDS = (
    str(InviteCode(_KEY.peer_id, (_ADDR,), bytes(16))).encode(),
    str(InviteCode(_KEY.peer_id, (), bytes(16), (_ADDR.with_peer(_KEY.peer_id),))).encode(),
)


def parse(data: bytes) -> InviteCode:
    return InviteCode.parse(data.decode("utf-8", "surrogateescape"))


def verify(_data: bytes, code: InviteCode) -> None:
    assert InviteCode.parse(str(code)) == code
