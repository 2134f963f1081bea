"""Keys of the DHT as people write them, and as the DHT has them.

In:  text or bytes. Out: the other form. In the DHT, `/ipns/` and `/pk/` go before the bytes of a peer id,
which people write as `12D3KooW...` or `k51...`; all else is the UTF-8 of what they write. Content is looked
up by the multihash of its id, so that each id of the same bytes finds the same providers.
"""

from __future__ import annotations

from typing import Final

from warren.core import multihash
from warren.core.cid import Cid
from warren.core.errors import InputError, InvalidCid, InvalidPeerId
from warren.core.multibase import base36_encode
from warren.core.peer_id import PeerId
from warren.protocols.kad.records import KEY_BYTES_MAX

_BY_PEER: Final = (b"/ipns/", b"/pk/")
_LIBP2P_KEY: Final = b"\x01\x72"


def key_of(written: str | bytes) -> bytes:
    """The key that is meant; bytes are one already. Raises `InputError`."""
    if isinstance(written, bytes):
        key = written
    else:
        key = encoded(written)
        for prefix in _BY_PEER:
            if key.startswith(prefix):
                key = prefix + _peer_bytes(written[len(prefix) :], key[len(prefix) :])
    if not key.startswith(b"/") or key.count(b"/") < 2:
        raise InputError(
            f"{shown(key)!r} is no key of the DHT",
            hint="a key is /warren/PEER-ID/NAME, /ipns/NAME or /pk/PEER-ID",
        )
    if len(key) > KEY_BYTES_MAX:
        raise InputError(
            f"a key has {KEY_BYTES_MAX} bytes at most, not {len(key)}", hint="choose another name"
        )
    return key


def shown(key: bytes) -> str:
    """The key as people write it, with an escape for each byte that is not UTF-8."""
    for prefix in _BY_PEER:
        if key.startswith(prefix):
            try:
                peer = PeerId(key[len(prefix) :])
            except InvalidPeerId:
                break
            return f"{prefix.decode()}k{base36_encode(_LIBP2P_KEY + peer.to_bytes())}"
    return key.decode(errors="backslashreplace")


def text_of(key: bytes) -> str | None:
    """What `key_of` makes this key of; None where there is no such text."""
    text = shown(key)
    try:
        return text if key_of(text) == key else None
    except InputError:
        return None


def encoded(text: str) -> bytes:
    """The UTF-8 of what somebody typed, also where it was not UTF-8. Raises `InputError`."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InputError(f"{text!r} holds half a character", hint="give the name as bytes") from error


def multihash_of(content: Cid | str | bytes) -> bytes:
    """What content is looked up by: the multihash in its id, or that itself. Raises `InvalidCid`."""
    if isinstance(content, str):
        content = Cid.parse(content)
    if isinstance(content, Cid):
        return content.multihash
    try:
        multihash.decode(content)
    except InputError as error:
        raise InvalidCid(f"not the multihash of a content id: {error}") from error
    return content


def _peer_bytes(text: str, raw: bytes) -> bytes:
    """The bytes of a peer id; text that is none is taken as it is, and refused by who checks records."""
    try:
        return PeerId.parse(text).to_bytes()
    except InvalidPeerId:
        return raw
