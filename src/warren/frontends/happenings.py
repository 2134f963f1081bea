"""What happens in a node, as lines for its log and for who watches `warren up`.

In:  the node's events.
Out: log records: INFO for what its user wants to know (contacts that come and go), DEBUG for strangers and
for what a limit turned away.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.frontends.logs import HAPPENINGS
from warren.network.events import PeerConnected, PeerDisconnected, SocketRefused
from warren.services.contacts.model import ContactAdded, ContactRemoved

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node

_LOG = logging.getLogger(HAPPENINGS)


async def tell(node: Node) -> None:
    """Log events until cancelled."""
    async for event in node.events():
        match event:
            case PeerConnected(peer):
                _LOG.log(_level(node, peer), "%s is connected", _called(node, peer))
            case PeerDisconnected(peer, reason):
                _LOG.log(_level(node, peer), "%s is away: %s", _called(node, peer), reason)
            case ContactAdded(contact):
                _LOG.info("%s (%s) is a contact now", contact.petname, contact.peer_id)
            case ContactRemoved(peer):
                _LOG.info("%s is no longer a contact", peer)
            case SocketRefused(limit, remote):
                _LOG.debug("turned %s away: %s", remote, limit)


def _level(node: Node, peer: PeerId) -> int:
    return logging.DEBUG if node.contacts.get(peer) is None else logging.INFO


def _called(node: Node, peer: PeerId) -> str:
    contact = node.contacts.get(peer)
    return str(peer) if contact is None else contact.petname
