"""Who subscribes to a library knows at any moment what is in it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.services.files.pair import pair, write_tree
from tests.support import run
from warren.core.errors import StorageError
from warren.services.files import changes, library
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from warren.services.files.library import Library
    from warren.services.files.types import FileEntry, Share


class Catalog:
    """What a listener makes of what it is told: entries by path, with their audience."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[FileEntry, str]] = {}
        self.told: list[tuple[list[str], list[str]]] = []

    async def on_changed(self, share: Share, added: Sequence[FileEntry], removed: Sequence[str]) -> None:
        self.told.append(([one.path for one in added], list(removed)))
        for path in removed:
            for known in list(self.entries):
                if known == path or known.startswith(f"{path}/"):
                    del self.entries[known]
        self.entries |= {one.path: (one, str(share.audience)) for one in added}


async def walked(library: Library) -> dict[str, tuple[FileEntry, str]]:
    return {entry.path: (entry, str(share.audience)) async for share, entry in library.entries()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "docs", {"a.txt": b"hello", "sub/b.txt": b"world", "sub/in/c": b""})


def test_what_is_told_adds_up_to_what_is_there(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PAGE_ENTRIES", 2)

    async def main() -> None:
        catalog = Catalog()
        async with pair(tmp_path) as two:
            end = two.library.subscribe(catalog.on_changed)
            share = await two.library.share(source)
            assert sorted(catalog.entries) == [
                "docs", "docs/a.txt", "docs/sub", "docs/sub/b.txt", "docs/sub/in", "docs/sub/in/c"
            ]  # fmt: skip
            assert max(len(added) for added, _ in catalog.told) == 2
            assert catalog.entries["docs"][0].cid == share.cid
            assert catalog.entries["docs/sub"][0].size == 5
            assert catalog.entries == await walked(two.library)

            catalog.told.clear()
            (source / "a.txt").write_bytes(b"hello again")
            (source / "sub" / "b.txt").unlink()
            (source / "sub" / "b.txt").mkdir()
            (source / "sub" / "in" / "c").rename(source / "d")
            await two.library.share(source)
            assert catalog.entries == await walked(two.library)
            assert catalog.told[:1] == [([], ["docs/sub/b.txt", "docs/sub/in/c"])]

            await two.library.share(source, Audience("public"), name="papers")
            assert {audience for _, audience in catalog.entries.values()} == {"public"}
            assert catalog.entries == await walked(two.library)
            assert "papers/d" in catalog.entries

            other = write_tree(tmp_path, {"one.txt": b"alone"}) / "one.txt"
            await two.library.share(other)
            assert [entry.path async for _, entry in two.library.entries(other)] == ["one.txt"]
            await two.library.unshare("papers")
            assert list(catalog.entries) == ["one.txt"]
            end()
            await two.library.unshare("one.txt")
            assert list(catalog.entries) == ["one.txt"]

    run(main())


def test_a_listener_that_fails_costs_the_share_nothing(
    tmp_path: Path, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    async def main() -> None:
        async with pair(tmp_path) as two:
            two.library.subscribe(fail)
            assert (await two.library.share(source)).files == 3

    with caplog.at_level(logging.WARNING, changes.__name__):
        run(main())
    assert "the disk is full" in caplog.text
