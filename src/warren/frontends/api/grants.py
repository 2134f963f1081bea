"""Keys that open one file for reading, for a while: what the address for a player carries.

In:  a content id with the query that says from whom it is read and under which name, the time. Out: a key,
and whether one that is shown is good for exactly that.

    file-EXPIRES-MAC    EXPIRES: seconds since 1970; MAC: HMAC-SHA256 over both, base64url without padding

The secret is the token of the API, which is another one at each start: with the node all of its keys end.
None is kept, so none can be taken back before its time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

LIFE_S: Final = 86_400.0
"""How long a key is good: longer than any film. Attack: an address that is found in the list of what a player
played."""
_KEY: Final = re.compile(r"file-(\d{1,15})-[A-Za-z0-9_-]{43}", re.ASCII)
_PURPOSE: Final = b"warren: a key to read one file\0"


class Expired(Exception):
    """A key that was good, until `at` (seconds since 1970)."""

    def __init__(self, at: float) -> None:
        super().__init__("the key was good for some time, and is no longer")
        self.at = at


class Grants:
    """Makes and checks keys by one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def make(self, asked: str, now: float) -> tuple[str, float]:
        """A key to what the address asks for, and when it ends (seconds since 1970)."""
        expires = int(now + LIFE_S)
        return self._key(asked, expires), float(expires)

    def opens(self, key: str, asked: str, now: float) -> bool:
        """Whether a key was made here for this. Raises `Expired` if so, and too long ago.

        Compares in constant time: how long it takes says nothing about the right one.
        """
        found = _KEY.fullmatch(key)
        if found is None:
            return False
        expires = int(found[1])
        if not hmac.compare_digest(key.encode(), self._key(asked, expires).encode()):
            return False
        if now >= expires:
            raise Expired(expires)
        return True

    def _key(self, asked: str, expires: int) -> str:
        said = _PURPOSE + str(expires).encode() + b"\0" + asked.encode("utf-8", "surrogatepass")
        mac = hmac.digest(self._secret, said, hashlib.sha256)
        return f"file-{expires}-{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def is_key(text: str) -> bool:
    """Whether this looks like a key, whoever made it."""
    return _KEY.fullmatch(text) is not None
