"""`Dht`: values, providers and peers, found and published in the network, as a user asks for them.

In:  names and values, content ids, peers. Out: the same, found; what was published stays so (`publisher.py`).
Names are this node's own: what it puts is signed, and nobody else can put under them. Names and values are
any bytes; text stands for its UTF-8.

Refuses everything while the DHT is switched off (`ConfigError`), and names and values out of bounds
(`InputError`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from warren.core.cid import RAW, Cid
from warren.core.errors import (
    ConfigError,
    ConnectionFailed,
    ContentUnknown,
    InputError,
    InvalidRecord,
    PeerUnknown,
)
from warren.protocols.kad import signed
from warren.protocols.kad.records import VALUE_BYTES_MAX
from warren.protocols.kad.signed import SignedRecord
from warren.services.dht.keys import encoded, key_of, multihash_of, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.keys import PrivateKey
    from warren.core.peer_id import PeerId
    from warren.protocols.kad.gathering import Provider
    from warren.protocols.kad.kad import FoundPeer, Kad, PutReport
    from warren.protocols.kad.store import Providers, Records
    from warren.services.dht.publisher import Published, Publisher


class Put(NamedTuple):
    """What became of something that was published. key: of the record, or the multihash of the content.

    stored: peers that took it, of the `asked` ones nearest to the key.
    """

    key: bytes
    stored: int
    asked: int
    sequence: int | None = None


class Value(NamedTuple):
    """What was found under a key. peer and sequence: who signed it, and its number, under `/warren/`."""

    key: bytes
    value: bytes
    peer: PeerId | None = None
    sequence: int | None = None


class DhtStatus(NamedTuple):
    """The DHT of this node now. mode: `off`, `client` or `server`. peers: in the routing table.

    records, providers: kept here, for others and for itself. published: by this node itself.
    """

    mode: str
    protocol: str
    peers: int
    records: int
    providers: int
    published: int


class Parts(NamedTuple):
    """What the DHT of a node is made of while it is switched on."""

    kad: Kad
    records: Records
    providers: Providers
    publisher: Publisher


class Dht:
    """See the module's header. parts: None while the DHT is switched off."""

    __slots__ = ("_key", "_parts", "_protocol")

    def __init__(self, key: PrivateKey, protocol: str, parts: Parts | None) -> None:
        self._key = key
        self._protocol = protocol
        self._parts = parts

    @property
    def status(self) -> DhtStatus:
        """How it is doing; also while it is switched off."""
        parts = self._parts
        if parts is None:
            return DhtStatus("off", self._protocol, 0, 0, 0, 0)
        return DhtStatus(
            parts.kad.mode,
            self._protocol,
            parts.kad.stats.peers,
            len(parts.records),
            len(parts.providers),
            len(parts.publisher),
        )

    @property
    def kad(self) -> Kad:
        """The protocol itself, for who needs more than this class offers. Raises `ConfigError` while off."""
        return self._on.kad

    # --- values ---------------------------------------------------------------------------------------------

    async def put(self, name: str | bytes, value: str | bytes) -> Put:
        """Publish a value under a name of this node's own, in place of the one before, until `take_back`.

        name: 1 to 512 bytes. value: 63 KiB at most. Raises `ConnectionFailed` where no peer took it yet (it
        is kept, and put later), `InputError`, `StorageError`.
        """
        parts, name, value = self._on, _bytes(name), _bytes(value)
        if signed.NAMESPACE not in parts.kad.namespaces.names:
            raise InputError(
                f"{self._protocol} keeps no names of ours",
                hint="put a finished record (put_record), or use another DHT (setting dht.protocol)",
            )
        key = signed.key_of(self._key.peer_id, name)
        record = SignedRecord(self._key.peer_id, name, 0, value)
        record.seal(self._key)  # whether it can be
        least = self._sequence_kept(parts, key) + 1
        sequence = await parts.publisher.sequence_for(name, least)
        sealed = SignedRecord(self._key.peer_id, name, sequence, value).seal(self._key)
        return _put(key, await parts.publisher.put(key, sealed), sequence)

    async def put_record(self, key: str | bytes, record: bytes) -> Put:
        """Publish a finished record, such as an IPNS record that was made elsewhere, under its whole key.

        Raises `InputError` for one that does not prove itself, and what `put` raises.
        """
        parts, key = self._on, key_of(key)
        if len(record) > VALUE_BYTES_MAX:
            raise InputError(
                f"a record has {VALUE_BYTES_MAX} bytes at most, not {len(record)}", hint="put less into it"
            )
        try:
            self._check_record(parts, key, record)
            return _put(key, await parts.publisher.put(key, record))
        except InvalidRecord as error:
            hint = error.hint or "the key and the record must belong together"
            raise InputError(f"this cannot be put under {shown(key)}: {error}", hint=hint) from error

    async def get(self, key: str | bytes) -> Value:
        """Look up a value by its whole key; under `/warren/` what was signed, else the record as it is.

        Raises `ContentUnknown` where nobody has one, `ConnectionFailed` where nobody could be asked,
        `InputError` for what is no key here.
        """
        parts, key = self._on, key_of(key)
        self._check_key(parts, key)
        try:
            record = await parts.kad.get_value(key)
        except ContentUnknown as error:
            self._check_somebody_was_asked(parts)
            raise ContentUnknown(
                f"nobody has a value under {shown(key)}",
                hint="check the key; values of a node that is gone are kept for two days",
            ) from error
        if not key.startswith(b"/%b/" % signed.NAMESPACE.encode()):
            return Value(key, record)
        opened = SignedRecord.open(key, record)
        return Value(key, opened.value, opened.peer, opened.sequence)

    async def take_back(self, name: str | bytes) -> None:
        """Publish a name or a key no longer. Others may keep its value for two more days.

        Raises `ContentUnknown` for what is not published.
        """
        name = _bytes(name)
        keys = [name] if name.startswith(b"/") else []
        if 1 <= len(name) <= signed.NAME_BYTES_MAX:
            keys.append(signed.key_of(self._key.peer_id, name))
        for key in keys:
            if await self._on.publisher.take_back(key):
                return
        raise _not_published(name.decode(errors="backslashreplace"))

    # --- providers ------------------------------------------------------------------------------------------

    async def provide(self, content: Cid | str | bytes) -> Put:
        """Say that this node has content, until `stop_providing`. content: its id, or the multihash in it.

        Raises what `put` raises, and `InvalidCid`.
        """
        multihash = multihash_of(content)
        cid = Cid(1, RAW, content) if isinstance(content, bytes) else content
        cid = Cid.parse(cid) if isinstance(cid, str) else cid
        return _put(multihash, await self._on.publisher.provide(multihash, cid))

    async def stop_providing(self, content: Cid | str | bytes) -> None:
        """Say so no longer. Others may tell of it for two more days. Raises `ContentUnknown`."""
        if not await self._on.publisher.stop_providing(multihash_of(content)):
            raise _not_published(str(content))

    async def find_providers(self, content: Cid | str | bytes, count: int = 20) -> AsyncIterator[Provider]:
        """Who has content, as they are found, `count` at most; this node itself too.

        Raises `ConnectionFailed` where nobody could be asked.
        """
        parts, multihash, found = self._on, multihash_of(content), 0
        if count < 1:
            raise InputError("at least one provider must be asked for", hint="give a count above 0")
        async for provider in parts.kad.find_providers(multihash, count):
            found += 1
            yield provider
        if not found:
            self._check_somebody_was_asked(parts)

    # --- peers ----------------------------------------------------------------------------------------------

    async def find_peer(self, peer: PeerId) -> FoundPeer:
        """Where a peer is. Raises `PeerUnknown` when nobody knows, `ConnectionFailed` where nobody could be
        asked.
        """
        parts = self._on
        found = await parts.kad.find_peer(peer)
        if found is None:
            self._check_somebody_was_asked(parts)
            raise PeerUnknown(
                f"nobody in the DHT knows where {peer} is",
                hint="it may be offline; or ask it for its address",
            )
        return found

    def published(self) -> list[Published]:
        """What this node publishes."""
        return self._on.publisher.all()

    # --- inside ---------------------------------------------------------------------------------------------

    @property
    def _on(self) -> Parts:
        if self._parts is None:
            raise ConfigError(
                "the DHT is switched off on this node",
                hint='set dht.mode to "auto" in config.toml, and start the node again',
            )
        return self._parts

    def _check_somebody_was_asked(self, parts: Parts) -> None:
        if not parts.kad.stats.peers:
            raise ConnectionFailed(
                f"no peer of the DHT {self._protocol} is known to this node",
                hint="connect to one: warren join CODE, or warren ping ADDRESS",
            )

    def _check_record(self, parts: Parts, key: bytes, record: bytes) -> None:
        """Before anything is kept: a record that is refused must not take the place of what is published."""
        parts.kad.namespaces.validate(key, record)
        kept = parts.records.kept(key)
        if kept is None or kept.value == record:
            return
        if parts.kad.namespaces.select(key, [kept.value, record]) == 0:
            raise InvalidRecord("a better one is known here", hint="get it, and put a newer one")

    def _check_key(self, parts: Parts, key: bytes) -> None:
        if not parts.kad.namespaces.knows(key):
            known = ", ".join(f"/{name}/" for name in parts.kad.namespaces.names)
            raise InputError(
                f"{shown(key)} is in no namespace of {self._protocol}", hint=f"there are {known}"
            )

    def _sequence_kept(self, parts: Parts, key: bytes) -> int:
        """The highest sequence of a name of ours that is kept here: our own count may have been lost."""
        kept = parts.records.kept(key)
        return SignedRecord.open(key, kept.value).sequence if kept is not None else 0


def _bytes(given: str | bytes) -> bytes:
    return encoded(given) if isinstance(given, str) else given


def _put(key: bytes, report: PutReport, sequence: int | None = None) -> Put:
    return Put(key, report.stored, report.asked, sequence)


def _not_published(what: str) -> ContentUnknown:
    return ContentUnknown(f"{what} is not published here", hint="warren dht list shows what is")
