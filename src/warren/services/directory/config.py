"""What can be set about the directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from warren.core.bounds import check_settings
from warren.core.errors import ConfigError
from warren.core.lease import VALID_S_MAX
from warren.services.directory.fleet.url import check_url

ROLES: Final = ("auto", "super", "weak", "off")


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """Which part this node takes in searching, and what it takes on for others."""

    role: str = "auto"
    """`super`: take registrations of others. `weak`: register, never take any. `auto`: weak, but be the
    super-peer of the local network where there is none and this node is the fittest. `off`: search and be
    searched by nobody."""
    super_peers: int = 2
    """Super-peers with which this node registers, the nearest ones. Fault: one that dies unnoticed. More cost
    each of them the room for all that is shared."""
    lease_s: int = 60
    """Seconds after which a peer of which nothing is heard counts as gone; a third of it lies between two
    signs of life. Fault: peers that vanish without a word, and are shown as if they were there."""
    peers_max: int = 20_000
    """Peers that may be registered here at once, 1 KiB of memory each. Attack: identities without end."""
    entries_max: int = 200_000
    """Entries that one peer may have here, the first ones in the order of their paths. The rest is found by
    who asks the peer itself: its contacts, and connected peers without a super-peer. Attack: lists that fill
    the disk."""
    entries_total_max: int = 5_000_000
    """Entries of all peers together, half a KiB of disk each; who has been gone for longest is forgotten
    first, and half of what others leave is for one network. Attack: identities without end, each with such a
    list."""
    auto_public: bool = False
    """With `auto`, be a super-peer for everybody as long as this node has a public address."""
    store: str = field(default="", repr=False)
    """The Redis server or cluster by which this super-peer shares its index with others that name the same:
    redis://[USER:PASSWORD@]HOST:PORT/DATABASE, rediss:// with TLS, unix://PATH. Empty: it shares it with
    nobody."""

    def __post_init__(self) -> None:
        check_settings(
            self, "directory.", zero=("super_peers",), most={"super_peers": 16, "lease_s": VALID_S_MAX}
        )
        if self.role not in ROLES:
            raise ConfigError(
                f"directory.role must be one of {', '.join(ROLES)}, not {self.role!r}",
                hint='write role = "auto"',
            )
        if not isinstance(self.auto_public, bool):
            raise ConfigError(
                f"directory.auto_public must be true or false, not {self.auto_public!r}", hint="write false"
            )
        if self.store:
            check_url(self.store)
