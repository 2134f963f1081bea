"""Lists as files: in by line, out again, and nothing lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.services.peers.support import (
    ANNA,
    BOB,
    CAFE,
    CEM,
    HOME,
    ME,
    OFFICE,
    key_of,
    metadata,
    record,
    records,
    table,
)
from warren import testing
from warren.core.errors import InputError, StorageError
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.reach import Reach
from warren.services.peers import lists
from warren.services.peers.lists import LeftOut, PeerLists, ends
from warren.services.peers.model import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from warren.runtime.seam import Runtime
    from warren.services.peers.lists import ImportReport
    from warren.services.peers.table import PeerTable


class Disk:
    def open_read(self, path: str) -> File:
        if "gone" in path:
            raise FileNotFoundError(2, "No such file or directory", path)
        return File(Path(path).read_bytes())


class File:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def stat(self) -> File:
        return self

    @property
    def size(self) -> int:
        return len(self.data)

    def pread(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def close(self) -> None:
        pass


class World:
    """A runtime whose clock stands still."""

    def __init__(self) -> None:
        self.clock = self
        self.disk = Disk()

    def wall(self) -> float:
        return 1_800_000_000.0

    async def offload(self, work: Callable[..., Any], *args: object) -> Any:
        return work(*args)


def run(work: Callable[[PeerTable, PeerLists, list[str]], Coroutine[object, object, None]]) -> None:
    async def main() -> None:
        called: list[str] = []
        async with table() as peers:
            await work(
                peers, PeerLists(cast("Runtime", World()), peers, lambda: called.append("leads")), called
            )

    testing.run(main())


async def written(lists: PeerLists, form: Any) -> tuple[bytes, list[LeftOut]]:
    head, tail = ends(form)
    found = [one async for one in lists.export(form)]
    kept = [json.dumps(one) for one in found if not isinstance(one, LeftOut)]
    return (head + ",\n".join(kept) + tail).encode(), [one for one in found if isinstance(one, LeftOut)]


CLASSIC = b"""\xef\xbb\xbf{"ip_address": [\r
{"ipv4": "192.0.2.1", "latency": "12.5", "download": 100, "upload": "50", "port no": "4101"},\r
{"ipv4": "192.0.2.2", "latency": 3 "port no": 4101},\r
{"ipv4": "nowhere", "port no": 1},\r
{"ipv4": "192.0.2.3", "latency": null, "download": null, "upload": null, "port no": 4101, "x": 1}\r
]}\r
"""


def test_the_classic_form_makes_leads_and_is_written_again() -> None:
    async def work(peers: PeerTable, files: PeerLists, called: list[str]) -> None:
        report = await files.import_bytes(CLASSIC)
        assert (report.form, report.added, report.leads, report.skipped) == ("classic", 0, 2, 2)
        assert [line for line, _ in report.problems] == [3, 4, 5]
        assert called == ["leads"]
        text, left_out = await written(files, "classic")
        assert not left_out
        first, second = json.loads(text)["ip_address"]
        assert first == {
            "ipv4": "192.0.2.1",
            "latency": 12.5,
            "download": 100.0,
            "upload": 50.0,
            "port no": 4101,
        }
        assert second["latency"] is None
        again = await files.import_bytes(text)
        assert (again.added, again.leads, again.known, again.skipped) == (0, 0, 2, 0)
        assert called == ["leads"]

    run(work)


def test_whoever_is_met_at_a_lead_has_its_figures() -> None:
    async def work(peers: PeerTable, files: PeerLists, _: list[str]) -> None:
        await peers.seen(ANNA)
        await peers.note_latency(ANNA, 0.5, None)
        await files.import_bytes(CLASSIC)
        await peers.seen(ANNA, HOME, proven=True)
        one = await peers.get(ANNA)
        assert one is not None
        assert one.latency is not None
        assert one.latency.value == 0.5  # measured by ourselves
        assert one.download == Figure(12_500_000.0, 1_800_000_000.0)
        assert one.sources == ("import",)
        assert await peers.leads.count() == 1
        # What a list says of an address that is somebody's goes to them, where nothing is known.
        entry = {"ipv4": "192.0.2.1", "latency": 1, "download": 1, "port no": 4101}
        report = await files.import_bytes(json.dumps({"ip_address": [entry]}).encode())
        assert (report.known, report.leads) == (1, 0)
        again = await peers.get(ANNA)
        assert again is not None
        assert (again.latency, again.download) == (one.latency, one.download)

    run(work)


async def fill(peers: PeerTable) -> None:
    anna = key_of(ANNA)
    await peers.seen(ANNA, HOME, proven=True, source="dialled")
    await peers.note_latency(ANNA, 0.02, 0.001)
    await peers.note_speed(ANNA, 1e6, 2e6)
    await peers.note_identity(ANNA, "warren/1", ("dht",))
    await peers.note_record(record(anna, 7, HOME, CAFE), "identify", Reach.PRIVATE)
    await peers.note_metadata(metadata(anna, 8, region="nörth"))
    await peers.heard(BOB, [Multiaddr.parse("/ip6/2001:db8::1/tcp/1")], "mdns", Reach.LINK)
    await peers.seen(CEM, OFFICE, proven=True)
    await peers.block(CEM)


def test_the_full_form_holds_all_and_says_it_elsewhere() -> None:
    async def work(peers: PeerTable, files: PeerLists, _: list[str]) -> None:
        await fill(peers)
        await files.import_bytes(CLASSIC.replace(b"192.0.2.3", b"192.0.2.33"))
        text, left_out = await written(files, "full")
        assert not left_out
        async with table() as others:
            elsewhere = PeerLists(cast("Runtime", World()), others, lambda: None)
            report = await elsewhere.import_bytes(text)
            assert (report.added, report.leads, report.skipped, report.blocked) == (3, 1, 0, [CEM])
            assert others.is_blocked(CEM)
            for peer in (ANNA, BOB, CEM):
                mine, theirs = await peers.get(peer), await others.get(peer)
                assert mine is not None
                assert theirs is not None
                assert {*theirs.sources} == {*mine.sources, "import"}
                for name in (
                    "addresses",
                    "latency",
                    "download",
                    "upload",
                    "jitter_s",
                    "response",
                    "state",
                    "agent",
                    "roles",
                ):
                    assert getattr(mine, name) == getattr(theirs, name), name
                assert (mine.last_seen, mine.metadata, mine.public) == (
                    theirs.last_seen,
                    theirs.metadata,
                    theirs.public,
                )
            assert await records(others) == await records(peers)
            once, none = await written(elsewhere, "full")
            assert not none
            await elsewhere.import_bytes(once)
            assert await written(elsewhere, "full") == (once, [])

    run(work)


def test_older_knowledge_changes_nothing() -> None:
    async def work(peers: PeerTable, files: PeerLists, _: list[str]) -> None:
        await fill(peers)
        text, _left = await written(files, "full")
        anna = key_of(ANNA)
        await peers.seen(BOB, HOME, proven=True)
        await peers.note_latency(ANNA, 0.9, None)
        await peers.note_record(record(anna, 9, OFFICE), "identify")
        await peers.note_metadata(metadata(anna, 9, region="south"))
        before = [await peers.get(peer) for peer in (ANNA, BOB)]
        old = text.replace(b"1767225600", b"1767225599")
        assert (await files.import_bytes(old)).known == 3
        after = [await peers.get(peer) for peer in (ANNA, BOB)]
        for one, other in zip(before, after, strict=True):
            assert one is not None
            assert other is not None
            assert (one.latency, one.metadata, one.last_seen) == (
                other.latency,
                other.metadata,
                other.last_seen,
            )
        assert before[1] is not None
        assert before[1].addresses[0] == HOME  # still Bob's

    run(work)


def test_what_the_classic_form_cannot_hold_is_named() -> None:
    async def work(peers: PeerTable, files: PeerLists, _: list[str]) -> None:
        await fill(peers)
        text, left_out = await written(files, "classic")
        assert [entry["ipv4"] for entry in json.loads(text)["ip_address"]] == ["192.0.2.1"]
        assert {one.what: one.reason for one in left_out} == {
            str(BOB): "no IPv4 address, only IPv6",
            str(CEM): "blocked, which the form cannot say",
        }

    run(work)


def test_a_long_list_goes_in_and_out_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_BATCH", 7)

    async def work(peers: PeerTable, files: PeerLists, _: list[str]) -> None:
        ids = [PrivateKey.from_seed(b"x" * 31 + bytes([n])).peer_id for n in range(50)]
        many: list[dict[str, Any]] = [{"peer_id": str(peer)} for peer in ids]
        many += [{"addresses": [f"/ip4/192.0.2.9/tcp/{port}"]} for port in range(1, 51)]
        many[33] = {"peer_id": "?"}
        report = await files.import_bytes(json.dumps({"peers": many}, indent=0).encode())
        assert (report.added, report.leads, report.skipped) == (49, 50, 1)
        text, _left = await written(files, "full")
        found = json.loads(text)["peers"]
        assert len(found) == 99
        assert {one.get("peer_id") for one in found} == {None, *map(str, ids[:33] + ids[34:])}

    run(work)


def test_a_full_table_and_the_node_itself_are_reported_by_line() -> None:
    async def main() -> None:
        async with table(peers_max=2) as peers:
            files = PeerLists(cast("Runtime", World()), peers, lambda: None)
            ids = [ME.peer_id, ANNA, BOB, CEM]
            text = json.dumps({"peers": [{"peer_id": str(one), "blocked": True} for one in ids]}, indent=0)
            report = await files.import_bytes(text.encode())
            assert (report.added, report.skipped) == (2, 2)
            assert "itself" in report.problems[0].text
            assert "full" in report.problems[1].text
            assert report.blocked == [ANNA, BOB]
            assert not peers.is_blocked(CEM)

    testing.run(main())


def test_files_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "list.json"
    file.write_bytes(CLASSIC)

    async def work(_peers: PeerTable, files: PeerLists, _: list[str]) -> None:
        report: ImportReport = await files.import_file(str(file))
        assert report.leads == 2
        with pytest.raises(StorageError, match="cannot read"):
            await files.import_file("/gone")
        monkeypatch.setattr(lists, "FILE_BYTES_MAX", 10)
        with pytest.raises(InputError, match="too large"):
            await files.import_file(str(file))
        with pytest.raises(InputError, match="no list"):
            await files.import_bytes(b"hello")

    run(work)
