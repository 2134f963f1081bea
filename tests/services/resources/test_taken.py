"""What PDF files say of themselves: taken once, under what was said by hand, and never without the extra."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.services.resources.bench import bench
from tests.services.resources.pdfs import sound
from tests.support import require, run
from warren.core.entry import Metadata
from warren.services.resources import pdf, store
from warren.services.resources.resources import NO_EXTRA, ResourceChanged
from warren.services.resources.said import Said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services.resources.bench import Bench
    from warren.runtime.seam import ReadFile


@pytest.fixture
def apples() -> bytes:
    require(find_spec("pypdf"), "pypdf")
    return sound(Title="On Apples", Author="Anna", Keywords="fruit")


async def looked_through(one: Bench, changes: int) -> None:
    """Run until so many changes were told."""
    enough = asyncio.Event()
    one.resources.listen(lambda _: enough.set() if len(one.told) >= changes else None)
    work = asyncio.create_task(one.resources.run())
    await enough.wait()
    work.cancel()


def test_a_pdf_is_asked_when_it_is_shared_and_when_it_changes(tmp_path: Path, apples: bytes) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            first = one.shelf.put("papers/sub/A.PDF", apples)
            await one.resources.look_at(share, first, "sub/A.PDF")
            found = await one.resources.show("papers/sub/A.PDF")
            assert found.metadata == Metadata("On Apples", authors=("Anna",), tags=("fruit",))
            assert found.by_hand == ()
            second = one.shelf.put("papers/sub/A.PDF", sound(Title="On Pears"))
            await one.resources.look_at(share, second, "sub/A.PDF")
            assert [each.metadata for each in await one.resources.all()] == [Metadata("On Pears")]
            assert one.told[1:] == [
                ResourceChanged(first, Metadata()),
                ResourceChanged(second, Metadata("On Pears")),
            ]

    run(main())


def test_what_the_user_said_wins(tmp_path: Path, apples: bytes) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            cid = one.shelf.put("papers/a.pdf", apples)
            await one.resources.edit("papers/a.pdf", title="Mine", tags=[])
            await one.resources.look_at(share, cid, "a.pdf")
            assert (await one.resources.show(cid)).metadata == Metadata("Mine", authors=("Anna",))
            edited = one.shelf.put("papers/a.pdf", sound(Title="Other", Author="Ben", Keywords="x"))
            await one.resources.look_at(share, edited, "a.pdf")
            assert (await one.resources.show(edited)).metadata == Metadata("Mine", authors=("Ben",))
            cleared = await one.resources.clear(edited)
            assert cleared.metadata == Metadata("Other", authors=("Ben",), tags=("x",))

    run(main())


def test_a_folder_is_looked_through_and_each_file_read_once(
    tmp_path: Path, apples: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    real = pdf.read

    def read(file: ReadFile, now: Callable[[], float]) -> Metadata:
        reads.append(file)
        return real(file, now)

    monkeypatch.setattr(pdf, "read", read)

    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.put("papers/a.pdf", apples)
            one.shelf.put("papers/copy.pdf", apples)
            one.shelf.put("papers/bad.pdf", b"%PDF-1.4 broken")
            one.shelf.put("papers/z.pdf", sound(Title="Last"))
            one.shelf.put("papers/a.txt", b"no PDF")
            await looked_through(one, 2)
            found = [(each.paths, each.metadata.title) for each in await one.resources.all()]
            assert found == [
                (("papers/a.pdf", "papers/copy.pdf"), "On Apples"),
                (("papers/z.pdf",), "Last"),
            ]
            assert len(reads) == 3
        async with bench(tmp_path, shelf=one.shelf) as again:
            again.shelf.put("more/new.pdf", sound(Title="New"))
            await looked_through(again, 1)
            assert len(reads) == 4

    run(main())


def test_a_file_of_which_the_user_spoke_first_is_asked_all_the_same(tmp_path: Path, apples: bytes) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.put("papers/a.pdf", apples)
            await one.resources.edit("papers/a.pdf", title="Mine")
            await looked_through(one, 2)
            assert [each.metadata for each in await one.resources.all()] == [
                Metadata("Mine", authors=("Anna",), tags=("fruit",))
            ]

    run(main())


def test_a_file_that_is_shared_alone_is_asked_before_that_returns(tmp_path: Path, apples: bytes) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            one.shelf.tree["a.pdf"] = {"": apples}
            (tmp_path / "shared").mkdir()
            (tmp_path / "shared" / "a.pdf").write_bytes(apples)
            (share,) = one.shelf.shares()
            await one.resources.shared(share, Said(licence="MIT"))
            found = await one.resources.show("a.pdf")
            assert (found.metadata.title, found.metadata.licence) == ("On Apples", "MIT")

    run(main())


def test_a_file_that_is_gone_or_a_link_is_asked_another_time(tmp_path: Path, apples: bytes) -> None:
    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            cid = one.shelf.put("papers/a.pdf", apples)
            (tmp_path / "elsewhere.pdf").write_bytes(apples)
            (share / "a.pdf").unlink()
            await one.resources.look_at(share, cid, "a.pdf")
            (share / "a.pdf").symlink_to(tmp_path / "elsewhere.pdf")
            await one.resources.look_at(share, cid, "a.pdf")
            assert await one.resources.all() == []
            (share / "a.pdf").unlink()
            (share / "a.pdf").write_bytes(apples)
            await one.resources.look_at(share, cid, "a.pdf")
            assert len(await one.resources.all()) == 1

    run(main())


def test_too_many_files_are_told_of_once(
    tmp_path: Path, apples: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "OWN_MAX", 1)

    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            await one.resources.look_at(share, one.shelf.put("papers/a.pdf", apples), "a.pdf")
            for name in ("b.pdf", "c.pdf"):
                cid = one.shelf.put(f"papers/{name}", sound(Title=name))
                await one.resources.look_at(share, cid, name)
            assert len(await one.resources.all()) == 1

    run(main())
    assert caplog.text.count("1 files and folders are described") == 1


def test_without_the_extra_there_is_a_note_once_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pdf, "find_spec", lambda _: None)

    async def main() -> None:
        async with bench(tmp_path) as one:
            share = tmp_path / "shared" / "papers"
            for name in ("a.pdf", "b.pdf", "c.txt"):
                await one.resources.look_at(share, one.shelf.put(f"papers/{name}", b"%PDF-1.4"), name)
            one.resources.look_through(share)
            await one.resources._look_at_next()
            await one.resources.edit("papers/a.pdf", title="By hand")
            assert [each.metadata.title for each in await one.resources.all()] == ["By hand"]

    run(main())
    assert caplog.messages == [NO_EXTRA]
