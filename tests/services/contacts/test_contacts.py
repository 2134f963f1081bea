"""The contacts service: what it acknowledges is stored, and memory tells the same as the disk."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.core.errors import Closed, InputError, InvalidCode, PeerUnknown, StorageError
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach
from warren.protocols.invite.code import InviteCode
from warren.protocols.invite.messages import Declined, Introduction, Reason
from warren.protocols.invite.proof import token_of
from warren.runtime.real.runtime import RealRuntime
from warren.services.contacts import store
from warren.services.contacts.contacts import Contacts
from warren.services.contacts.model import ContactAdded, ContactChanged, ContactRemoved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from warren.runtime.seam import Database

ME, ANNA, BOB = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in (1, 2, 3))
HOME, CAFE = Multiaddr.parse("/ip4/192.0.2.1/tcp/1"), Multiaddr.parse("/ip4/192.0.2.2/tcp/2")
ANNAS = Introduction("Anna", (HOME,))


class Bench:
    """A contacts service over a database, with the events that it emitted."""

    def __init__(self, runtime: RealRuntime, database: Database) -> None:
        self.events: list[object] = []
        self.database = database
        self.contacts = Contacts(
            database, runtime.clock, runtime.entropy, ME, "me", lambda: [CAFE], self.events.append
        )


@contextlib.asynccontextmanager
async def bench(path: Path | str = ":memory:") -> AsyncIterator[Bench]:
    runtime = RealRuntime()
    database = await runtime.open_database(path, store.migrations())
    made = Bench(runtime, database)
    await made.contacts.load()
    yield made
    await made.contacts.close()
    await database.close()
    await runtime.close()


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path / "state.db") as one:
            added = await one.contacts.add(ANNA, "anna", [HOME.with_peer(ANNA)])
            await one.contacts.add(BOB)
        async with bench(tmp_path / "state.db") as one:
            assert one.contacts.get(ANNA) == added
            assert [c.petname for c in one.contacts.all()] == ["anna", f"peer-{BOB.short}"]
            assert one.contacts.is_contact(BOB)
            assert added.told == (HOME,)

    run(main())


def test_each_change_is_told_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench() as one:
            contacts = one.contacts
            await contacts.add(ANNA, "anna")
            await contacts.add(ANNA, "other")
            await contacts.rename(ANNA, "Anna B")
            await contacts.told(ANNA, [HOME], Reach.PRIVATE)
            await contacts.told(ANNA, [HOME], Reach.PRIVATE)
            await contacts.proved(ANNA, HOME.with_peer(ANNA))
            await contacts.remove(ANNA)
            assert [type(event) for event in one.events] == [
                ContactAdded,
                ContactChanged,
                ContactChanged,
                ContactChanged,
                ContactRemoved,
            ]
            assert not contacts.is_contact(ANNA)

    run(main())


def test_a_contact_is_believed_about_no_nearer_network_than_its_own() -> None:
    far, near = Multiaddr.tcp("60.0.0.1", 1), Multiaddr.tcp("10.0.0.1", 1)

    async def main() -> None:
        async with bench() as one:
            contacts = one.contacts
            await contacts.add(ANNA, "anna", [CAFE])
            for told, teller, believed in (
                ([far, near, HOME.with_peer(ANNA)], Reach.PUBLIC, {far}),
                ([far, near, CAFE], Reach.PRIVATE, {far, near, CAFE}),
                ([far, near, HOME], Reach.PUBLIC, {far, near}),  # what it still names
                ([far], Reach.PUBLIC, {far}),
                ([near], Reach.PUBLIC, set()),
            ):
                await contacts.told(ANNA, told, teller)
                anna = contacts.get(ANNA)
                assert anna is not None
                assert set(anna.addresses) == believed
            await contacts.proved(ANNA, near)
            await contacts.told(ANNA, [], Reach.PUBLIC)
            anna = contacts.get(ANNA)
            assert anna is not None
            assert anna.addresses == (near,)

    run(main())


def test_strangers_teach_nothing_and_cannot_be_changed() -> None:
    async def main() -> None:
        async with bench() as one:
            await one.contacts.told(ANNA, [HOME], Reach.PRIVATE)
            await one.contacts.proved(ANNA, HOME)
            for change in (one.contacts.remove(ANNA), one.contacts.rename(ANNA, "x")):
                with pytest.raises(PeerUnknown):
                    await change
            with pytest.raises(InputError, match="itself"):
                await one.contacts.add(ME)
            assert one.events == []

    run(main())


def test_a_code_says_who_invites_and_where() -> None:
    async def main() -> None:
        async with bench() as one:
            code = InviteCode.parse(str(await one.contacts.invite(uses=2, expires_s=60, petname="guest")))
            assert (code.peer_id, code.addresses) == (ME, (CAFE,))
            (invite,) = await one.contacts.invites()
            assert (invite.token, invite.uses_left, invite.petname) == (token_of(code.secret), 2, "guest")
            assert invite.expires_at - invite.made_at == 60
            await one.contacts.end_invite(invite.token)
            assert await one.contacts.invites() == []
            with pytest.raises(InvalidCode, match="your own"):
                one.contacts.accept(str(code))

    run(main())


@pytest.mark.parametrize(
    "wrong",
    [
        {"uses": 0},
        {"uses": 1001},
        {"expires_s": 0},
        {"expires_s": float("nan")},
        {"expires_s": 1e9},
        {"petname": "a/b"},
    ],
)
def test_senseless_invitations_are_refused(wrong: dict[str, object]) -> None:
    async def main() -> None:
        async with bench() as one:
            with pytest.raises(InputError) as caught:
                await one.contacts.invite(**wrong)  # type: ignore[arg-type]
            assert caught.value.hint

    run(main())


def test_the_secret_is_not_stored(tmp_path: Path) -> None:
    async def main() -> bytes:
        async with bench(tmp_path / "state.db") as one:
            return (await one.contacts.invite()).secret

    secret = run(main())
    assert all(secret not in file.read_bytes() for file in tmp_path.iterdir())


def test_who_redeems_becomes_a_contact_before_it_is_welcomed(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(tmp_path / "state.db") as one:
            code = await one.contacts.invite()
            assert await one.contacts.redeem(token_of(code.secret), ANNA, ANNAS) == Introduction(
                "me", (CAFE,)
            )
            contact = one.contacts.get(ANNA)
            assert contact is not None
            assert (contact.petname, contact.own_name, contact.told) == ("Anna", "Anna", (HOME,))
            with pytest.raises(Declined) as caught:
                await one.contacts.redeem(token_of(code.secret), BOB, ANNAS)
            assert caught.value.reason == Reason.USED_UP
            assert not one.contacts.is_contact(BOB)
        async with bench(tmp_path / "state.db") as one:
            assert one.contacts.get(ANNA) == contact

    run(main())


def test_uses_are_counted_right_when_many_come_at_once() -> None:
    async def main() -> None:
        async with bench() as one:
            code = await one.contacts.invite(uses=3)
            peers = [PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(10, 20)]
            tries = [one.contacts.redeem(token_of(code.secret), peer, ANNAS) for peer in peers]
            outcomes = await asyncio.gather(*tries, return_exceptions=True)
            assert sum(isinstance(outcome, Introduction) for outcome in outcomes) == 3
            assert [c.petname for c in one.contacts.all()] == ["Anna", "Anna-2", "Anna-3"]

    run(main())


def test_a_full_table_declines(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with bench() as one:
            monkeypatch.setattr(store, "CONTACTS_MAX", 0)
            code = await one.contacts.invite()
            with pytest.raises(Declined) as caught:
                await one.contacts.redeem(token_of(code.secret), ANNA, ANNAS)
            assert caught.value.reason == Reason.NO_ROOM
            monkeypatch.undo()
            await one.contacts.redeem(token_of(code.secret), ANNA, ANNAS)  # no use was spent

    run(main())


def test_the_welcomed_one_keeps_where_it_met_the_inviter() -> None:
    async def main() -> None:
        async with bench() as one:
            code = InviteCode(ANNA, (HOME, CAFE), bytes(16))
            contact = await one.contacts.welcomed(
                code, Introduction("Anna\u202e!"), None, HOME.with_peer(ANNA)
            )
            assert (contact.petname, contact.proven, contact.told) == ("Anna-!", (HOME,), (CAFE,))
            again = await one.contacts.welcomed(code, Introduction("Anna"), "other", None)
            assert again.petname == "Anna-!"

    run(main())


def test_a_cancelled_caller_leaves_memory_and_disk_alike() -> None:
    async def main() -> None:
        async with bench() as one:
            adding = asyncio.ensure_future(one.contacts.add(ANNA, "anna"))
            await asyncio.sleep(0)
            adding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await adding
            await one.contacts.close()
            stored = await one.database.run(store.load_all)
            assert stored == one.contacts.all()
            assert len(stored) == 1

    run(main())


def test_what_cannot_be_stored_did_not_happen() -> None:
    async def main() -> None:
        async with bench() as one:
            await one.database.close()
            with pytest.raises((Closed, StorageError)):
                await one.contacts.add(ANNA, "anna")
            assert one.contacts.all() == []
            assert one.events == []

    run(main())


def test_resolving_knows_contacts_and_others() -> None:
    async def main() -> None:
        async with bench() as one:
            await one.contacts.add(ANNA, "anna")
            assert one.contacts.resolve("ANNA") == ANNA
            assert one.contacts.resolve(str(BOB)[:20], known=[BOB]) == BOB
            assert one.contacts.resolve("1", listing=[BOB]) == BOB

    run(main())
