"""What is left out of a share: built-in rules, and what .warrenignore files say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from warren.services.files.ignoring import FETCHED, FILE_BYTES_MAX, SHARED, BadRules

if TYPE_CHECKING:
    from pathlib import Path

    from warren.services.files.ignoring import Rules


def ignored(rules: Rules, path: str, begin: int = 0) -> bool:
    """Whether a path is left out, itself or by a folder above; one that ends with '/' is a folder. begin: how
    many folders of it are not asked for.
    """
    parts = path.rstrip("/").split("/")
    return any(
        rules.ignores("/".join(parts[:depth]), name, is_folder=depth < len(parts) - 1 or path.endswith("/"))
        for depth, name in enumerate(parts)
        if depth >= begin
    )


@pytest.mark.parametrize(
    "name",
    [".git", ".a.swp", ".warrenignore", "a~", "#a#", "~$a.docx", "a.tmp", "a.part", "a.iso.crdownload",
     "Thumbs.db", "desktop.ini", "lost+found", ".warren-x.partial", "new\nline.tmp"],
)  # fmt: skip
def test_what_nobody_wants_to_share(name: str) -> None:
    assert SHARED.ignores("", name, is_folder=False)
    assert SHARED.ignores("deep/down", name, is_folder=True)
    assert FETCHED.ignores("", name, is_folder=False) is name.startswith(".")


@pytest.mark.parametrize(
    "name", ["a", "a.txt", "partial", "tmp", "a.tmp.txt", "~a", "#a", "a.parted", "thumbs"]
)
def test_what_is_shared(name: str) -> None:
    assert not SHARED.ignores("", name, is_folder=False)


def test_the_deeper_file_decides_and_takes_back() -> None:
    top = SHARED.within("", b"*.log\n/build\n!.config\n!*.tmp\n# a comment\n\nkeep/\n")
    sub = top.within("sub", b"!x.log\nonly.txt\n")
    assert ignored(top, "a.log")
    assert ignored(top, "sub/deep/a.log")
    assert ignored(top, "build/x")
    assert not ignored(top, "sub/build")
    assert not ignored(top, ".config")
    assert not ignored(top, "a.tmp")
    assert ignored(top, ".other")
    assert ignored(top, "keep/")
    inside = SHARED.within("", b"a/**\n!a/keep\n")
    assert ignored(SHARED.within("", b"**/*/**\n"), "a/b")
    assert not ignored(SHARED.within("", b"**/*/**\n"), "b")
    assert not ignored(inside, "a/keep")
    assert ignored(inside, "a/other")
    assert not ignored(top, "keep")
    assert not ignored(sub, "sub/x.log")
    assert ignored(sub, "sub/y.log")
    assert ignored(sub, "sub/deep/only.txt")


def test_no_rule_takes_back_a_fetch_under_way() -> None:
    rules = SHARED.within("", b"!*\n!.*\n")
    assert rules.ignores("", ".warren-abc.partial", is_folder=True)
    assert not rules.ignores("", ".hidden", is_folder=False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff\xfe", "UTF-8"),
        (b"#" * (FILE_BYTES_MAX + 1), "256 KiB"),
        (b"[a\n", "no \\]"),
        (b"[[:letter:]]", "class"),
        (b"a[b/]", "a / between"),
        (b"a\\", "understood"),
        (b"a\0", "no text"),
    ],
)
def test_what_cannot_be_followed_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(BadRules, match=why):
        SHARED.within("", text)


def test_a_byte_order_mark_and_foreign_line_ends_are_nothing() -> None:
    rules = SHARED.within("", b"\xef\xbb\xbfa.txt\r\nb.txt\r\n")
    assert ignored(rules, "a.txt")
    assert ignored(rules, "b.txt")


patterns = st.lists(
    st.one_of(
        st.from_regex(r"!?/?(a|b|\*|\*\.x|ab|\?|\*\*)(/(a|b|\*|\*\*)){0,2}/?", fullmatch=True),
        st.from_regex(
            r"!?(a/?|\*)?\[[!^]?[]-]?"
            r"([a!.^&|~[-]|A-b|b-a|\[:(alpha|digit|punct|upper|print):\]|\[:|\\[]ab\\-]){1,3}\](b|\*)?",
            fullmatch=True,
        ),
        st.sampled_from(["!", "! ", "!\r", "\\!", "# [", "a\x0bb"]),
    ),
    max_size=4,
)
paths = st.lists(
    st.from_regex(r"(a|b|ab|a\.x|B|1|-|\])(/(a|b|ab|a\.x|B|1)){0,3}", fullmatch=True), min_size=1, max_size=4
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


@given(patterns, patterns, paths)
@settings(max_examples=40, deadline=None)
def test_the_same_as_git(repository: Path, top: list[str], deep: list[str], wanted: list[str]) -> None:
    """What git says of the same files with the same rules, one of them in a folder."""
    for old in repository.iterdir():
        if old.is_dir() and old.name != ".git":
            shutil.rmtree(old)
        elif old.is_file():
            old.unlink()
    (repository / ".gitignore").write_text("\n".join(top))
    (repository / "a").mkdir()
    (repository / "a" / ".gitignore").write_text("\n".join(deep))
    files = [path for path in dict.fromkeys(wanted) if not _below_a_file(path, wanted)]
    files = [path for path in files if not any(other.startswith(f"{path}/") for other in wanted)]
    for path in files:
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_bytes(b"")
    done = subprocess.run(
        ["git", "-C", repository, "ls-files", "-o", "-i", "--exclude-per-directory=.gitignore", "-z"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = set(done.stdout.split("\0"))
    try:
        above = SHARED.within("", "\n".join(top).encode())
        within = above.within("a", "\n".join(deep).encode())
    except BadRules as error:
        if not re.search("has the class|has a \\[ and no", str(error)):  # such as [[:[:]] and [!]
            raise
        reject()
    for path in files:
        in_a = path.startswith("a/")
        is_left_out = in_a and above.ignores("", "a", is_folder=True)
        is_left_out = is_left_out or ignored(within if in_a else above, path, begin=1 if in_a else 0)
        assert is_left_out == (path in said), (path, top, deep)


def _below_a_file(path: str, others: list[str]) -> bool:
    return (
        any(str(above) in others or str(above) == "a/.gitignore" for above in PurePosixPath(path).parents)
        or path == "a"
    )
