"""The swarms of a node that has nothing but files, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.services.files.swarm.admission import Admission
from warren.services.files.swarm.swarms import Swarms
from warren.services.files.swarm.tickets import Tickets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.network.network import Network


class NoRecords:
    """Nobody signed anything."""

    async def of(self, _: Sequence[PeerId]) -> dict[PeerId, tuple[bytes, int]]:
        return {}


def swarms_of(
    network: Network,
    key: PrivateKey,
    is_contact: Callable[[PeerId], bool] = lambda _: True,
    groups_of: Callable[[PeerId], Collection[str]] = lambda _: (),
) -> Swarms:
    tickets = Tickets(key, network.runtime.clock.wall)
    return Swarms(network, Admission(is_contact, groups_of, tickets), NoRecords())
