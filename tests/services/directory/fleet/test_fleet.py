"""Super-peers that share one index and one presence, by real Redis servers that are killed and emptied."""

from __future__ import annotations

import logging
import re
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.directory.conformance_index import ALICE, BOB, CAROL, REPORT, find
from tests.services.directory.fleet.members import Member, soon
from tests.services.directory.fleet.redis_server import DURABLE, redis_cluster, redis_server
from tests.services.directory.naive_index import FRIENDS, listed, peer
from tests.support import run
from warren.runtime.real.redis import connect
from warren.services.directory.fleet import shard
from warren.services.directory.fleet.keys import Keys, shard_of
from warren.services.directory.fleet.records import unpack
from warren.services.directory.fleet.store import Store
from warren.services.directory.index.interface import Gap, Stale

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.services.directory.fleet.redis_server import RedisServer
    from warren.core.peer_id import PeerId


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as one:
        yield one


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis", *DURABLE) as one:
        yield one


@asynccontextmanager
async def members(url: str, folder: Path, *names: str) -> AsyncIterator[list[Member]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Member.open(url, folder / f"{name}.db", name)) for name in names
        ]


def test_what_is_registered_at_one_is_found_at_the_other(server: RedisServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "a", "b") as (a, b):
            await a.index.replace(ALICE, 1, 1, [listed("S/report.txt"), listed("S/song.txt")])
            await soon(lambda: b.index.public_position(ALICE) == (1, 1))
            assert await find(b.index, "report") == ["S/report.txt"]
            assert (b.index.owners(), b.index.size(ALICE)) == ([ALICE], 2)
            await a.index.apply(ALICE, 1, 1, 3, [listed("S/report 2.txt")], ["S/report.txt"])
            took = await soon(lambda: b.index.public_position(ALICE) == (1, 3))
            assert took < 1.0
            assert await find(b.index, "report") == ["S/report 2.txt"]
            await a.index.forget(ALICE)
            await soon(lambda: b.index.owners() == [])
            assert await find(b.index, "report") == []

    run(main())


def test_the_rights_that_the_documentation_names_are_enough(server: RedisServer, tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "install.md").read_text()
    (rights,) = re.findall(r"`(~warren:1:\* [^`]*)`", page)
    assert server.say("ACL", "SETUSER", "bob", "on", ">secret", *rights.split()).startswith(b"+OK")
    url = server.url.replace("redis://", "redis://bob:secret@")

    async def main() -> None:
        async with members(url, tmp_path, "a", "b") as (a, b):
            await a.index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            a.take_lease(ALICE)
            await soon(lambda: b.index.public_position(ALICE) == (1, 1) and b.super_peer.is_online(ALICE))
            await a.index.apply(ALICE, 1, 1, 2, [listed("S/song.txt")], [])
            await soon(lambda: b.index.public_position(ALICE) == (1, 2))
            a.super_peer.leave(ALICE)
            await a.index.forget(ALICE)
            await soon(lambda: b.index.owners() == [] and not b.super_peer.is_online(ALICE))
            assert not a.fleet.status.problem

    run(main())


def test_a_newcomer_builds_its_index_from_snapshots_and_deltas(server: RedisServer, tmp_path: Path) -> None:
    many = [listed(f"S/report {n} of the year.txt") for n in range(5000)]

    async def main() -> None:
        async with members(server.url, tmp_path, "a") as (a,):
            await a.index.replace(ALICE, 1, 7, many)
            await a.index.apply(ALICE, 1, 7, 8, [listed("S/song.txt")], ["S/report 0 of the year.txt"])
            await a.index.replace(BOB, 1, 1, [])
            await a.index.apply(BOB, 1, 1, 2, [listed("S/song of bob.txt")], [])
            await soon(lambda: not a.fleet.status.waiting)
        async with members(server.url, tmp_path, "b") as (b,):
            await soon(lambda: (b.index.size(ALICE), b.index.size(BOB)) == (5000, 1))
            assert sorted(await find(b.index, "song")) == ["S/song of bob.txt", "S/song.txt"]
            assert await find(b.index, '"0" year') == []

    run(main())


def test_who_comes_back_reads_what_it_missed_and_no_more(server: RedisServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "a") as (a,):
            async with members(server.url, tmp_path, "b") as (b,):
                await a.index.replace(ALICE, 1, 1, [listed("S/report.txt")])
                await a.index.replace(BOB, 1, 1, [listed("S/bobs.txt")])
                await soon(lambda: len(b.index.owners()) == 2)
            await a.index.apply(ALICE, 1, 1, 2, [listed("S/report 2.txt")], [])
            await a.index.forget(BOB)
            await soon(lambda: not a.fleet.status.waiting)
            async with members(server.url, tmp_path, "b") as (b,):
                assert b.index.public_position(ALICE) == (1, 1)
                await soon(lambda: b.index.public_position(ALICE) == (1, 2) and b.index.owners() == [ALICE])
                assert len(await find(b.index, "report")) == 2

    run(main())


