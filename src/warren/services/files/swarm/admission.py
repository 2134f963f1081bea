"""Who may have what: the one rule for shares, replicas and fetches under way.

In:  an audience, what it is the audience of, a peer. Out: whether the peer may have it now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.services.files.swarm.tickets import Tickets
    from warren.services.files.types import Audience


class Rule(NamedTuple):
    """Something of which a root is all or a part, and for whom that is."""

    audience: Audience
    root: Cid


class Admission:
    """Of one node. is_contact, groups_of: asked anew each time."""

    __slots__ = ("_groups_of", "_is_contact", "tickets")

    def __init__(
        self,
        is_contact: Callable[[PeerId], bool],
        groups_of: Callable[[PeerId], Collection[str]],
        tickets: Tickets,
    ) -> None:
        self._is_contact = is_contact
        self._groups_of = groups_of
        self.tickets = tickets

    def admits(self, rule: Rule, peer: PeerId) -> bool:
        """Whether the rule lets `peer` have what it is of."""
        return self.of(peer)(rule)

    def of(self, peer: PeerId) -> Callable[[Rule], bool]:
        """Which rules let `peer` have what they are of now: for many, and not to be kept."""
        is_contact, groups = self._is_contact(peer), self._groups_of(peer)

        def admits(rule: Rule) -> bool:
            audience, root = rule
            if audience.origin is not None:
                return self.tickets.admit(peer, root, audience.origin)
            return audience.admits(peer, is_contact=is_contact, groups=groups)

        return admits

    def is_known(self, peer: PeerId) -> bool:
        """Whether there may be something for `peer` that is not for everyone."""
        return self._is_contact(peer) or self.tickets.shown_by(peer)
