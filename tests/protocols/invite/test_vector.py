"""The vector that docs/protocols/invite.md gives to other implementations is what this one makes."""

from __future__ import annotations

import re
from pathlib import Path

from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.protocols.invite.code import InviteCode
from warren.protocols.invite.proof import prove, token_of

PAGE = Path(__file__).parents[3] / "docs/protocols/invite.md"


def test_the_vector_holds() -> None:
    told = dict(re.findall(r"^(inviter|joiner|code|token|proof) +(\S+)$", PAGE.read_text(), re.MULTILINE))
    inviter = PrivateKey.from_seed(bytes(range(32))).peer_id
    joiner = PrivateKey.from_seed(bytes(range(32, 64))).peer_id
    secret = bytes(range(16))
    code = InviteCode(inviter, (Multiaddr.parse("/ip4/192.0.2.1/tcp/4101"),), secret)
    assert told == {
        "inviter": str(inviter),
        "joiner": str(joiner),
        "code": str(code),
        "token": token_of(secret).hex(),
        "proof": prove(secret, inviter, joiner).hex(),
    }
