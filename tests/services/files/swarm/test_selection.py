from __future__ import annotations

from typing import TYPE_CHECKING

from warren.services.files.swarm.selection import Selection
from warren.services.files.walk import MakeFile, MakeFolder, MakeSymlink, TargetFile

if TYPE_CHECKING:
    from warren.services.files.walk import Step


def file(path: str, source: str | None = None, size: int = 5) -> MakeFile:
    return MakeFile(TargetFile(path, path if source is None else source, size), [], 0)


def chosen(selection: Selection, *steps: Step) -> list[str]:
    return [
        one.file.path
        if isinstance(one, MakeFile)
        else f"{one.path}/"
        if isinstance(one, MakeFolder)
        else one.path
        for step in steps
        for one in selection.of(step)
    ]


def test_only_folders_with_something_in_them_are_made_and_once() -> None:
    selection = Selection(lambda path: path.endswith(".txt"))
    steps: list[Step] = [
        MakeFolder(""), MakeFolder("a"), MakeFolder("a/b"), file("a/b/x.txt"), file("a/b/y.bin"),
        file("a/z.txt"), MakeFolder("c"), file("c/w.bin"),
    ]  # fmt: skip
    assert chosen(selection, *steps) == ["/", "a/", "a/b/", "a/b/x.txt", "a/z.txt"]
    assert (selection.count, selection.bytes, selection.found) == (2, 10, True)


def test_the_path_at_the_source_counts() -> None:
    selection = Selection(lambda path: path == "Readme")
    assert chosen(selection, file("Readme~1", "Readme"), file("README", "README")) == ["/", "Readme~1"]


def test_the_parts_of_a_file_are_selected_together() -> None:
    asked: list[str] = []

    def select(path: str) -> bool:
        asked.append(path)
        return path == "big"

    selection = Selection(select)
    big, other = TargetFile("big", "big", 9), TargetFile("other", "other", 9)
    steps = [MakeFile(one, [], number) for number, one in enumerate((big, big, big, other, other))]
    assert chosen(selection, *steps) == ["/", "big", "big", "big"]
    assert asked == ["big", "other"]
    assert (selection.count, selection.bytes) == (1, 9)


def test_symlinks_and_the_root_itself() -> None:
    selection = Selection(lambda path: path == "s/link")
    assert chosen(selection, MakeSymlink("s/link", "s/link", "x"), MakeSymlink("t", "t", "x")) == [
        "/", "s/", "s/link"
    ]  # fmt: skip
    assert (selection.found, selection.count) == (True, 0)
    lone = Selection(lambda _: False)
    assert chosen(lone, file("")) == [""]
    assert chosen(lone, MakeSymlink("", "", "x")) == [""]
    assert not Selection(lambda _: False).found
