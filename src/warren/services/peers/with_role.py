"""Peers of the table that play a part, ready to be dialled.

In:  a role. Out: peer ids, those first that are worth a dial most; the network knows their addresses by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.network import Network
    from warren.services.peers.table import PeerTable

SUPER_ROLE: Final = "super"
# Of so many candidates so many at most, who are dialled one after the other while there are too few.
_LOOKED_AT: Final = 256
_FOUND_MAX: Final = 16


async def with_role(peers: PeerTable, network: Network, role: str) -> list[PeerId]:
    """Those of the table that say they play this role. Raises StorageError."""
    candidates = await peers.candidates(_LOOKED_AT)
    found = [one for one in candidates if role in one.roles][:_FOUND_MAX]
    for one in found:
        network.add_addresses(one.peer_id, one.addresses)
    return [one.peer_id for one in found]
