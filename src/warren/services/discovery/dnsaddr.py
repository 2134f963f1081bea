"""`/dnsaddr/NAME`: the addresses that a name's TXT records list, which may name further lists.

In:  an address that begins with `dnsaddr`, or TXT records. Out: addresses that begin otherwise, and end as
the one asked for ends (`/p2p/ID`).

Bounded, because whoever owns a name could refer to itself for ever, or to names of others, which would then
be
asked by everybody who looks it up: lists lie at most `DEPTH_MAX` deep, and one address costs `LOOK_UPS_MAX`
look-ups and yields `ADDRESSES_MAX` addresses at most.
https://github.com/libp2p/specs/blob/master/addressing/README.md#dnsaddr-links
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import InputError
from warren.core.multiaddr import Multiaddr

if TYPE_CHECKING:
    from collections.abc import Iterable

    _Components = tuple[tuple[str, str], ...]

DEPTH_MAX: Final = 4
LOOK_UPS_MAX: Final = 16
ADDRESSES_MAX: Final = 64
_KEY: Final = b"dnsaddr="


class Texts(Protocol):
    """Where TXT records come from."""

    async def resolve_txt(self, name: str) -> list[bytes]:
        """The records. Raises `OSError`."""
        ...


def is_dnsaddr(address: Multiaddr) -> bool:
    """Whether it stands for a list in DNS."""
    return address.components[0][0] == "dnsaddr"


async def resolve(address: Multiaddr, names: Texts) -> list[Multiaddr]:
    """The addresses behind `address`. Raises `OSError` when its own name cannot be looked up."""
    found: dict[Multiaddr, None] = {}
    asked: set[str] = set()
    due = [(address, _end_of(address))]
    for _ in range(DEPTH_MAX):
        lists, due = due, []
        for one, end in lists:
            name = f"_dnsaddr.{one.host}"
            if name in asked or len(asked) >= LOOK_UPS_MAX:
                continue
            asked.add(name)
            for entry in matching(await _records(name, names, first=one is address), end):
                if is_dnsaddr(entry):
                    due.append((entry, _end_of(entry) or end))
                else:
                    found[entry] = None
    return list(found)[:ADDRESSES_MAX]


def matching(records: Iterable[bytes], end: _Components) -> list[Multiaddr]:
    """The addresses in TXT records that end so. A list that says nothing of its end may hold such
    addresses.
    """
    found = [one for record in records if (one := _entry(record)) is not None]
    return [
        one
        for one in found
        if one.components[len(one.components) - len(end) :] == end or (is_dnsaddr(one) and not _end_of(one))
    ]


def _end_of(address: Multiaddr) -> _Components:
    """What follows the name."""
    return address.components[1:]


def _entry(record: bytes) -> Multiaddr | None:
    if not record.startswith(_KEY):
        return None
    try:
        return Multiaddr.parse(record.removeprefix(_KEY).decode())
    except (InputError, UnicodeDecodeError):
        return None


async def _records(name: str, names: Texts, *, first: bool) -> list[bytes]:
    try:
        return await names.resolve_txt(name)
    except OSError:
        if first:
            raise
        return []  # one list of several that is broken costs what stands in it
