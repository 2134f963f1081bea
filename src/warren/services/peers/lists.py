"""`PeerLists`: peer lists as files, in and out of the table.

In:  a file in the classic or the full form; which form is wanted. Out: a report that says what became of each
entry, by line; or entries, and what the form could not hold. All that a report counts is committed before.

Refuses, with InputError, files that are no such list or too large; StorageError where one cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from warren.core.errors import InputError, LimitReached, StorageError
from warren.services.peers import classic, entries, full_form
from warren.services.peers.merge import merge_lead, merge_peer
from warren.services.peers.model import Figure, Kept, Lead

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Sequence

    from warren.core.peer_id import PeerId
    from warren.runtime.seam import Disk, Runtime, StrPath
    from warren.services.peers.entries import Found, Problem
    from warren.services.peers.store import Room
    from warren.services.peers.table import PeerTable

    Reader = Callable[[Any, float], tuple[Kept | Lead, str]]

Form: TypeAlias = Literal["classic", "full"]
FORMS: Final[tuple[Form, ...]] = ("classic", "full")
# Fault: another file altogether, which would fill the memory. The fullest list of a full table is smaller.
FILE_BYTES_MAX: Final = 256 << 20
# One transaction takes in so many: the writer thread stays free for others in between.
_BATCH: Final = 250


@dataclass(slots=True)
class ImportReport:
    """What became of a list.

    added: peers that are new. known: entries that were here before; what was missing was added. leads: new
    addresses whose peer is to be met. skipped: entries of no use. problems: what was wrong, by line, with
    those and with entries that were kept.
    """

    form: Form
    added: int = 0
    known: int = 0
    leads: int = 0
    skipped: int = 0
    blocked: list[PeerId] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that the classic form cannot hold. what: a peer id or an address."""

    what: str
    reason: str


class PeerLists:
    """Of one node. on_leads: called when there are new addresses to dial."""

    __slots__ = ("_on_leads", "_runtime", "_table")

    def __init__(self, runtime: Runtime, table: PeerTable, on_leads: Callable[[], None]) -> None:
        self._runtime = runtime
        self._table = table
        self._on_leads = on_leads

    async def import_file(self, path: StrPath) -> ImportReport:
        """Take in the list in a file. Raises InputError, StorageError."""
        data = await self._runtime.offload(_read, self._runtime.disk, path)
        return await self.import_bytes(data)

    async def import_bytes(self, data: bytes) -> ImportReport:
        """Take in a list. Raises InputError, StorageError (what was taken in before stays)."""
        now = self._runtime.clock.wall()
        found, read = await self._runtime.offload(_parse, data, now)
        report = ImportReport("classic" if found.name == classic.NAME else "full")
        for start in range(0, len(read), _BATCH):
            await self._take_in(read[start : start + _BATCH], now, report, found)
        report.problems, report.problem_count = sorted(found.problems), found.problem_count
        report.skipped = found.lost
        if report.leads:
            self._on_leads()
        return report

    async def export(self, form: Form) -> AsyncIterator[dict[str, Any] | LeftOut]:
        """Every entry of the table in that form, and what the form cannot hold."""
        peers, number = await self._table.kept_after(0, _BATCH)
        while peers:
            for kept in peers:
                yield full_form.write_entry(kept) if form == "full" else _classic_peer(kept)
            peers, number = await self._table.kept_after(number, _BATCH)
        leads = await self._table.leads.page(None, _BATCH)
        while leads:
            for lead in leads:
                yield full_form.write_lead(lead) if form == "full" else _classic_lead(lead)
            leads = await self._table.leads.page(leads[-1].address, _BATCH)

    async def _take_in(
        self, batch: Sequence[tuple[int, Kept | Lead]], now: float, report: ImportReport, found: Found
    ) -> None:
        became = await self._table.transact(lambda db, room: _merge(db, room, batch, now, self._table.me))
        for (line, entry), outcome in zip(batch, became, strict=True):
            match outcome:
                case "added":
                    report.added += 1
                case "known":
                    report.known += 1
                case "lead":
                    report.leads += 1
                case problem:
                    found.lose(line, problem)
                    continue
            if isinstance(entry, Kept) and entry.peer.blocked:
                report.blocked.append(entry.peer.peer_id)
        self._table.show_blocked(report.blocked)


def ends(form: Form) -> tuple[str, str]:
    """What stands before and behind the entries of a list, which are apart by commas."""
    if form == "classic":
        return f'{{"{classic.NAME}": [', "]}"
    return f'{{"{full_form.HEAD}": {full_form.VERSION}, "{full_form.NAME}": [', "]}"


def _parse(data: bytes, now: float) -> tuple[Found, list[tuple[int, Kept | Lead]]]:
    found = entries.read(data, (classic.NAME, full_form.NAME))
    read_entry: Reader = _read_classic if found.name == classic.NAME else _read_full
    read: list[tuple[int, Kept | Lead]] = []
    for line, value in found.entries:
        try:
            entry, remark = read_entry(value, now)
        except InputError as error:
            found.lose(line, str(error))
            continue
        read.append((line, entry))
        if remark:
            found.report(line, remark)
    return found, read


def _read_classic(value: Any, now: float) -> tuple[Lead, str]:
    entry, remark = classic.read_entry(value)
    figures = (entry.latency_s, entry.download_bytes_per_s, entry.upload_bytes_per_s)
    return Lead(entry.address, now, *(None if one is None else Figure(one, now) for one in figures)), remark


def _read_full(value: Any, now: float) -> tuple[Kept | Lead, str]:
    entry, remark = full_form.read_entry(value)
    if isinstance(entry, Lead) and not 0 < entry.added_at <= now:
        entry = replace(entry, added_at=now)
    return entry, remark


def _merge(
    db: sqlite3.Connection, room: Room, batch: Sequence[tuple[int, Kept | Lead]], now: float, me: PeerId
) -> list[str]:
    """What became of each entry: `added`, `known`, `lead`, or else what was wrong with it."""
    became: list[str] = []
    for _, entry in batch:
        if isinstance(entry, Kept) and entry.peer.peer_id == me:
            became.append("this node itself: left out")
            continue
        try:
            if isinstance(entry, Lead):
                became.append(merge_lead(db, entry, now))
            else:
                became.append(merge_peer(db, entry, now, room))
        except LimitReached as error:
            became.append(f"not kept: {error}")
    return became


def _classic_peer(kept: Kept) -> dict[str, Any] | LeftOut:
    peer = kept.peer
    if peer.blocked:
        return LeftOut(str(peer.peer_id), "blocked, which the form cannot say")
    entry = classic.write_entry(peer.addresses, peer.latency, peer.download, peer.upload)
    return LeftOut(str(peer.peer_id), entry) if isinstance(entry, str) else entry


def _classic_lead(lead: Lead) -> dict[str, Any] | LeftOut:
    entry = classic.write_entry([lead.address], lead.latency, lead.download, lead.upload)
    return LeftOut(str(lead.address), entry) if isinstance(entry, str) else entry


def _read(disk: Disk, path: StrPath) -> bytes:
    try:
        file = disk.open_read(path)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", hint="check the path") from error
    try:
        size = file.stat().size
        if size > FILE_BYTES_MAX:
            raise InputError(
                f"{path} is too large for a list of peers: {size} bytes, over {FILE_BYTES_MAX}",
                hint="cut it in parts, or give another file",
            )
        return file.pread(0, size)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", hint="check the disk") from error
    finally:
        file.close()
