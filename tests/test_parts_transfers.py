"""Who counts as what where uploads are given out, by the contacts and groups of a real node's kind."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, cast

import pytest

from tests.support import run
from warren.core.keys import PrivateKey
from warren.parts_transfers import make_uploads
from warren.runtime.real.runtime import RealClock
from warren.services.files.config import FilesConfig
from warren.services.files.uploads.scheduler import CONTACT_WEIGHT, FAVOURED_WEIGHT

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.services.contacts.contacts import Contacts
    from warren.services.groups.groups import Groups

STRANGER, CONTACT, FAVOURED = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(3))


class Known:
    """Contacts and groups."""

    def is_contact(self, peer: PeerId) -> bool:
        return peer in {CONTACT, FAVOURED}

    def of(self, peer: PeerId) -> frozenset[str]:
        return frozenset({"family"}) if peer == FAVOURED else frozenset()


@pytest.mark.parametrize(
    ("group", "weights"),
    [
        ("family", [1.0, CONTACT_WEIGHT, CONTACT_WEIGHT * FAVOURED_WEIGHT]),
        ("", [1.0, CONTACT_WEIGHT, CONTACT_WEIGHT]),
    ],
)
def test_contacts_weigh_more_than_strangers_and_the_favoured_group_more_than_they(
    group: str, weights: list[float]
) -> None:
    async def main() -> None:
        known = Known()
        async with AsyncExitStack() as stack:
            uploads = make_uploads(
                FilesConfig(favoured_group=group),
                RealClock(),
                cast("Contacts", known),
                cast("Groups", known),
                stack,
            )
            scheduler = uploads._scheduler
            peers = (STRANGER, CONTACT, FAVOURED)
            for peer in peers:
                scheduler.line(peer, 0.0)
            found = scheduler.weights(0.0)
            assert [found[peer] for peer in peers] == weights

    run(main())
