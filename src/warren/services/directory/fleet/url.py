"""Where the store of a fleet is, as people write it.

In:  `redis://`, `rediss://` (TLS) or `unix://` URLs, as redis-py takes them. Out: the same, checked; and a
form that may be shown, without the password. Pure.
https://www.iana.org/assignments/uri-schemes/prov/redis
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from warren.core.errors import ConfigError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

SCHEMES: Final = ("redis", "rediss", "unix")
HIDDEN: Final = "***"
_CURE: Final = (
    "write for instance redis://10.0.0.5:6379/0, rediss://user:password@host:6380, or unix:///run/redis.sock"
)


def check_url(url: str) -> None:
    """Raises ConfigError for what is no address of a store; the message shows no password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # what it says may quote the password
        raise ConfigError("directory.store is no URL with a host and a port", hint=_CURE) from None
    if parts.scheme not in SCHEMES:
        raise ConfigError(
            f"directory.store must begin with {', '.join(f'{one}://' for one in SCHEMES)}", hint=_CURE
        )
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise ConfigError("directory.store with unix:// needs the path of a socket", hint=_CURE)
    elif not parts.hostname or port == 0:
        raise ConfigError(f"directory.store names no host and port: {shown(url)}", hint=_CURE)
    elif not re.fullmatch(r"/?[0-9]*", parts.path):
        raise ConfigError(f"directory.store must end with the number of a database: {shown(url)}", hint=_CURE)


def shown(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    query = [(key, HIDDEN if "password" in key else value) for key, value in parse_qsl(parts.query)]
    tail = f"?{urlencode(query, safe='*/')}" if query else ""
    return f"{parts.scheme}://{_shown_place(parts)}{parts.path}{tail}"


def _shown_place(parts: SplitResult) -> str:
    secret, at, place = parts.netloc.rpartition("@")
    user, colon, _ = secret.partition(":")
    return f"{user}{colon and ':' + HIDDEN}{at}{place}"
