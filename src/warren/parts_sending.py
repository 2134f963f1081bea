"""How sending and receiving are tied to discovery and files. Only wiring.

In:  the parts that do not know each other. Out: a `Sender` and a `Receiver` over their protocols.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.errors import ProtocolViolation
from warren.protocols.send.meeting import MeetingProtocol
from warren.protocols.send.protocol import SendProtocol
from warren.services.sending.announcing import Announcer
from warren.services.sending.receiving import Receiver
from warren.services.sending.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.protocols.send.messages import Item
    from warren.services.discovery.discovery import Discovery
    from warren.services.files.fetcher import Fetcher
    from warren.services.files.library import Library
    from warren.services.files.swarm.tickets import Tickets
    from warren.services.files.transfer import Transfer


@dataclass(frozen=True, slots=True)
class SendingTies:
    """What sending is tied to. tickets: this node's, given and held. where: the addresses at which others
    reach this node.
    """

    network: Network
    discovery: Discovery
    library: Library
    fetcher: Fetcher
    tickets: Tickets
    where: Callable[[], Sequence[Multiaddr]]


@dataclass(frozen=True, slots=True)
class Sends:
    """Both sides of sending."""

    sender: Sender
    receiver: Receiver
    meeting: MeetingProtocol

    async def close(self) -> None:
        """End all that is sent and received."""
        await self.receiver.close()
        await self.sender.close()
        await self.meeting.close()


def assemble_sending(ties: SendingTies, name: str) -> Sends:
    """name: what this node calls itself."""
    network, discovery, tickets = ties.network, ties.discovery, ties.tickets
    protocol = SendProtocol(network)
    meeting = MeetingProtocol(network, protocol.is_sending, ties.where)

    def ticket(receiver: PeerId, item: Item) -> bytes:
        return tickets.give(item.root, receiver)

    def fetch(sender: PeerId, item: Item, folder: Path) -> Transfer:
        # Without it the item comes from the sender alone; it is shown to those who receive it as well.
        with contextlib.suppress(ProtocolViolation):
            tickets.keep(item.ticket, item.root, sender)
        return ties.fetcher.get(item.root, folder, peers=(sender,), name=item.name, size_max=item.size)

    announcer = Announcer(network, meeting, discovery)
    return Sends(
        Sender(network, protocol, announcer, ties.library.lending.lend, name, ticket),
        Receiver(network, protocol, meeting, discovery, fetch, name),
        meeting,
    )