def test_two_are_told_by_the_same_owner_and_both_have_all(server: RedisServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "a", "b", "c") as (a, b, c):
            for one in (a, b):
                await one.index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            for seq in range(1, 30):
                for one in (a, b) if seq % 2 else (b, a):
                    await one.index.apply(ALICE, 1, seq, seq + 1, [listed(f"S/report {seq}.txt")], [])
            await soon(lambda: c.index.public_position(ALICE) == (1, 30))
            assert {one.index.size(ALICE) for one in (a, b, c)} == {30}
            await a.index.replace(ALICE, 2, 0, [listed("S/new report.txt")])  # her log was lost
            await soon(lambda: b.index.public_position(ALICE) == c.index.public_position(ALICE) == (2, 0))
            assert b.index.position(ALICE) is None
            with pytest.raises(Stale):
                await b.index.replace(ALICE, 1, 99, [])
            await b.index.replace(ALICE, 2, 0, [listed("S/new report.txt")])
            assert await find(b.index, "report") == ["S/new report.txt"]

    run(main())


def test_who_has_told_another_more_is_told_so(server: RedisServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "a", "b") as (a, b):
            await a.index.replace(ALICE, 1, 7, [listed("S/report.txt")])
            await soon(lambda: b.index.public_position(ALICE) == (1, 7))
            with pytest.raises(Gap) as caught:  # she went on while she sent it, or lost a part of her log
                await b.index.replace(ALICE, 1, 5, [listed("S/old report.txt")])
            assert caught.value.position == (1, 7)
            b.take_lease(ALICE)
            assert await find(b.index, "report") == ["S/report.txt"]
            await b.index.replace(ALICE, 1, 8, [listed("S/new report.txt")])
            await soon(lambda: a.index.public_position(ALICE) == (1, 8))
            assert await find(a.index, "report") == ["S/new report.txt"]

    run(main())


def test_what_is_not_for_everybody_stays_where_it_was_told(server: RedisServer, tmp_path: Path) -> None:
    secret = listed("S/secret report.txt", audience=FRIENDS)

    async def main() -> None:
        async with members(server.url, tmp_path, "a", "b") as (a, b):
            for one in (a, b):
                one.index.set_admits(
                    lambda owner, audience, asker: (owner, audience, asker) == (ALICE, FRIENDS, BOB)
                )
            await a.index.replace(ALICE, 1, 1, [listed("S/report.txt"), secret])
            await b.index.replace(ALICE, 1, 1, [listed("S/report.txt")])  # she does not admit this one
            await a.index.apply(ALICE, 1, 1, 2, [listed("S/secret 2.txt", audience=FRIENDS)], [])
            await soon(lambda: b.index.public_position(ALICE) == (1, 2))
            assert (a.index.position(ALICE), b.index.position(ALICE)) == ((1, 2), (1, 1))
            assert await find(b.index, "secret", BOB) == []
            assert sorted(await find(a.index, "secret", BOB)) == ["S/secret 2.txt", "S/secret report.txt"]
            assert await find(a.index, "secret", CAROL) == []
            (hit,) = (await a.index.search(REPORT, None)).hits
            assert hit.owner == ALICE
            # What was for everybody is for friends, and the other way round.
            moved = [listed("S/report.txt", audience=FRIENDS), listed("S/secret report.txt")]
            await a.index.apply(ALICE, 1, 2, 3, moved, [])
            await soon(lambda: b.index.public_position(ALICE) == (1, 3))
            assert await find(b.index, "report", BOB) == ["S/secret report.txt"]
            assert sorted(await find(a.index, "report", BOB)) == ["S/report.txt", "S/secret report.txt"]
            assert (a.index.size(ALICE), b.index.size(ALICE)) == (3, 1)
            # Nor does the store learn what such files are called.
            await a.index.apply(ALICE, 1, 3, 4, [], ["S/secret 2.txt", "S/secret report.txt"])
            await soon(lambda: b.index.public_position(ALICE) == (1, 4))
            assert b.index.size(ALICE) == 0
        seen = ["S/report.txt"] * 2 + ["S/secret report.txt"] * 2
        assert await whole_log(server, ALICE) == seen

    run(main())


async def whole_log(server: RedisServer, owner: PeerId) -> list[str]:
    """Every path that the store has of an owner."""
    connection = await connect(server.url, server.url)
    try:
        _, pieces = await Store(connection, shard_of(owner), owner).read(owner, "-")
    finally:
        await connection.close()
    registrations = [unpack(piece) for _, piece in pieces]
    return sorted(
        path for one in registrations for path in (*(added.entry.path for added in one.added), *one.removed)
    )


