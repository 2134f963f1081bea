"""`RealLinks`: multicast DNS on the machine's own interfaces, by zeroconf.

In:  services to announce, kinds to ask for; packets from the link. Out: packets; what others say, as `Heard`.
For each service PTR, SRV, TXT, A and AAAA records are answered (RFC 6763). What others say is read from their
TXT records alone and as it comes: some libp2p nodes publish no SRV and no A, for which zeroconf would wait.
Names are random, so they are not probed for (RFC 6762, section 8.1), which spares a second and a half.

A question carries no known answers, on purpose: whoever is there shall say so again. zeroconf parses what
comes, keeps to the rates of RFC 6762, and bounds what a liar on the link makes it keep (10,000 records).
"""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import TYPE_CHECKING, Final, Self

from zeroconf import (  # type: ignore[attr-defined]  # in its documentation, though not in its __all__
    DNSOutgoing,
    DNSPointer,
    DNSQuestion,
    DNSText,
    RecordUpdateListener,
    ServiceInfo,
)
from zeroconf.asyncio import AsyncZeroconf

from warren.runtime.real.interfaces import interface_addresses
from warren.runtime.seam import Heard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from zeroconf import DNSRecord, RecordUpdate, Zeroconf  # type: ignore[attr-defined]

    from warren.runtime.seam import LocalService

TTL_S: Final = 120
"""How long others may believe our records without asking again; libp2p nodes use the same."""
_QUERY: Final = 0x0000
_CLASS_IN: Final = 1
_TYPE_PTR: Final = 12

# What it logs are the packets of strangers, and interfaces that come and go.
logging.getLogger("zeroconf").setLevel(logging.ERROR)


class RealLinks:
    """See `seam.LocalLinks`."""

    __slots__ = ("_announcing", "_ear", "_is_open", "_services", "_zeroconf")

    def __init__(self, zeroconf: AsyncZeroconf, hear: Callable[[Heard], None]) -> None:
        self._zeroconf = zeroconf
        self._services: dict[tuple[str, str], ServiceInfo] = {}
        self._announcing: set[asyncio.Future[None]] = set()
        self._is_open = True
        self._ear = _Ear(hear)
        zeroconf.zeroconf.async_add_listener(self._ear, None)

    @classmethod
    async def open(cls, addresses: Sequence[str], hear: Callable[[Heard], None]) -> Self:
        """Take part on the interfaces of these addresses. Raises `OSError`."""
        ours = interface_addresses()  # asked for others, zeroconf fails and leaves a socket open
        interfaces = [one for one in addresses if one in ours]
        if not interfaces:
            raise OSError(errno.EADDRNOTAVAIL, "no interface has the address")
        try:
            zeroconf = AsyncZeroconf(interfaces=interfaces)
        except RuntimeError as error:  # it went away in this moment
            raise OSError(errno.EADDRNOTAVAIL, str(error)) from error
        try:
            await zeroconf.zeroconf.async_wait_for_start()
        except BaseException:
            await zeroconf.async_close()
            raise
        return cls(zeroconf, hear)

    async def announce(self, service: LocalService) -> None:
        info, key = _info(service), (service.kind, service.name)
        is_known = key in self._services
        self._services[key] = info
        if is_known:
            repeated = await self._zeroconf.async_update_service(info)
        else:
            repeated = await self._zeroconf.async_register_service(info, cooperating_responders=True)
        self._keep(repeated)

    async def withdraw(self, kind: str, name: str) -> None:
        info = self._services.pop((kind, name), None)
        if info is not None:
            self._keep(await self._zeroconf.async_unregister_service(info))

    def ask(self, kind: str) -> None:
        self._ear.kinds.add(f".{kind}.".lower())
        query = DNSOutgoing(_QUERY)
        query.add_question(DNSQuestion(f"{kind}.", _TYPE_PTR, _CLASS_IN))
        self._zeroconf.zeroconf.async_send(query)

    async def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._zeroconf.zeroconf.async_remove_listener(self._ear)
        for announcing in self._announcing:
            announcing.cancel()
        await self._zeroconf.async_close()

    def _keep(self, repeated: Awaitable[None]) -> None:
        """The first announcement is sent at once; the others, against loss, follow by themselves."""
        task = asyncio.ensure_future(repeated)
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)


class _Ear(RecordUpdateListener):
    """Turns records into `Heard`. kinds: what is listened for, each as the end of a name."""

    def __init__(self, hear: Callable[[Heard], None]) -> None:
        self._hear = hear
        self.kinds: set[str] = set()

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:  # noqa: ARG002
        said: dict[tuple[str, str], list[bytes]] = {}
        gone: dict[tuple[str, str], None] = {}
        for update in records:
            record = update.new
            service = self._service_of(record)
            if service is None:
                continue
            if record.is_expired(now):
                gone[service] = None
            elif isinstance(record, DNSText):
                said.setdefault(service, []).extend(strings(record.text))
        for kind, name in gone:
            self._hear(Heard(kind, name, (), gone=True))
        for (kind, name), texts in said.items():
            self._hear(Heard(kind, name, tuple(texts)))

    def _service_of(self, record: DNSRecord) -> tuple[str, str] | None:
        """Kind and name of the service that a record is about."""
        full = record.alias if isinstance(record, DNSPointer) else record.name
        name, dot, _ = full.partition(".")
        kind = full[len(name) :]
        if not dot or kind.lower() not in self.kinds:
            return None
        return kind.strip(".").lower(), name


def strings(rdata: bytes) -> Iterable[bytes]:
    """The character strings of a TXT record, each with its length before it (RFC 1035, section 3.3)."""
    at = 0
    while at < len(rdata):
        end = at + 1 + rdata[at]
        if rdata[at] and end <= len(rdata):
            yield rdata[at + 1 : end]
        at = end


def _info(service: LocalService) -> ServiceInfo:
    text = b"".join(bytes((len(one),)) + one for one in service.texts)
    return ServiceInfo(
        f"{service.kind}.",
        f"{service.name}.{service.kind}.",
        port=service.port,
        properties=text,
        server=f"{service.name}.local.",
        host_ttl=TTL_S,
        other_ttl=TTL_S,
        parsed_addresses=list(service.addresses),
    )
