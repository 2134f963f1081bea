"""Resources of whole nodes, with real files: what is said outlives restarts, and events tell of it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.services.resources.pdfs import sound
from tests.support import require, run
from warren.core.entry import Metadata
from warren.node import Node
from warren.services.resources.resources import ResourceChanged
from warren.services.resources.said import Said
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from pathlib import Path


def node(tmp_path: Path) -> Node:
    return Node(replace(QUIET, home=tmp_path / "home", listen=("/ip4/127.0.0.1/tcp/0",)))


def test_what_is_said_outlives_edits_moves_and_restarts(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "a.txt").write_text("a")

    async def main() -> None:
        async with node(tmp_path) as anna:
            await anna.share(papers, said=Said(title="Papers"))
            said = await anna.resources.edit(papers / "a.txt", title="A", authors=["Anna"])
        (papers / "a.txt").rename(papers / "b.txt")
        async with node(tmp_path) as anna:
            assert (await anna.resources.show(said.cid)).metadata == said.metadata
            await anna.share(papers)
            assert (await anna.resources.show("papers/b.txt")).paths == ("papers/b.txt",)
            (papers / "b.txt").write_text("edited")
            await anna.share(papers, name="texts")
            edited = await anna.resources.show("texts/b.txt")
            assert edited.cid != said.cid
            assert edited.metadata == Metadata("A", authors=("Anna",))
            assert [(one.paths, one.metadata.title) for one in await anna.resources.all()] == [
                (("texts",), "Papers"),
                (("texts/b.txt",), "A"),
            ]

    run(main())


def test_pdf_files_of_a_folder_are_asked_in_the_background(tmp_path: Path) -> None:
    require(find_spec("pypdf"), "pypdf")
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "a.pdf").write_bytes(sound(Title="On Apples", Author="Anna", Keywords="fruit"))

    async def main() -> None:
        async with node(tmp_path) as anna:
            with contextlib.closing(anna.events()) as events:
                await anna.share(papers)
                while not isinstance(event := await anext(events), ResourceChanged):
                    pass
            assert event.metadata == Metadata("On Apples", authors=("Anna",), tags=("fruit",))
            assert (await anna.resources.show(event.cid)).paths == ("papers/a.pdf",)

    run(main())
