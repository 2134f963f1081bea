from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from tests.services.files.liar import PEER, Liar, lying
from tests.services.files.pair import read_tree
from tests.services.files.parts import add_chunk, add_folder
from tests.support import run
from warren.core.errors import Closed, InputError, LimitReached, ProtocolViolation, WarrenError
from warren.protocols.transfer.messages import Entry, Kind, Listing
from warren.services.files import fetcher as module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from warren.services.files.types import FileEntry


def entries(*names: str) -> list[Entry]:
    return [Entry(name, Kind.FILE, 1, b"\x01\x55\x12\x20" + bytes(32)) for name in names]


def listed(pages: Callable[[str], Listing]) -> list[FileEntry]:
    async def main() -> list[FileEntry]:
        source = Liar()
        source.pages = pages
        async with lying(source) as two:
            return await two.fetcher.list_files(PEER)

    return run(main())


def test_pages_follow_on_each_other() -> None:
    pages = {"": Listing(None, entries("B", "a"), more=True), "a": Listing(None, entries("a\n", "ü"))}
    assert [entry.name for entry in listed(pages.__getitem__)] == ["B", "a", "a\n", "ü"]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Listing(None, entries("a", "b"), more=True), "out of order"),
        (Listing(None, entries("b", "a")), "out of order"),
        (Listing(None, entries("a", "a")), "out of order"),
        (Listing(None, [], more=True), "empty page"),
    ],
)
def test_pages_that_lead_nowhere_name_the_peer(page: Listing, reason: str) -> None:
    with pytest.raises(ProtocolViolation, match=f"{PEER} .*{reason}"):
        listed(lambda _: page)


def test_a_listing_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LISTED_MAX", 25)
    numbers = itertools.count()

    def endless(_: str) -> Listing:
        return Listing(None, entries(*(f"{next(numbers):06}" for _ in range(10))), more=True)

    with pytest.raises(LimitReached, match="more than 25 entries"):
        listed(endless)
    assert next(numbers) == 30


def test_one_place_under_two_names_is_one_place(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "other name").symlink_to(target)

    async def main() -> None:
        source = Liar()
        source.offer(add_folder(source, [add_chunk(source, b"x", "x")]), 1)
        source.gate.clear()  # so the first to come is under way until the others were refused
        async with lying(source) as two:
            folders = [target, tmp_path / "other name", target / ".." / "target"]
            tasks = [asyncio.create_task(two.fetch(folder)) for folder in folders]
            for refused in itertools.islice(asyncio.as_completed(tasks), 2):
                with pytest.raises(InputError, match="is being fetched into"):
                    await refused
            source.gate.set()
            (outcome,) = [await task for task in tasks if not task.done() or task.exception() is None]
            assert outcome.path.name == "top"
            assert (await two.fetch(folders[1])).already_there

    run(main())
    assert read_tree(target) == {"top": None, "top/x": b"x"}


def test_a_closed_fetcher_starts_nothing_and_stops_what_runs(tmp_path: Path) -> None:
    async def main() -> None:
        source = Liar()
        source.offer(add_folder(source, [add_chunk(source, b"x", "x")]), 1)
        source.gate.clear()
        async with lying(source) as two:
            transfer = two.fetcher.get("top", tmp_path, peers=[PEER])
            for _ in range(2):
                await anext(aiter(transfer))
            await two.fetcher.close()
            assert transfer.done
            with pytest.raises(asyncio.CancelledError):
                await transfer.result()
            with pytest.raises(Closed):
                two.fetcher.get("top", tmp_path, peers=[PEER])

    run(main())


def test_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    async def main() -> None:
        source = Liar()
        source.offer(add_folder(source, [add_chunk(source, b"x", "x")]), 1)
        async with lying(source) as two:
            for folder in ("file", "file/below"):
                with pytest.raises(WarrenError, match="something else is in its way") as caught:
                    await two.fetch(tmp_path / folder)
                assert "-o" in caught.value.hint

    run(main())
    assert (tmp_path / "file").read_text() == "mine"
