"""`Contacts`: who this node knows, and how somebody becomes known.

In:  what the user does (invite, add, rename, remove), what peers claim and prove.
Out: contacts, invite codes, events on the bus: `ContactAdded`, `ContactChanged`, `ContactRemoved`.
All is kept in `state.db`; a copy in memory answers questions at once. What is acknowledged, to the user or to
a peer, is committed before.

Refuses what store.py refuses, malformed petnames, and the node's own invitations.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, TypeVar

from warren.core.errors import InputError, InvalidCode, LimitReached, PeerUnknown
from warren.core.reach import believable
from warren.protocols.invite.code import ADDRESS_BYTES_MAX, ADDRESSES_MAX, SECRET_BYTES, InviteCode, fit
from warren.protocols.invite.messages import Declined, Introduction, Reason
from warren.protocols.invite.proof import token_of
from warren.services.contacts import store
from warren.services.contacts.model import ContactAdded, ContactChanged, ContactRemoved, Invite
from warren.services.contacts.petname import check_petname, petname_from, petname_key
from warren.services.contacts.resolve import resolve_peer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.core.reach import Reach
    from warren.runtime.seam import Clock, Database, Entropy
    from warren.services.contacts.model import Contact

T = TypeVar("T")

# Fault: a slip of the finger that opens the door to the world.
USES_MAX = 1000
EXPIRES_S_MAX = 366 * 86400.0


class Contacts:
    """The contacts and invitations of one node. Make it with `open`."""

    __slots__ = (
        "_addresses",
        "_clock",
        "_contacts",
        "_database",
        "_emit",
        "_entropy",
        "_follow",
        "_me",
        "_name",
        "_writes",
    )

    def __init__(
        self,
        database: Database,
        clock: Clock,
        entropy: Entropy,
        me: PeerId,
        name: str,
        addresses: Callable[[], Sequence[Multiaddr]],
        emit: Callable[[object], None],
        follow: Callable[[sqlite3.Connection, PeerId, Contact | None], None] = lambda *_: None,
    ) -> None:
        """`addresses` says where others may reach this node now; `emit` takes the events.

        `follow` writes down elsewhere, within the same transaction, what a contact is now; None: no contact.
        """
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._me = me
        self._name = name
        self._addresses = addresses
        self._emit = emit
        self._follow = follow
        self._contacts: dict[PeerId, Contact] = {}
        self._writes: set[asyncio.Task[Contact | None]] = set()

    async def load(self) -> None:
        """Read what is stored. Call once, before anything else."""
        contacts = await self._database.run(store.load_all)
        self._contacts = {contact.peer_id: contact for contact in contacts}

    async def close(self) -> None:
        """Wait for writes under way. The database is the caller's to close."""
        while self._writes:
            await asyncio.wait(self._writes)

    # --- questions ----------------------------------------------------------------------------------------

    def is_contact(self, peer: PeerId) -> bool:
        return peer in self._contacts

    def get(self, peer: PeerId) -> Contact | None:
        return self._contacts.get(peer)

    def all(self) -> list[Contact]:
        """Every contact, in the order of their petnames."""
        return sorted(self._contacts.values(), key=lambda contact: petname_key(contact.petname))

    def resolve(self, text: str, *, known: Iterable[PeerId] = (), listing: Sequence[PeerId] = ()) -> PeerId:
        """The peer that `text` names; see resolve.py. Raises Ambiguous, PeerUnknown."""
        petnames = {peer: contact.petname for peer, contact in self._contacts.items()}
        return resolve_peer(text, petnames=petnames, known=known, listing=listing)

    def introduction(self) -> Introduction:
        """How this node wants to be known."""
        return Introduction(self._name, self._own_addresses())

    # --- what the user does -------------------------------------------------------------------------------

    async def add(
        self, peer: PeerId, petname: str | None = None, addresses: Iterable[Multiaddr] = ()
    ) -> Contact:
        """Make `peer` a contact on this side only. A contact already keeps its petname.

        Raises InputError for a malformed petname or the node itself, LimitReached.
        """
        if peer == self._me:
            raise InputError("a node is no contact of itself", hint="name another peer")
        wanted = check_petname(petname) if petname is not None else petname_from("", peer)
        told = [address.without_peer() for address in addresses]
        now = self._clock.wall()

        def change(db: sqlite3.Connection) -> None:
            store.add(db, peer, wanted, "", now)
            if told:
                store.tell(db, peer, told, now)

        return await self._expect(peer, change)

    async def rename(self, peer: PeerId, petname: str) -> Contact:
        """Call a contact something else. Raises InputError (malformed or taken), PeerUnknown."""
        self._must_know(peer)
        name = check_petname(petname)
        return await self._expect(peer, lambda db: store.rename(db, peer, name))

    async def remove(self, peer: PeerId) -> None:
        """Forget a contact; the same invitation does not let it in again. Raises PeerUnknown."""
        self._must_know(peer)
        await self._write(peer, lambda db: store.remove(db, peer))

    async def invite(
        self, *, uses: int = 1, expires_s: float = 86400.0, petname: str | None = None
    ) -> InviteCode:
        """Make an invitation for `uses` peers within `expires_s` seconds. Raises InputError, LimitReached.

        petname: what to call who comes; without it, what the peer calls itself.
        """
        if not 1 <= uses <= USES_MAX:
            raise InputError(f"an invitation has 1 to {USES_MAX} uses, not {uses}", hint="make several")
        if not (math.isfinite(expires_s) and 0 < expires_s <= EXPIRES_S_MAX):
            raise InputError(
                f"an invitation cannot be good for {expires_s:g} seconds",
                hint="one day is 86400, a year is the most",
            )
        name = check_petname(petname) if petname is not None else None
        secret = self._entropy.bytes(SECRET_BYTES)
        now = self._clock.wall()
        invite = Invite(token_of(secret), name, uses, now, now + expires_s)
        await self._database.run(lambda db: store.add_invite(db, invite))
        return InviteCode(self._me, self._own_addresses(), secret)

    async def invites(self) -> list[Invite]:
        """Invitations that may still be used, oldest first."""
        now = self._clock.wall()
        return await self._database.run(lambda db: store.open_invites(db, now))

    async def end_invite(self, token: bytes) -> None:
        """Let nobody else use an invitation."""
        await self._database.run(lambda db: store.end_invite(db, token))

    def accept(self, text: str) -> InviteCode:
        """Read a code that somebody gave to the user. Raises InvalidCode."""
        code = InviteCode.parse(text)
        if code.peer_id == self._me:
            raise InvalidCode("this is your own invitation", hint="give it to who shall join you")
        return code

    async def welcomed(
        self, code: InviteCode, inviter: Introduction, petname: str | None, met_at: Multiaddr | None
    ) -> Contact:
        """The inviter honoured `code` and becomes a contact. met_at: where our dial met it, if we dialled.

        Raises InputError for a malformed petname, LimitReached.
        """
        peer = code.peer_id
        wanted = check_petname(petname) if petname is not None else petname_from(inviter.name, peer)
        now = self._clock.wall()

        def change(db: sqlite3.Connection) -> None:
            store.add(db, peer, wanted, inviter.name, now)
            store.tell(db, peer, (*code.addresses, *inviter.addresses), now)
            if met_at is not None:
                store.prove(db, peer, met_at.without_peer(), now)

        return await self._expect(peer, change)

    # --- what peers do ------------------------------------------------------------------------------------

    async def redeem(self, token: bytes, peer: PeerId, introduction: Introduction) -> Introduction:
        """See `warren.protocols.invite.protocol.Desk`."""
        now = self._clock.wall()

        def change(db: sqlite3.Connection) -> None:
            petname = store.use_invite(db, token, peer, now)
            store.add(db, peer, petname or petname_from(introduction.name, peer), introduction.name, now)
            store.tell(db, peer, introduction.addresses, now)

        try:
            await self._write(peer, change)
        except LimitReached as error:
            raise Declined(Reason.NO_ROOM) from error
        return self.introduction()

    async def told(self, peer: PeerId, addresses: Iterable[Multiaddr], teller: Reach) -> None:
        """A contact said on an authenticated connection where it may be reached: believed of itself only.

        teller: how near it spoke from. Of what it may not tell of from there that stays which is known and
        which it still names.
        """
        contact = self._contacts.get(peer)
        if contact is not None:
            bare = tuple(address.without_peer() for address in addresses)
            believed = {*believable(bare, teller), *contact.addresses}
            named = [address for address in bare if address in believed]
            await self._write(peer, lambda db: store.tell(db, peer, named, self._clock.wall()))

    async def proved(self, peer: PeerId, address: Multiaddr) -> None:
        """Our dial of `address`, which named `peer`, met its key."""
        if peer in self._contacts:
            bare = address.without_peer()
            await self._write(peer, lambda db: store.prove(db, peer, bare, self._clock.wall()))

    # --- inside -------------------------------------------------------------------------------------------

    def _own_addresses(self) -> tuple[Multiaddr, ...]:
        bare = (address.without_peer() for address in self._addresses())
        return fit(bare, ADDRESSES_MAX, ADDRESS_BYTES_MAX)

    def _must_know(self, peer: PeerId) -> None:
        if peer not in self._contacts:
            raise PeerUnknown(f"{peer} is no contact", hint="warren peer list shows who is known")

    async def _expect(self, peer: PeerId, change: Callable[[sqlite3.Connection], object]) -> Contact:
        contact = await self._write(peer, change)
        if contact is None:
            raise PeerUnknown(f"{peer} was removed meanwhile")
        return contact

    async def _write(self, peer: PeerId, change: Callable[[sqlite3.Connection], object]) -> Contact | None:
        """Commit a change, then show it in memory; the two stay alike even if the caller is cancelled."""
        write = asyncio.get_running_loop().create_task(self._commit(peer, change))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        return await asyncio.shield(write)

    async def _commit(self, peer: PeerId, change: Callable[[sqlite3.Connection], object]) -> Contact | None:
        def transaction(db: sqlite3.Connection) -> Contact | None:
            change(db)
            contact = store.find(db, peer)
            self._follow(db, peer, contact)
            return contact

        contact = await self._database.run(transaction)
        before = self._contacts.pop(peer, None)
        if contact is not None:
            self._contacts[peer] = contact
        if contact is None:
            if before is not None:
                self._emit(ContactRemoved(peer))
        elif before is None:
            self._emit(ContactAdded(contact))
        elif before != contact:
            self._emit(ContactChanged(contact))
        return contact