def test_who_is_online_at_one_is_at_the_other_until_it_leaves(server: RedisServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "a", "b") as (a, b):
            await a.index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            a.take_lease(ALICE)
            assert await soon(lambda: b.super_peer.is_online(ALICE)) < 1.0
            await soon(lambda: b.index.public_position(ALICE))
            assert await find(b.index, "report", online=True) == ["S/report.txt"]
            b.take_lease(ALICE)
            await soon(lambda: ALICE in a.fleet._shard(ALICE).elsewhere)
            a.super_peer.leave(ALICE)
            await soon(lambda: ALICE not in b.fleet._shard(ALICE).elsewhere)
            assert a.super_peer.is_online(ALICE)
            assert b.super_peer.is_online(ALICE)
            b.super_peer.leave(ALICE)
            assert await soon(lambda: not a.super_peer.is_online(ALICE)) < 1.0
            assert not b.super_peer.is_online(ALICE)
            assert await find(a.index, "report", online=True) == []

    run(main())


def test_a_lease_of_a_super_peer_that_is_killed_ends(server: RedisServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "b") as (b,):
            async with Member.open(server.url, tmp_path / "a.db", "a", goodbye=False) as a:
                began = time.monotonic()
                a.take_lease(ALICE, valid_s=1.0)
                a.take_lease(BOB, valid_s=30.0)
                await soon(lambda: b.super_peer.is_online(ALICE) and b.super_peer.is_online(BOB))
                await soon(lambda: a.me_is_there_at(b))
            async with members(server.url, tmp_path, "c") as (c,):  # who comes later, too
                await soon(lambda: c.super_peer.is_online(BOB))
                await soon(lambda: not b.super_peer.is_online(ALICE) and not c.super_peer.is_online(ALICE))
                assert 0.9 < time.monotonic() - began < 3.0
                assert b.super_peer.is_online(BOB)

    run(main())


def test_a_renewed_lease_lasts(server: RedisServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "a", "b") as (a, b):
            a.take_lease(ALICE, valid_s=0.5)
            await soon(lambda: b.super_peer.is_online(ALICE))
            a.fleet.lease(ALICE, 30.0)
            until = time.monotonic() + 1.0
            await soon(lambda: time.monotonic() > until or not b.super_peer.is_online(ALICE))
            assert b.super_peer.is_online(ALICE)

    run(main())


def test_redis_is_killed_and_comes_back(
    durable: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="warren.services.directory.fleet")

    async def main() -> None:
        async with members(durable.url, tmp_path, "a", "b") as (a, b):
            await a.index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            a.take_lease(ALICE)
            await soon(lambda: b.index.public_position(ALICE) and b.super_peer.is_online(ALICE))
            durable.kill()
            await soon(lambda: a.fleet.status.problem and b.fleet.status.problem)
            assert await find(b.index, "report", online=True) == ["S/report.txt"]
            await a.index.apply(ALICE, 1, 1, 2, [listed("S/report 2.txt")], [])
            await a.index.apply(ALICE, 1, 2, 3, [listed("S/report 3.txt")], ["S/report 2.txt"])
            await b.index.replace(BOB, 1, 1, [listed("S/bobs report.txt")])
            b.take_lease(BOB)
            assert a.fleet.status.waiting == 1
            durable.start()
            await soon(lambda: b.index.public_position(ALICE) == (1, 3), 20.0)
            await soon(lambda: a.index.public_position(BOB) and a.super_peer.is_online(BOB), 20.0)
            await soon(lambda: not a.fleet.status.problem and not a.fleet.status.waiting)
            for one in (a, b):
                assert sorted(await find(one.index, "report", online=True)) == [
                    "S/bobs report.txt",
                    "S/report 3.txt",
                    "S/report.txt",
                ]
        said = [one.getMessage() for one in caplog.records if "shared" in one.getMessage()]
        assert len([one for one in said if "again" in one]) == 2
        assert len(said) <= 8

    run(main())


