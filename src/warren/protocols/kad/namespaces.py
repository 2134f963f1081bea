"""Which namespaces go with which protocol id.

In:  the protocol id, and where the time comes from. Out: `Namespaces`. The public DHT of IPFS keeps `/pk` and
`/ipns`; networks of our own keep `/warren` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.protocols.kad.ipns import IpnsValidator
from warren.protocols.kad.pk import PkValidator
from warren.protocols.kad.records import Namespaces
from warren.protocols.kad.signed import NAMESPACE as WARREN
from warren.protocols.kad.signed import SignedValidator

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.protocols.kad.records import Validator

_PUBLIC = "/ipfs/"


def namespaces_of(protocol: str, wall: Callable[[], float]) -> Namespaces:
    """The namespaces of a DHT. wall: Unix seconds now, which records with an end are held against."""
    validators: dict[str, Validator] = {"pk": PkValidator(), "ipns": IpnsValidator(wall)}
    if not protocol.startswith(_PUBLIC):
        validators[WARREN] = SignedValidator()
    return Namespaces(validators)
