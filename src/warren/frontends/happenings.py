"""What happens in a node, as lines for its log and for who watches `warren up`.

In:  the node's events.
Out: log records: INFO for what its user wants to know (contacts that come and go), DEBUG for strangers and
for what a limit turned away.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.frontends.api.names import short
from warren.frontends.logs import HAPPENINGS
from warren.network.events import PeerConnected, PeerDisconnected, SocketRefused
from warren.services.contacts.model import ContactAdded, ContactChanged, ContactRemoved
from warren.services.files.queue.model import TransferChanged
from warren.services.files.types import ShareChanged
from warren.services.searches.model import SearchMatched

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.node import Node

_LOG = logging.getLogger(HAPPENINGS)


async def tell(node: Node) -> None:
    """Log events until cancelled."""
    names = {one.peer_id: one.petname for one in node.contacts.all()}
    async for event in node.events():
        match event:
            case PeerConnected(peer):
                _LOG.log(_level(node, peer), "%s is connected", _called(node, peer))
            case PeerDisconnected(peer, reason):
                _LOG.log(_level(node, peer), "%s is away: %s", _called(node, peer), reason)
            case ContactChanged(contact):
                names[contact.peer_id] = contact.petname
            case ContactAdded(contact):
                names[contact.peer_id] = contact.petname
                _LOG.info("%s (%s) is a contact now", contact.petname, contact.peer_id)
            case ContactRemoved(peer):
                name = names.pop(peer, None)
                _LOG.info("%s is no longer a contact", str(peer) if name is None else short(name, peer))
            case ShareChanged(share):
                _LOG.debug("%s: %s files, %s bytes, %s", share.name, share.files, share.bytes, share.state)
            case TransferChanged():
                _tell_transfer(event)
            case SearchMatched(search, match):
                who = ", ".join(_called(node, peer) for peer in match.holders[:3])
                _LOG.info("saved search %s: found %s at %s", search, match.name, who)
            case SocketRefused(limit, remote):
                _LOG.debug("turned %s away: %s", remote, limit)


def _tell_transfer(one: TransferChanged) -> None:
    match one.state:
        case "done":
            _LOG.info("transfer %d is done: %s", one.number, one.name)
        case "failed":
            _LOG.info("transfer %d (%s) failed: %s", one.number, one.name, one.reason)
        case state:
            _LOG.debug("transfer %d (%s) is %s: %s", one.number, one.name, state, one.cause or one.reason)


def _level(node: Node, peer: PeerId) -> int:
    return logging.DEBUG if node.contacts.get(peer) is None else logging.INFO


def _called(node: Node, peer: PeerId) -> str:
    contact = node.contacts.get(peer)
    return str(peer) if contact is None else contact.petname