def test_redis_comes_back_empty(durable: RedisServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with members(durable.url, tmp_path, "a", "b") as (a, b):
            await a.index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            await b.index.replace(BOB, 1, 4, [listed("S/bobs report.txt")])
            a.take_lease(ALICE)
            await soon(lambda: b.index.public_position(ALICE) and a.index.public_position(BOB))
            await soon(lambda: b.super_peer.is_online(ALICE))
            durable.kill()
            durable.lose_all()
            durable.start()
            async with members(durable.url, tmp_path, "c") as (c,):
                await soon(lambda: len(c.index.owners()) == 2 and c.super_peer.is_online(ALICE), 20.0)
                assert len(await find(c.index, "report")) == 2
            assert sorted(a.index.owners()) == sorted(b.index.owners()) == sorted([ALICE, BOB])

    run(main())


def test_a_store_without_memory_is_named_and_nothing_is_lost(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "a", "b") as (a, b):
            await soon(lambda: a.me_is_there_at(b))
            server.say("CONFIG", "SET", "maxmemory", "1")
            await a.index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            await soon(lambda: "no memory left" in a.fleet.status.problem)
            assert await find(a.index, "report") == ["S/report.txt"]
            server.say("CONFIG", "SET", "maxmemory", "0")
            await soon(lambda: b.index.public_position(ALICE) == (1, 1), 20.0)
            await soon(lambda: not a.fleet.status.problem)
        assert len([one for one in caplog.records if "no memory left" in one.getMessage()]) <= 2

    run(main())


def test_what_makes_no_sense_in_the_store_is_left_out_and_named(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with members(server.url, tmp_path, "a") as (a,):
            await a.index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            await soon(lambda: not a.fleet.status.waiting)
        keys = Keys(shard_of(ALICE))
        server.say("XADD", keys.log(ALICE), "9-0", "piece", "dnonsense")
        record = f"{1:019} {9:019} {1:019} 10 10"
        server.say("HSET", keys.owners, str(ALICE), record, "nobody", record, str(BOB), "far")
        server.say("SADD", keys.leased, "nobody", f"{ALICE} {BOB} {CAROL}")
        async with members(server.url, tmp_path, "b") as (b,):
            await soon(lambda: b.index.public_position(ALICE) == (1, 1))
            for who, more in (("x", "y"), (str(ALICE), "z"), (f"{ALICE} {BOB}", "soon")):
                for kind in ("registered", "forgotten", "leased", "left", "risen"):
                    server.say("XADD", keys.changes, "*", "kind", kind, "who", who, "more", more)
            server.say("XADD", keys.changes, "*", "kind", "registered", "who", str(CAROL), "more", str(BOB))
            async with members(server.url, tmp_path, "c") as (c,):
                await c.index.replace(BOB, 1, 1, [listed("S/bobs report.txt")])
                await soon(lambda: b.index.public_position(BOB) == (1, 1))
            assert await find(b.index, "report") != []
        said = " ".join(one.getMessage() for one in caplog.records)
        for what in ("is left out", "no registration", "no lease", "a change that is none"):
            assert what in said

    run(main())


def test_many_deltas_are_put_together(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "LOG_MIN_BYTES", 4096)

    async def main() -> None:
        async with members(server.url, tmp_path, "a", "b") as (a, b):
            await a.index.replace(ALICE, 1, 0, [listed("S/report.txt")])
            for seq in range(20):
                some = [listed(f"S/{seq} {n} {peer(seq * 1000 + n)}.txt") for n in range(20)]
                await a.index.apply(ALICE, 1, seq, seq + 1, some, [one.entry.path for one in some[:-1]])
                await soon(lambda: not a.fleet.status.waiting)
            await soon(lambda: b.index.public_position(ALICE) == (1, 20))
            assert int(server.say("XLEN", Keys(shard_of(ALICE)).log(ALICE))[1:-2]) < 8
        async with members(server.url, tmp_path, "c") as (c,):
            await soon(lambda: c.index.public_position(ALICE) == (1, 20))
            assert c.index.size(ALICE) == b.index.size(ALICE) == 401

    run(main())


def test_a_fleet_on_a_cluster(tmp_path: Path) -> None:
    async def main(servers: list[RedisServer]) -> None:
        owners = [peer(number) for number in range(64)]
        assert len({shard_of(owner) for owner in owners}) == 8
        async with (
            members(servers[0].url, tmp_path, "a") as (a,),
            members(servers[1].url, tmp_path, "b") as (b,),
        ):
            for owner in owners:
                await a.index.replace(owner, 1, 1, [listed("S/report.txt")])
                a.take_lease(owner)
                await a.index.apply(owner, 1, 1, 2, [listed("S/song.txt")], [])
            await soon(lambda: all(b.index.public_position(owner) == (1, 2) for owner in owners))
            await soon(lambda: all(b.super_peer.is_online(owner) for owner in owners))
            a.super_peer.leave(owners[0])
            await a.index.forget(owners[1])
            await soon(lambda: not b.super_peer.is_online(owners[0]))
            await soon(lambda: len(b.index.owners()) == len(owners) - 1)
            assert all(int(server.say("DBSIZE")[1:-2]) > 0 for server in servers)

    with redis_cluster(tmp_path / "cluster") as servers:
        run(main(servers))
