"""How the swarms of contents are tied to contacts, groups and the peer table. Only wiring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.services.files.swarm.admission import Admission
from warren.services.files.swarm.swarms import Swarms
from warren.services.files.swarm.tickets import Tickets
from warren.services.peers.book import Book

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.services.contacts.contacts import Contacts
    from warren.services.groups.groups import Groups
    from warren.services.peers.table import PeerTable


class SignedRecords:
    """What peers signed of themselves, as far as it is passed on: see `services.files.swarm.swarms.Records`.

    The rule is that of peer exchange: nothing of blocked peers, nor what was signed over two days ago by
    somebody with whom there is no connection.
    """

    def __init__(self, book: Book, network: Network) -> None:
        self._book = book
        self._network = network

    async def of(self, peers: Sequence[PeerId]) -> dict[PeerId, tuple[bytes, int]]:
        """Their sealed records, and the `Reach` that each was told from."""
        wall_s, is_connected = self._network.runtime.clock.wall(), self._network.is_connected
        return {
            one.peer: (one.entry.record, one.entry.told_from)
            for one in await self._book.newest(peers)
            if one.entry.record and (one.version.is_recent(wall_s) or is_connected(one.peer))
        }


def make_swarms(
    network: Network, key: PrivateKey, contacts: Contacts, groups: Groups, peers: PeerTable
) -> Swarms:
    """The swarms of a node."""
    tickets = Tickets(key, network.runtime.clock.wall)
    admission = Admission(contacts.is_contact, groups.of, tickets)
    return Swarms(network, admission, SignedRecords(Book(peers, network.runtime.entropy), network))
