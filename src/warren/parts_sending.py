"""How sending and receiving are tied to discovery and files. Only wiring.

In:  the parts that do not know each other. Out: a `Sender` and a `Receiver` over their protocols.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from warren.core.errors import ProtocolViolation
from warren.protocols.send.meeting import MeetingProtocol
from warren.protocols.send.protocol import SendProtocol
from warren.services.sending.announcing import Announcer
from warren.services.sending.receiving import Receiver
from warren.services.sending.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AsyncExitStack
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


def assemble_sending(
    network: Network,
    discovery: Discovery,
    library: Library,
    fetcher: Fetcher,
    tickets: Tickets,
    where: Callable[[], Sequence[Multiaddr]],
    name: str,
    stack: AsyncExitStack,
) -> tuple[Sender, Receiver]:
    """tickets: this node's, given and held. where: the addresses at which others reach this node. name: what
    it calls itself. `stack` takes what ends them.
    """
    protocol = SendProtocol(network)
    meeting = MeetingProtocol(network, protocol.is_sending, where)
    stack.push_async_callback(meeting.close)

    def ticket(receiver: PeerId, item: Item) -> bytes:
        return tickets.give(item.root, receiver)

    def fetch(sender: PeerId, item: Item, folder: Path) -> Transfer:
        # Without it the item comes from the sender alone; it is shown to those who receive it as well.
        with contextlib.suppress(ProtocolViolation):
            tickets.keep(item.ticket, item.root, sender)
        return fetcher.get(item.root, folder, peers=(sender,), name=item.name, size_max=item.size)

    announcer = Announcer(network, meeting, discovery)
    sender = Sender(network, protocol, announcer, library.lending.lend, name, ticket)
    receiver = Receiver(network, protocol, meeting, discovery, fetch, name)
    stack.push_async_callback(sender.close)
    stack.push_async_callback(receiver.close)
    return sender, receiver
