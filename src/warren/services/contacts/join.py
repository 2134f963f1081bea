"""Accepting an invitation: dial who made it, prove the code, become contacts.

In:  the text of a code. Out: the new contact, committed on both sides. Nothing is spent until the inviter
has proven to be the peer that the code names. If the answer gets lost after the inviter committed, joining
again with the same code costs nothing.

Refuses what `Contacts.accept` and the inviter refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import ConnectionFailed, DialFailed
from warren.services.contacts.petname import check_petname

if TYPE_CHECKING:
    from warren.network.network import Network
    from warren.network.socket import Socket
    from warren.protocols.invite.code import InviteCode
    from warren.protocols.invite.protocol import InviteProtocol
    from warren.services.contacts.contacts import Contacts
    from warren.services.contacts.model import Contact


_DIRECT = "the inviter's node must be running, on the same network or reachable from here"
_RELAYED = f"the code names relays, which this Warren cannot use yet; else {_DIRECT}"


async def join(
    text: str, petname: str | None, contacts: Contacts, network: Network, invites: InviteProtocol
) -> Contact:
    """Accept the invitation `text` and call the inviter `petname` (by default what it calls itself).

    Raises InvalidCode, InputError (petname), DialFailed, PeerIdMismatch, Refused, RequestTimeout.
    """
    code = contacts.accept(text)
    if petname is not None:
        check_petname(petname)
    socket = await _reach(code, network)
    inviter = await invites.claim(code, contacts.introduction())
    met_at = socket.remote_addr if socket.direction == "outbound" and socket.proven else None
    return await contacts.welcomed(code, inviter, petname, met_at)


async def _reach(code: InviteCode, network: Network) -> Socket:
    try:
        return await network.connect(code.peer_id, code.addresses, forced=True)
    except DialFailed as error:
        raise DialFailed(
            f"who made this invitation is not reachable: {error}",
            error.attempts,
            hint=_RELAYED if code.relays else _DIRECT,
        ) from error
    except ConnectionFailed as error:
        error.hint = error.hint or "the inviter's node must run; then try again: the code is still good"
        raise
