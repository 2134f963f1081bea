"""Members of a swarm tell each other what they have, in virtual time; and what liars among them can do."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.services.files.swarm.members import ABSENT, CONTENT, FILES, ROOT, play, write
from warren.core.cid import Cid
from warren.core.errors import ContentUnknown, LimitReached, ProtocolViolation, Refused
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.core.reach import Reach
from warren.network.allowance import Rate
from warren.protocols.swarm import protocol
from warren.protocols.swarm.messages import Answer, Fellow, Holding, Segment, Version
from warren.protocols.swarm.protocol import PROTOCOL
from warren.protocols.transfer.messages import Status
from warren.services.files.swarm import swarms as module
from warren.services.files.swarm.fellows import ALL_S
from warren.services.files.swarm.holdings import PEERS_MAX
from warren.services.files.swarm.partial import PUBLIC
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from tests.services.files.swarm.members import Member, Town

CONTACTS = Audience("contacts")
DIGESTS = [leaf[0] for leaf in CONTENT.leaves]
DATA = [leaf[3] for leaf in CONTENT.leaves]


def of(origin: Member) -> Audience:
    return Audience("origin", (origin.peer_id,))


# --- who shares by its own will ---------------------------------------------------------------------------


def test_the_origin_gives_a_ticket_to_whom_it_admits() -> None:
    async def main(town: Town) -> None:
        origin, asker, stranger = await town.members(3)
        await origin.share(CONTACTS)
        origin.contacts.add(asker.peer_id)
        told = await asker.exchange(origin)
        assert (told.complete, told.word, told.public) == (True, of(origin), False)
        assert asker.tickets.holds(ROOT, origin.peer_id)
        with pytest.raises(ContentUnknown, match="nothing of"):
            await stranger.exchange(origin)
        assert not stranger.tickets.holds(ROOT, origin.peer_id)

    play(main)


def test_who_has_everything_counts_those_whose_turn_it_is() -> None:
    async def main(town: Town) -> None:
        origin, asker, other, partial = await town.members(4)
        await origin.share(PUBLIC)
        partial.hold(PUBLIC, 0)
        first = (await asker.swarms.exchange(origin.peer_id, ROOT, turn=True)).lead
        assert first is not None
        assert (await asker.exchange(origin)).lead is None, "it was only asked what it has"
        assert (await other.swarms.exchange(origin.peer_id, ROOT, turn=True)).lead == first + 1
        assert (await asker.swarms.exchange(partial.peer_id, ROOT, turn=True)).lead is None

    play(main)


def test_what_is_for_everyone_needs_no_ticket() -> None:
    async def main(town: Town) -> None:
        origin, asker = await town.members(2)
        await origin.share(PUBLIC)
        told = await asker.exchange(origin)
        assert (told.complete, told.word, told.public) == (True, PUBLIC, True)
        assert asker.tickets.held(ROOT) == ()

    play(main)


def test_a_part_of_a_share_is_a_content_of_its_own() -> None:
    async def main(town: Town) -> None:
        origin, asker = await town.members(2)
        await origin.share(PUBLIC)
        file = next(cid for cid in CONTENT.nodes if cid != ROOT.to_bytes())
        for cid in (Cid.from_bytes(file), Cid.raw_sha256(DIGESTS[2])):
            assert (await asker.exchange(origin, cid)).complete
        assert await asker.tells(origin, ABSENT) is None

    play(main)


def test_what_is_for_those_with_tickets_of_the_sharer_gives_no_new_ones() -> None:
    async def main(town: Town) -> None:
        origin, asker = await town.members(2)
        await origin.share(of(origin))
        origin.contacts.add(asker.peer_id)
        assert await asker.tells(origin) is None
        sealed = origin.tickets.give(ROOT, asker.peer_id)
        asker.tickets.keep(sealed, ROOT)
        told = await asker.exchange(origin)
        assert (told.complete, told.word) == (True, of(origin))
        assert asker.tickets.held(ROOT) == (sealed,)
        assert await asker.chunks(origin, *DIGESTS) == DATA

    play(main)


# --- fetches under way ------------------------------------------------------------------------------------


def test_both_sides_of_an_exchange_learn_what_the_other_has() -> None:
    async def main(town: Town) -> None:
        a, b = await town.members(2)
        one, two = a.hold(PUBLIC, 0, 1), b.hold(PUBLIC, 3)
        told = await a.exchange(b)
        assert (told.complete, list(told.bits), told.gained, told.word) == (False, [3], [3], PUBLIC)
        ((root, peer, heard),) = b.heard
        assert (root, peer, list(heard.bits), heard.gained) == (ROOT, a.peer_id, [0, 1], [0, 1])
        assert heard.word is None
        a.store(one, 2)
        b.store(two, 0)
        again = await a.exchange(b)
        assert (again.bits is told.bits, list(again.bits), again.gained) == (True, [0, 3], [0])
        assert (b.heard[-1][2].gained, list(heard.bits)) == ([2], [0, 1, 2])
        assert not (await a.exchange(b)).gained
        one.complete = True
        await a.exchange(b)
        assert b.heard[-1][2].complete
        two.complete = True
        assert (await a.exchange(b)).complete

    play(main)


def test_what_is_not_for_everyone_is_told_to_those_who_showed_their_ticket() -> None:
    async def main(town: Town) -> None:
        origin, a, b = await town.members(3)
        for one in (a, b):
            one.tickets.keep(origin.tickets.give(ROOT, one.peer_id), ROOT)
        a.hold(of(origin), 0)
        b.hold(of(origin), 1)
        told = await a.exchange(b)
        assert (list(told.bits), told.word) == ([1], of(origin))
        assert list(b.heard[0][2].bits) == []  # b showed a nothing yet
        back = await b.exchange(a)
        assert (list(back.bits), list(a.heard[0][2].bits)) == ([0], [1])
        await a.exchange(b)
        assert list(b.heard[1][2].bits) == [0]

    play(main)


def test_a_fetch_serves_what_it_has_and_goes_on_until_the_share_is_there() -> None:
    async def main(town: Town) -> None:
        a, b = await town.members(2)
        partial = b.hold(PUBLIC, 0, 2)
        assert await a.chunks(b, *DIGESTS) == [DATA[0], Status.NOT_FOUND, DATA[2], Status.NOT_FOUND]
        b.store(partial, 1, 3)
        assert await a.chunks(b, *DIGESTS, check=True) == DATA
        disk = b.runtime.disk
        disk.rename_new("/down/.warren-x.partial/content", "/down/papers")
        assert await a.chunks(b, DIGESTS[0]) == [Status.NOT_FOUND]  # for a moment
        partial.on_moved("/down/papers", disk.now_ns())
        disk.remove_tree("/down/.warren-x.partial")
        assert await a.chunks(b, *DIGESTS) == DATA
        assert await a.nodes(b, ROOT.to_bytes()) == [CONTENT.nodes[cid] for cid in _order()]
        assert b.library is not None
        await b.library.share("/down/papers", PUBLIC)
        b.swarms.end(partial)
        b.swarms.end(partial)
        assert await a.chunks(b, *DIGESTS) == DATA
        assert (await a.exchange(b)).complete

    play(main)


def test_what_the_user_writes_to_a_copy_is_served_to_nobody_before_it_is_a_replica() -> None:
    async def main(town: Town) -> None:
        a, b = await town.members(2)
        partial = b.hold(PUBLIC, 0, 2)
        disk = b.runtime.disk
        disk.rename_new("/down/.warren-x.partial/content", "/down/papers")
        partial.on_moved("/down/papers", disk.now_ns())
        served = partial.find_chunk(DIGESTS[0])
        assert served is not None
        await asyncio.sleep(1)
        path = "/".join(part for part in (served.top, served.folder, served.name) if part)
        with contextlib.closing(disk.open_write(path, create=False)) as file:
            file.pwrite(served.start, b"private!"[: served.length])
        assert (await a.chunks(b, DIGESTS[0], DIGESTS[2]))[0] is Status.NOT_FOUND

    play(main)


def _order() -> list[bytes]:
    """The folder and the one file that is more than a chunk."""
    root = ROOT.to_bytes()
    return [root, *(cid for cid in CONTENT.nodes if cid != root)]


def test_nodes_that_are_not_kept_end_the_answer() -> None:
    async def main(town: Town) -> None:
        a, b = await town.members(2)
        partial = b.hold(PUBLIC)
        (inner,) = _order()[1:]
        del partial._nodes._held[inner]
        assert await a.nodes(b, ROOT.to_bytes()) == [CONTENT.nodes[ROOT.to_bytes()], Status.NOT_FOUND]
        await b.share(PUBLIC)  # under another name: what the fetch does not have yet comes from there
        assert await a.nodes(b, ROOT.to_bytes()) == [CONTENT.nodes[cid] for cid in _order()]

    play(main)


def test_a_stored_chunk_that_rots_is_not_here() -> None:
    async def main(town: Town) -> None:
        a, b = await town.members(2)
        b.hold(PUBLIC, 0)
        write(b.runtime.disk, "/down/.warren-x.partial/content/b", bytes(FILES["b"][0]))
        assert await a.chunks(b, DIGESTS[0]) == [
            bytes(FILES["b"][0])
        ]  # whoever gets it sees that it is wrong
        assert await a.chunks(b, DIGESTS[0], check=True) == [Status.NOT_FOUND]

    play(main)


def test_two_fetches_of_one_content_are_told_of_as_what_they_are() -> None:
    async def main(town: Town) -> None:
        origin, a, b = await town.members(3)
        a.hold(None)
        first, second = b.hold(None, 0), b.hold(PUBLIC, 1)
        told = await a.exchange(b)
        assert list(told.bits) == [1]
        first.use(PUBLIC)
        assert (await a.exchange(b)).gained == [0]  # it is the first one now, from the beginning
        assert list(told.bits) == [0]
        b.swarms.end(first)
        assert list((await a.exchange(b)).bits) == [1]
        b.swarms.end(second)
        assert await a.tells(b) is None
        assert origin.heard == []

    play(main)


def test_who_lost_what_it_had_is_told_of_as_such() -> None:
    async def main(town: Town) -> None:
        a, b = await town.members(2)
        a.hold(PUBLIC)
        gone = b.hold(PUBLIC, 0, 1)
        told = await a.exchange(b)
        b.swarms.end(gone)
        assert await a.tells(b) is None
        b.hold(PUBLIC, 1, 2)
        again = await a.exchange(b)
        assert (again.gained, again.lost, list(again.bits)) == ([2], [0], [1, 2])
        assert again.bits is told.bits

    play(main)


# --- fellows ----------------------------------------------------------------------------------------------


def test_those_who_want_the_same_find_each_other() -> None:
    async def main(town: Town) -> None:
        origin, a = await town.members(2)
        await origin.share(PUBLIC)
        a.hold(PUBLIC, 0)
        await a.exchange(origin)
        (b,) = await town.members(1, apart_from=[a])
        b.hold(PUBLIC, 1)
        town.knows(origin, a, b)
        told = await b.exchange(origin)
        assert told.fellows == (a.peer_id,)
        assert list((await b.exchange(a)).bits) == [0]
        assert b.network.is_connected(a.peer_id)
        assert (await a.exchange(origin)).fellows == (b.peer_id,)
        assert (await b.exchange(origin)).fellows == ()  # nobody came since
        await asyncio.sleep(ALL_S)
        assert (await b.exchange(origin)).fellows == (a.peer_id,)

    play(main)


def test_of_whom_nothing_is_known_nobody_is_told() -> None:
    async def main(town: Town) -> None:
        origin, a, b = await town.members(3)
        await origin.share(PUBLIC)
        await a.exchange(origin)
        assert (await b.exchange(origin)).fellows == ()
        origin.told.records = {a.peer_id: (bytes(5000), 4)}
        await asyncio.sleep(ALL_S)
        assert (await b.exchange(origin)).fellows == ()

    play(main)


def test_a_contact_is_not_told_of_those_with_tickets_nor_the_other_way_round() -> None:
    async def main(town: Town) -> None:
        origin, holder, friend, ticketed, other = await town.members(5)
        await holder.share(CONTACTS)
        holder.hold(of(origin), 0)
        holder.contacts.add(friend.peer_id)
        for one in (ticketed, other):
            one.tickets.keep(origin.tickets.give(ROOT, one.peer_id), ROOT)
        town.knows(holder, friend, ticketed, other)
        assert (await ticketed.exchange(holder)).fellows == ()
        assert (await friend.exchange(holder)).fellows == ()
        assert (await other.exchange(holder)).fellows == (ticketed.peer_id,)
        holder.contacts.add(other.peer_id)
        await asyncio.sleep(ALL_S)
        assert set((await other.exchange(holder)).fellows) == {friend.peer_id, ticketed.peer_id}

    play(main)


def test_who_has_it_no_more_is_told_of_no_more() -> None:
    async def main(town: Town) -> None:
        origin, a, b = await town.members(3)
        await origin.share(PUBLIC)
        await a.exchange(origin)
        town.knows(origin, a)
        assert await origin.tells(a) is None
        assert (await b.exchange(origin)).fellows == ()

    play(main)


@pytest.mark.parametrize("told_from", [Reach.LOOPBACK, Reach.PUBLIC, 77])
def test_nobody_is_believed_about_addresses_nearer_than_he_speaks_from(told_from: int) -> None:
    async def main(town: Town) -> None:
        (b,) = await town.members(1)
        a, liar = await town.members(2, apart_from=[b])
        at_home = PeerRecord(b.peer_id, 2, (Multiaddr.tcp("10.0.0.9", 22), b.address)).seal(b.key)
        liar.lies(Answer(public=True, fellows=(Fellow(b.peer_id, at_home, told_from),)))
        assert (await a.exchange(liar)).fellows == (b.peer_id,)
        with pytest.raises(ContentUnknown):
            await a.exchange(b)
        assert a.network.addresses(b.peer_id) == [b.address]

    play(main)


def test_places_of_fellows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLACES_MAX", 1)

    async def main(town: Town) -> None:
        b, c = await town.members(2)
        a, liar = await town.members(2, apart_from=[b, c])
        fellows = [Fellow(one.peer_id, one.record, 4) for one in (b, c)]
        fellows += [Fellow(a.peer_id, b"not even looked at"), Fellow(liar.peer_id), Fellow(a.key.peer_id)]
        liar.lies(Answer(public=True, fellows=tuple(fellows)))
        assert (await a.exchange(liar)).fellows == (b.peer_id, c.peer_id)
        assert list(a.swarms._places) == [c.peer_id]

    play(main)


# --- liars, and those who ask too often -------------------------------------------------------------------


def test_bad_answers_are_the_fault_of_who_gave_them() -> None:
    async def main(town: Town) -> None:
        (b,) = await town.members(1)
        a, liar = await town.members(2, apart_from=[b])
        a.hold(PUBLIC)
        segments = (Segment(1, bytes([9, *bytes(31)])),)
        for answer in (
            Answer(ticket=b"no ticket"),
            Answer(ticket=liar.tickets.give(ROOT, b.peer_id)),
            Answer(ticket=liar.tickets.give(ABSENT, a.peer_id)),
            Answer(ticket=b.tickets.give(ROOT, a.peer_id)),
            Answer(public=True, fellows=(Fellow(b.peer_id, b"no record", 4),)),
            Answer(public=True, fellows=(Fellow(b.peer_id, liar.record, 4),)),
            b"\xff",
        ):
            liar.lies(answer)
            with pytest.raises(ProtocolViolation):
                await a.exchange(liar)
        assert a.tickets.held(ROOT) == ()
        liar.lies(Answer(origin=b.peer_id, holding=Holding(False, Version(3, 1), 0, segments)))
        told = await a.exchange(liar)
        assert (told.word, told.gained) == (None, [256, 259])

    play(main)


def test_a_malformed_request_is_refused() -> None:
    async def main(town: Town) -> None:
        a, b = await town.members(2)
        await b.share(PUBLIC)
        for _ in range(2):
            with pytest.raises(Refused, match="malformed"):
                await a.network.request(b.peer_id, PROTOCOL, b"\xff")
        assert (await a.exchange(b)).complete

    play(main)


def test_who_asks_too_often_is_told_so_whatever_it_asks_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(protocol, "ASKS", Rate(3, 0.001))

    async def main(town: Town) -> None:
        a, b, c = await town.members(3)
        await b.share(PUBLIC)
        for _ in range(3):
            await a.exchange(b)
        for root in (ROOT, ABSENT) * 3:
            with pytest.raises(LimitReached, match="too often"):
                await a.exchange(b, root)
        assert (await c.exchange(b)).complete
        assert caplog.text.count(f"{a.peer_id} asks too often") == 1

    play(main)


def test_of_identities_without_end_only_some_are_heard() -> None:
    async def main(town: Town) -> None:
        a, b = await town.members(2)
        a.hold(PUBLIC)
        fetching = a.swarms._fetching[ROOT]
        from warren.core.keys import PrivateKey

        for number in range(PEERS_MAX):
            fetching.holdings.note(PrivateKey.from_seed(number.to_bytes(32)).peer_id, asked=True)
        b.hold(PUBLIC, 1)
        assert (await b.exchange(a)).word == PUBLIC
        assert a.heard == []
        told = await a.exchange(b)  # who is asked is heard
        assert (list(told.bits), told.gained) == ([1], [1])
        assert not (await a.exchange(b)).gained

    play(main)
