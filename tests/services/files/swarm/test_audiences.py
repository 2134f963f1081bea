"""Who gets what of a content that is not for everyone, by every way there is: what is not for somebody is
answered like what is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.files.swarm.members import ABSENT, CONTENT, ROOT, play
from warren.core.cid import Cid
from warren.core.ticket import CLOCK_S, VALID_S
from warren.protocols.swarm.messages import Answer, Ask, Holding, Segment, Version
from warren.protocols.swarm.protocol import PROTOCOL
from warren.protocols.transfer.messages import Status
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.services.files.swarm.members import Member, Town

DIGESTS = [leaf[0] for leaf in CONTENT.leaves]
DATA = [leaf[3] for leaf in CONTENT.leaves]
HAVING = ("replica", "fetch")
PUBLIC = Audience("public")


class Scene:
    """An origin that is away; a holder who has what it shares, whole or as a fetch; a friend of the origin
    who asked the holder before; and the one who asks.
    """

    def __init__(self, members: list[Member], having: str) -> None:
        self.origin, self.holder, self.friend, self.asker = members
        self.having = having

    async def set(self, audience: Audience) -> None:
        if self.having == "replica":
            await self.holder.share(audience)
        else:
            self.holder.hold(audience, 0, 1, 2, 3)
        self.gives(self.friend)
        assert await self.friend.tells(self.holder) is not None
        self.holder.told.records = {one.peer_id: (one.record, 4) for one in (self.friend, self.asker)}

    def gives(self, grantee: Member, *, to: Member | None = None, root: Cid = ROOT) -> None:
        """The origin gives a ticket; to: who has it in the end."""
        sealed = self.origin.tickets.give(root, grantee.peer_id)
        (to or grantee).tickets.shows = (sealed,)

    async def asked(self, root: Cid = ROOT, digests: list[bytes] | None = None) -> list[object]:
        """Everything that the asker can ask of the holder, one after the other."""
        ask, other = self.asker, self.holder
        network, peer = ask.network, other.peer_id
        holding = Holding(False, Version(5, 1), 0, (Segment(0, bytes([1]) * 32),))
        asks = (Ask(root, ask.tickets.held(root)), Ask(root, ask.tickets.held(root), holding, Version(1, 1)))
        return [
            *[await network.request(peer, PROTOCOL, one.to_bytes()) for one in asks],
            await ask.lists(other),
            await ask.lists(other, "papers"),
            await ask.lists(other, "papers/a"),
            await ask.nodes(other, root.to_bytes()),
            await ask.chunks(other, *(digests or DIGESTS)),
            await ask.chunks(other, *(digests or DIGESTS), check=True),
        ]


def scene(having: str, audience: str, work: Callable[[Scene], Awaitable[None]]) -> None:
    async def main(town: Town) -> None:
        one = Scene(await town.members(4), having)
        named = Audience("origin", (one.origin.peer_id,)) if audience == "origin" else PUBLIC
        await one.set(named)
        await work(one)

    play(main)


async def gets_nothing(one: Scene) -> None:
    """What it gets is what it gets of something that nobody ever had."""
    absent = [bytes(31) + bytes([n]) for n in range(len(DIGESTS))]
    here, nowhere = await one.asked(), await one.asked(ABSENT, absent)
    assert here == nowhere
    assert here == [
        *[Answer("not found").to_bytes()] * 2,
        [],
        None,
        None,
        [Status.NOT_FOUND],
        *[[Status.NOT_FOUND] * len(DIGESTS)] * 2,
    ]
    assert all(peer != one.asker.peer_id for _, peer, _ in one.holder.heard)
    assert one.friend.peer_id not in one.asker.swarms._places


async def gets_all(one: Scene, fellows: set[object]) -> None:
    told = await one.asker.tells(one.holder)
    assert told is not None
    assert told.complete == (one.having == "replica")
    assert told.complete or list(told.bits) == [0, 1, 2, 3]
    assert set(told.fellows) == fellows
    assert await one.asker.nodes(one.holder, ROOT.to_bytes()) == list(_in_order())
    assert await one.asker.chunks(one.holder, *DIGESTS) == DATA
    assert await one.asker.chunks(one.holder, *DIGESTS, check=True) == DATA


def _in_order() -> list[bytes]:
    from warren.services.files.index import below

    pending, found = [ROOT.to_bytes()], []
    while pending:
        found.append(CONTENT.nodes[pending.pop()])
        pending += below(found[-1])
    return found


@pytest.mark.parametrize("having", HAVING)
def test_a_stranger_gets_nothing(having: str) -> None:
    scene(having, "origin", gets_nothing)


@pytest.mark.parametrize("having", HAVING)
def test_a_contact_of_the_holder_gets_nothing(having: str) -> None:
    async def work(one: Scene) -> None:
        one.holder.contacts.add(one.asker.peer_id)
        await gets_nothing(one)

    scene(having, "origin", work)


@pytest.mark.parametrize("having", HAVING)
def test_whoever_has_a_ticket_gets_everything_but_a_listing(having: str) -> None:
    async def work(one: Scene) -> None:
        await gets_nothing(one)
        assert not one.holder.swarms.admission.is_known(one.asker.peer_id)
        one.gives(one.asker)
        await gets_all(one, {one.friend.peer_id})
        assert one.holder.swarms.admission.is_known(one.asker.peer_id)
        assert await one.asker.lists(one.holder) == []
        assert await one.asker.lists(one.holder, "papers") is None

    scene(having, "origin", work)


@pytest.mark.parametrize("having", HAVING)
def test_the_origin_itself_gets_it_back(having: str) -> None:
    async def work(one: Scene) -> None:
        one.asker, one.origin = one.origin, one.asker
        await gets_all(one, {one.friend.peer_id})

    scene(having, "origin", work)


@pytest.mark.parametrize("having", HAVING)
def test_an_expired_ticket_is_none(having: str) -> None:
    async def work(one: Scene) -> None:
        one.gives(one.asker)
        one.holder.wall_off_s = VALID_S + CLOCK_S + 1
        await gets_nothing(one)

    scene(having, "origin", work)


@pytest.mark.parametrize("having", HAVING)
def test_a_ticket_that_expires_later_admits_no_more(having: str) -> None:
    async def work(one: Scene) -> None:
        one.gives(one.asker)
        await gets_all(one, {one.friend.peer_id})
        one.holder.wall_off_s = VALID_S + CLOCK_S + 1
        one.holder.heard.clear()
        one.asker.swarms._places.clear()
        await gets_nothing(one)

    scene(having, "origin", work)


@pytest.mark.parametrize("having", HAVING)
@pytest.mark.parametrize("whose", ["somebody else", "another root", "another origin"])
def test_a_ticket_for_something_else_is_none(having: str, whose: str) -> None:
    async def work(one: Scene) -> None:
        if whose == "somebody else":
            one.gives(one.friend, to=one.asker)
        elif whose == "another root":
            one.gives(one.asker, root=ABSENT)
        else:
            one.origin = one.friend
            one.gives(one.asker)
        await gets_nothing(one)

    scene(having, "origin", work)


@pytest.mark.parametrize("having", HAVING)
def test_what_is_public_is_for_everyone(having: str) -> None:
    async def work(one: Scene) -> None:
        await gets_all(one, {one.friend.peer_id})
        told = await one.asker.tells(one.holder)
        assert told is not None
        assert told.public
        assert await one.asker.lists(one.holder) == (["papers"] if having == "replica" else [])

    scene(having, "public", work)


def test_a_fetch_is_for_nobody_until_something_came() -> None:
    async def main(town: Town) -> None:
        one = Scene(await town.members(4), "fetch")
        one.holder.hold(None, 0, 1)
        one.gives(one.asker)
        await gets_nothing(one)

    play(main)


def test_a_ticket_for_one_content_opens_no_other_of_the_same_origin() -> None:
    async def main(town: Town) -> None:
        origin, holder, asker = await town.members(3)
        await holder.share(Audience("origin", (origin.peer_id,)))
        inner = Cid.from_bytes(next(cid for cid in CONTENT.nodes if cid != ROOT.to_bytes()))
        sealed = origin.tickets.give(inner, asker.peer_id)
        asker.tickets.keep(sealed, inner)
        assert await asker.tells(holder, inner) is None
        assert await asker.nodes(holder, inner.to_bytes()) == [Status.NOT_FOUND]

    play(main)
