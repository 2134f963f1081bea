"""The proof that somebody holds an invite code, without showing its secret.

In:  the 16-byte secret of a code, and the two peer ids of the connection.
Out: a token that the inviter keeps, and a signature that only the secret's holder can make.
Spec: docs/protocols/invite.md.

The secret is the seed of an Ed25519 key. Its public key is the token: from it neither the secret nor a proof
can be made, so who reads the inviter's database can join nowhere. The proof signs both peer ids (which Noise
has verified), so it is worthless to anybody else and anywhere else, even if the joiner met the wrong peer.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from warren.core.keys import KeyType, PrivateKey, PublicKey

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId

TOKEN_BYTES = 32
PROOF_BYTES = 64
_SEED_DOMAIN = b"warren-invite-key\x00"
_PROOF_DOMAIN = b"warren-invite-proof\x00"


def token_of(secret: bytes) -> bytes:
    """What the inviter stores and the joiner names: 32 bytes from which the secret cannot be found."""
    return _key(secret).public_key.data


def prove(secret: bytes, inviter: PeerId, joiner: PeerId) -> bytes:
    """Sign, with the key that `secret` is the seed of, that `joiner` answers the invitation of `inviter`."""
    return _key(secret).sign(_statement(inviter, joiner))


def proves(token: bytes, proof: bytes, inviter: PeerId, joiner: PeerId) -> bool:
    """Whether `proof` was made from the secret behind `token` for these two. Takes any foreign bytes."""
    if len(token) != TOKEN_BYTES or len(proof) != PROOF_BYTES:
        return False
    return PublicKey(KeyType.ED25519, token).verify(proof, _statement(inviter, joiner))


def _key(secret: bytes) -> PrivateKey:
    return PrivateKey.from_seed(hashlib.sha256(_SEED_DOMAIN + secret).digest())


def _statement(inviter: PeerId, joiner: PeerId) -> bytes:
    parts = (inviter.to_bytes(), joiner.to_bytes())
    return _PROOF_DOMAIN + b"".join(bytes((len(part),)) + part for part in parts)
