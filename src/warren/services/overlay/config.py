"""What can be set about the overlay of super-peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from warren.core.bounds import check_settings
from warren.core.errors import ConfigError, InvalidMultiaddr
from warren.core.multiaddr import Multiaddr
from warren.protocols.overlay.messages import TTL_MAX

NEIGHBOURS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class OverlayConfig:
    """Which super-peers this one passes queries on to. Nothing of it matters to who is none."""

    neighbours: tuple[str, ...] = ()
    """Addresses of super-peers that shall be neighbours, with `/p2p/ID`. They do not count among the
    others."""
    degree: int = 8
    """Neighbours up to which others are looked for; twice as many may come by themselves. Attack: neighbours
    without end, each of whom has filters here. 0: those that are configured, and those who come."""
    ttl: int = 5
    """Hops that a query goes where its asker does not say. Each costs up to `degree` times the messages."""
    rare_words: int = 2000
    """Words that this node says in the DHT to have, because hardly anybody else has them. Each costs some
    hundred messages a day. 0: none."""

    def __post_init__(self) -> None:
        check_settings(self, "overlay.", zero=("degree", "rare_words"), most={"degree": 32, "ttl": TTL_MAX})
        given: object = self.neighbours
        if not isinstance(given, tuple | list) or not all(isinstance(one, str) for one in given):
            raise ConfigError(
                f"overlay.neighbours must be a list of texts, not {given!r}", hint='neighbours = ["..."]'
            )
        if len(given) > NEIGHBOURS_MAX:
            raise ConfigError(
                f"overlay.neighbours has {len(given)} entries, {NEIGHBOURS_MAX} is the most",
                hint="name a few; others are found by themselves",
            )
        for text in given:
            check_neighbour(text)


def check_neighbour(text: str) -> Multiaddr:
    """The address of a super-peer. Raises ConfigError."""
    example = "write it as that node says it listens: /ip4/192.0.2.7/tcp/4101/p2p/PEER-ID, for instance"
    try:
        address = Multiaddr.parse(text)
    except InvalidMultiaddr as error:
        raise ConfigError(str(error), hint=example) from error
    if address.peer_id is None or address.transport != "tcp" or not address.port or address.is_unspecified:
        raise ConfigError(f"{text!r} does not say how to reach which super-peer", hint=example)
    return address
