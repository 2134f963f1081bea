"""Accepting an invitation, between two networks in one process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.core.errors import DialFailed, InputError, InvalidCode, PeerIdMismatch, Refused
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.network import Network
from warren.protocols.invite.code import InviteCode
from warren.protocols.invite.protocol import InviteProtocol
from warren.runtime.real.runtime import RealRuntime
from warren.services.contacts import store
from warren.services.contacts.contacts import Contacts
from warren.services.contacts.join import join

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.services.contacts.model import Contact

LOOPBACK = Multiaddr.parse("/ip4/127.0.0.1/tcp/0")
NOWHERE = Multiaddr.parse("/ip4/127.0.0.1/tcp/1")


class Side:
    """One peer: a network with contacts and the invite protocol."""

    def __init__(self, runtime: RealRuntime, contacts: Contacts, network: Network) -> None:
        self.contacts = contacts
        self.network = network
        self.invites = InviteProtocol(network, contacts, runtime.clock)

    async def join(self, text: str, petname: str | None = None) -> Contact:
        return await join(text, petname, self.contacts, self.network, self.invites)


@contextlib.asynccontextmanager
async def side(seed: int, name: str) -> AsyncIterator[Side]:
    runtime = RealRuntime()
    key = PrivateKey.from_seed(bytes([seed]) * 32)
    network = Network(runtime, key)
    await network.listen([LOOPBACK])
    state = await runtime.open_database(":memory:", store.migrations())
    clock, entropy = runtime.clock, runtime.entropy
    contacts = Contacts(
        state, clock, entropy, key.peer_id, name, lambda: network.listen_addrs, network.events.emit
    )
    await contacts.load()
    try:
        yield Side(runtime, contacts, network)
    finally:
        await network.stop()
        await contacts.close()
        await state.close()
        await runtime.close()


@contextlib.asynccontextmanager
async def two() -> AsyncIterator[tuple[Side, Side]]:
    async with side(1, "anna") as anna, side(2, "bob") as bob:
        yield anna, bob


def test_both_become_contacts_and_where_they_met_is_proven() -> None:
    async def main() -> None:
        async with two() as (anna, bob):
            code = await anna.contacts.invite()
            contact = await bob.join(str(code), "Ann")
            assert (contact.petname, contact.own_name) == ("Ann", "anna")
            assert contact.proven == tuple(anna.network.listen_addrs)
            (back,) = anna.contacts.all()
            assert (back.peer_id, back.petname, back.proven) == (bob.network.peer_id, "bob", ())

    run(main())


def test_a_bad_petname_or_code_spends_nothing() -> None:
    async def main() -> None:
        async with two() as (anna, bob):
            code = await anna.contacts.invite()
            with pytest.raises(InputError):
                await bob.join(str(code), "")
            with pytest.raises(InvalidCode):
                await bob.join(f"{code}a")
            assert not bob.network.is_connected(anna.network.peer_id)
            await bob.join(str(code))
            async with side(3, "cleo") as cleo:
                with pytest.raises(Refused):
                    await cleo.join(str(code))
                assert cleo.contacts.all() == []
            assert len(anna.contacts.all()) == 1

    run(main())


def test_who_cannot_be_reached_or_is_somebody_else() -> None:
    async def main() -> None:
        async with two() as (anna, bob):
            code = await anna.contacts.invite()
            away = InviteCode(code.peer_id, (NOWHERE,), code.secret)
            with pytest.raises(DialFailed) as caught:
                await bob.join(str(away))
            assert caught.value.hint.startswith("the inviter's node must be running")
            relay = NOWHERE.with_peer(bob.network.peer_id)
            with pytest.raises(DialFailed) as caught:
                await bob.join(str(InviteCode(code.peer_id, (NOWHERE,), code.secret, (relay,))))
            assert "relays, which this Warren cannot use yet" in caught.value.hint
            other = PrivateKey.from_seed(b"\7" * 32).peer_id
            with pytest.raises((DialFailed, PeerIdMismatch)):
                await bob.join(str(InviteCode(other, code.addresses, code.secret)))
            assert bob.contacts.all() == anna.contacts.all() == []
            await bob.join(str(code))

    run(main())
