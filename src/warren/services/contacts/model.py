"""What the contacts service speaks of: contacts, invitations, and the events about them. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody this node knows.

    petname: what the user calls it, unique. own_name: what it calls itself. added_at: Unix seconds.
    proven: addresses at which a handshake met its key, latest first. told: others that it named itself.
    """

    peer_id: PeerId
    petname: str
    own_name: str
    added_at: float
    proven: tuple[Multiaddr, ...] = ()
    told: tuple[Multiaddr, ...] = ()

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """All addresses to try, the proven ones first."""
        return self.proven + self.told


@dataclass(frozen=True, slots=True)
class Invite:
    """An open invitation. `token` identifies it; its code is shown only once. Times are Unix seconds."""

    token: bytes
    petname: str | None
    uses_left: int
    made_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class ContactAdded:
    """Somebody became a contact; it is committed."""

    contact: Contact


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """A contact got another petname or other addresses; it is committed."""

    contact: Contact


@dataclass(frozen=True, slots=True)
class ContactRemoved:
    """Somebody is no longer a contact; it is committed."""

    peer: PeerId
