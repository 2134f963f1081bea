"""What is held ready for some without being shared: who gets it, what stays as it was, and how it ends."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.services.files.pair import FETCHER, SHARER, pair, write_tree
from tests.support import run
from warren.core.errors import ContentUnknown, DiskFull, LimitReached, NotFound
from warren.protocols.transfer.client import TransferClient
from warren.protocols.transfer.messages import PROTOCOL_ID, Status
from warren.services.files import index, lending

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.files.pair import Pair

PEER = FETCHER.peer_id


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "docs", {"a.txt": b"hello", "sub/b.txt": b"world"})


async def status(two: Pair, data: bytes) -> Status:
    """What the fetcher is answered that asks for a chunk of this content."""
    client = TransferClient(await two.networks[1].open_stream(two.sharer, PROTOCOL_ID))
    with closing(client):
        await client.ask_chunks([hashlib.sha256(data).digest()])
        answer = await client.next_answer(5)
        client.release(answer)
        return answer.header.status


def test_who_is_admitted_gets_it_and_sees_it_in_no_listing(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            two.contacts.clear()
            lent = await two.library.lending.lend(source)
            assert (lent.share.name, lent.share.files, lent.share.bytes) == ("docs", 2, 10)
            assert await status(two, b"hello") is Status.NOT_FOUND
            two.contacts.add(PEER)
            assert await status(two, b"hello") is Status.NOT_FOUND  # not even a contact
            two.contacts.clear()
            lent.admit(PEER)
            lent.admit(PEER)
            assert await status(two, b"hello") is Status.OK
            assert await two.fetcher.list_files(two.sharer) == []
            with pytest.raises(ContentUnknown):
                await two.fetcher.list_files(two.sharer, "docs")
            assert two.library.shares() == []
            assert [one async for one in two.library.entries()] == []
            assert await two.library.find_cid(lent.share.cid) == []
            await lent.take_back()
            await lent.take_back()
            lent.admit(PEER)
            assert await status(two, b"hello") is Status.NOT_FOUND

    run(main())


def test_what_is_shared_as_well_stays_as_it_is(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            shared = await two.library.share(source)
            lent = await two.library.lending.lend(source)
            assert lent.share.cid == shared.cid
            lent.admit(PEER)
            assert [one.name for one in await two.fetcher.list_files(two.sharer)] == ["docs"]
            (source / "c.txt").write_text("more")
            changed = await two.library.share(source)
            assert changed.files == 3
            two.contacts.clear()
            assert await status(two, b"hello") is Status.OK
            assert await status(two, b"more") is Status.NOT_FOUND
            await lent.take_back()
            assert await status(two, b"hello") is Status.NOT_FOUND
            two.contacts.add(PEER)
            assert await status(two, b"more") is Status.OK
            assert [one.files for one in two.library.shares()] == [3]

    run(main())


def test_a_restart_knows_nothing_of_it(tmp_path: Path, source: Path) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            (await two.library.lending.lend(source)).admit(PEER)
            assert await status(two, b"hello") is Status.OK
        async with pair(tmp_path) as two:
            assert await status(two, b"hello") is Status.NOT_FOUND
            assert two.library.shares() == []

    run(main())


def test_what_cannot_be_hashed_or_kept_leaves_nothing(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with pair(tmp_path) as two:
            with pytest.raises(NotFound):
                await two.library.lending.lend(tmp_path / "none")

            def full(*_: object, **__: object) -> None:
                raise DiskFull("no room")

            with monkeypatch.context() as patch:
                patch.setattr(index, "finish", full)
                with pytest.raises(DiskFull):
                    await two.library.lending.lend(source)
            two.library._sweep()
            assert two.library._sweeping is not None
            await two.library._sweeping
            left = await two.library._database.run(
                lambda db: db.execute("SELECT count(*) FROM share").fetchone()
            )
            assert left == (0,)

    run(main())


def test_so_many_may_have_it(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "AUDIENCE_PEERS_MAX", 1)

    async def main() -> None:
        async with pair(tmp_path) as two:
            lent = await two.library.lending.lend(source)
            lent.admit(PEER)
            with pytest.raises(LimitReached):
                lent.admit(SHARER.peer_id)
            assert await status(two, b"hello") is Status.OK

    run(main())
