"""`PeerTable`: who is out there, where, how near and how fast. The facade over the tables of store.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.services.peers.model import Peer, Sort, State


class PeerTable:
    """The peers of one node. Signatures first; the bodies follow."""

    # --- questions ----------------------------------------------------------------------------------------

    async def page(self, sort: Sort | None = None, offset: int = 0, limit: int = 100) -> list[Peer]:
        """Some peers in an order. None: contacts by petname, then the rest, last seen first."""
        raise NotImplementedError

    async def get(self, peer: PeerId) -> Peer | None:
        """One peer; None if the table does not hold it."""
        raise NotImplementedError

    async def count(self) -> int:
        """How many peers the table holds."""
        raise NotImplementedError

    async def candidates(
        self,
        limit: int,
        *,
        states: Collection[State] = ("new", "reachable", "suspect"),
        exclude: Collection[PeerId] = (),
        at_random: bool = False,
    ) -> list[Peer]:
        """Peers worth a dial or a probe: not blocked, with an address; seen last first, or drawn at random."""
        raise NotImplementedError

    async def records(
        self, limit: int, exclude: Collection[PeerId] = ()
    ) -> list[tuple[bytes, bytes | None]]:
        """Signed records to pass on, drawn at random, each with the signed metadata of its peer."""
        raise NotImplementedError

    async def starting_with(self, text: str, limit: int = 20) -> list[PeerId]:
        """The peers whose id begins with `text`, in either form."""
        raise NotImplementedError

    # --- what the network tells: written soon, not at once -----------------------------------------------

    async def seen(
        self, peer: PeerId, address: Multiaddr | None = None, proven: bool = False, *, source: str = ""
    ) -> None:
        """It was met just now. address: where. proven: our dial of that address met its key."""

    async def heard(self, peer: PeerId, addresses: Iterable[Multiaddr], source: str) -> None:
        """Somebody, or a discovery, said that it may be reached there; nobody has met it yet."""

    async def note_latency(self, peer: PeerId, rtt_s: float, jitter_s: float | None) -> None:
        """Its smoothed round trip and the deviation, in seconds, measured now."""

    async def note_speed(
        self, peer: PeerId, download_bytes_per_s: float | None, upload_bytes_per_s: float | None
    ) -> None:
        """What a test or a transfer measured now, each direction that it measured."""

    async def note_state(self, peer: PeerId, state: State) -> None:
        """Whether it can be reached, as the probing found."""

    async def note_identity(self, peer: PeerId, agent: str, roles: Sequence[str]) -> None:
        """What it says of itself."""

    async def note_public(self, peer: PeerId, public: bool) -> None:
        """Whether anyone may dial it."""

    # --- committed when they return ----------------------------------------------------------------------

    async def take_record(self, envelope: bytes, source: str) -> bool:
        """Keep a peer's signed record if it is newer than what is known; True if so.

        Raises ProtocolViolation for a record that its peer did not sign.
        """
        raise NotImplementedError

    async def take_metadata(self, envelope: bytes) -> bool:
        """The same for what a peer says of itself. Only of peers that the table holds."""
        raise NotImplementedError

    async def forget(self, peer: PeerId) -> bool:
        """Drop what is known of a peer; a block and a contact stay. False if there was nothing."""
        raise NotImplementedError

    async def block(self, peer: PeerId) -> None:
        """Have nothing to do with a peer: sockets with it end, new ones are refused, also after a restart."""
        raise NotImplementedError

    async def unblock(self, peer: PeerId) -> bool:
        """Take that back. False if it was not blocked."""
        raise NotImplementedError

    def is_blocked(self, peer: PeerId) -> bool:
        """Whether it is blocked; answers at once."""
        raise NotImplementedError
