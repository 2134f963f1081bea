"""The proof that both sides know the words of a code, without showing them: SPAKE2 with confirmation.

In:  the code as bytes, the ids of both peers, chance; the share and the confirmation of the other side.
Out: our share and our confirmation; whether theirs holds. No IO: the messages are the caller's.
Spec: docs/protocols/send.md; RFC 9382 (https://www.rfc-editor.org/rfc/rfc9382).

Who runs it with somebody that does not know the words learns nothing of them and shows nothing of them but
whether one guess was right. The receiver confirms first, so that a wrong one has shown its guess before it
sees anything that was made with the words. The peer ids, which Noise has proven, are part of what is agreed
on: somebody between two peers cannot pass the run of one on to the other.

The group operations are those of the package `spake2`, which magic-wormhole uses: Ed25519, in pure Python,
some 10 ms for a share and 25 ms for the key; call them in `offload`. They take time that depends on their
operands; see the page for why that tells an attacker too little.

Refuses, with `ProtocolViolation`, what is no share: of another length, not on the curve, in no group that is
safe, or our own.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from warren.core.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from warren.core.peer_id import PeerId

    Chance = Callable[[int], bytes]

SHARE_BYTES: Final = 33
CONFIRMATION_BYTES: Final = 32
_DOMAIN: Final = b"/warren/send/1.0.0"
_RECEIVER, _SENDER = _DOMAIN + b" receiver ", _DOMAIN + b" sender "


class _Side:
    """One run of one side: `share`, then `finish` once, then `confirm` and `confirms`."""

    __slots__ = ("_key", "_me", "_run", "_them", "_transcript", "share")

    def __init__(self, run: Any, me: bytes, them: bytes) -> None:
        self._run = run
        self._me, self._them = me, them
        self._key: bytes = b""
        self._transcript: bytes = b""
        self.share: bytes = run.start()

    def finish(self, share: bytes) -> None:
        """Take the other side's share. Raises ProtocolViolation; then nothing can be confirmed."""
        from spake2 import SPAKEError  # noqa: PLC0415 - 50 ms, that only who sends or receives need spend
        from spake2.ed25519_basic import NotOnCurve  # noqa: PLC0415

        if len(share) != SHARE_BYTES:
            raise ProtocolViolation(f"a share of {len(share)} bytes in place of {SHARE_BYTES}")
        try:
            self._key = self._run.finish(share)
        except (SPAKEError, NotOnCurve, ValueError) as error:
            raise ProtocolViolation("what was sent as a share is none") from error
        ordered = sorted((self.share, share))  # the first byte of a share names its side
        self._transcript = b"".join(ordered)

    def confirm(self, said: bytes) -> bytes:
        """Prove that we have the key, and that we say `said`."""
        return self._mac(self._me, said)

    def confirms(self, confirmation: bytes, said: bytes) -> bool:
        """Whether the other side has the same key, and says `said`. Takes any foreign bytes."""
        return hmac.compare_digest(confirmation, self._mac(self._them, said))

    def _mac(self, whose: bytes, said: bytes) -> bytes:
        key = HKDF(SHA256(), 32, None, b"ConfirmationKeys" + whose).derive(self._key)
        return hmac.digest(key, self._transcript + said, "sha256")


class ReceiverSide(_Side):
    """Who was told the code."""

    __slots__ = ()

    def __init__(self, password: bytes, receiver: PeerId, sender: PeerId, chance: Chance) -> None:
        from spake2 import SPAKE2_A  # noqa: PLC0415

        ids = _ids(receiver, sender)
        super().__init__(SPAKE2_A(password, *ids, entropy_f=chance), *ids)


class SenderSide(_Side):
    """Who made the code."""

    __slots__ = ()

    def __init__(self, password: bytes, receiver: PeerId, sender: PeerId, chance: Chance) -> None:
        from spake2 import SPAKE2_B  # noqa: PLC0415

        ids = _ids(receiver, sender)
        super().__init__(SPAKE2_B(password, *ids, entropy_f=chance), *reversed(ids))


def _ids(receiver: PeerId, sender: PeerId) -> tuple[bytes, bytes]:
    """Who takes part, as which side of which protocol."""
    return _RECEIVER + receiver.to_bytes(), _SENDER + sender.to_bytes()
