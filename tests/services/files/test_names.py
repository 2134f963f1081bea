from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import MisuseError
from warren.services.files import names
from warren.services.files.names import FolderNames, NameRules, numbered, safe_join, safe_name, safe_top_name

POSIX = NameRules(windows=False)
MAC = NameRules(windows=False, case_insensitive=True)
WINDOWS = NameRules(windows=True, case_insensitive=True)

STEERING = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0x61C,
    0x200E,
    0x200F,
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
]
TRICKY = st.sampled_from(
    [
        *"./\\\0\x1b\x9b\u061c\u200e\u202e\u2028\u2066:~ aA\u00e4\u00c4",
        "e\u0301",
        "\u00e9",
        "\u0130",
        "\U0001f600",
        "CON",
        ".txt",
        "ß",
    ]
)
NAMES = st.lists(TRICKY | st.text(max_size=3), max_size=12).map("".join) | st.text(max_size=300)
RULES = st.sampled_from([POSIX, MAC, WINDOWS])


@pytest.mark.parametrize(
    ("name", "posix", "windows"),
    [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("日本語 ü 😀", "日本語 ü 😀", "日本語 ü 😀"),
        ("..", "_", "__"),
        (".", "_", "_"),
        ("", "_", "_"),
        ("../../etc/passwd", ".._.._etc_passwd", ".._.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd", "_etc_passwd"),
        ("a\0b\nc\x1b[31m", "a_b_c_[31m", "a_b_c_[31m"),
        ("photo\u202egnp.exe", "photo_gnp.exe", "photo_gnp.exe"),
        ("\x9b31m\u2066\u200f\u061c", "_31m___", "_31m___"),
        ("..\\..\\x", "..\\..\\x", ".._.._x"),
        ("C:\\x", "C:\\x", "C__x"),
        ("what?.txt", "what?.txt", "what_.txt"),
        ("con", "con", "_con"),
        ("AUX.c", "AUX.c", "_AUX.c"),
        ("com1 .txt", "com1 .txt", "_com1 .txt"),
        ("LPT¹", "LPT¹", "_LPT¹"),
        ("console", "console", "console"),
        ("trailing. .", "trailing. .", "trailing___"),
        (".hidden", ".hidden", ".hidden"),
    ],
)
def test_known_names(name: str, posix: str, windows: str) -> None:
    assert safe_name(name, POSIX) == (posix, "" if posix == name else names.NOT_ALLOWED)
    assert safe_name(name, WINDOWS) == (windows, "" if windows == name else names.NOT_ALLOWED)


def test_a_name_that_is_too_long_keeps_its_extension() -> None:
    safe, reason = safe_name("ü" * 200 + ".tar", POSIX)
    assert reason == names.TOO_LONG
    assert len(safe.encode()) == 255
    assert safe.endswith(".tar")
    assert safe != safe_name("ü" * 201 + ".tar", POSIX)[0]
    assert len(safe_name("a." + "b" * 300, POSIX)[0].encode()) == 255


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".bashrc", "_bashrc"),
        ("..x", "_x"),
        ("...", "_"),
        ("a.b", "a.b"),
        (".warren-x.partial", "_warren-x.partial"),
    ],
)
def test_nothing_hidden_lands_in_the_download_folder(name: str, expected: str) -> None:
    assert safe_top_name(name, POSIX)[0] == expected
    assert len(safe_top_name("a" * 300, POSIX)[0]) == names.TOP_NAME_BYTES_MAX


def test_numbers_stand_before_the_extension() -> None:
    assert [numbered("a.txt", number) for number in (1, 2, 3)] == ["a.txt", "a (2).txt", "a (3).txt"]
    assert numbered("folder", 2) == "folder (2)"


def test_collisions_get_a_mark_that_depends_on_the_name_alone() -> None:
    folder = FolderNames(MAC)
    assert folder.claim("Read.me") == ("Read.me", "")
    assert folder.claim("READ.me") == ("READ~c9f2dfe2.me", names.TAKEN)
    assert folder.claim("e\u0301") == ("e\u0301", "")
    assert folder.claim("\u00e9")[1] == names.TAKEN
    other = FolderNames(MAC)
    other.claim("read.ME")
    assert other.claim("READ.me") == ("READ~c9f2dfe2.me", names.TAKEN)


def test_case_matters_where_the_disk_keeps_it() -> None:
    folder = FolderNames(POSIX)
    assert [folder.claim(name) for name in ("a", "A", "\u00e9", "e\u0301")] == [
        ("a", ""), ("A", ""), ("\u00e9", ""), ("e\u0301", "")
    ]  # fmt: skip


@given(st.lists(NAMES, max_size=20), RULES)
def test_every_claim_is_safe_and_unique(wanted: list[str], rules: NameRules) -> None:
    folder = FolderNames(rules)
    claimed = [folder.claim(name) for name in wanted]
    local = [name for name, _ in claimed]
    keys = {name.casefold() for name in local} if rules.case_insensitive else set(local)
    assert len(keys) == len(wanted)
    for original, (name, reason) in zip(wanted, claimed, strict=True):
        assert safe_join("/top", [name]) == f"/top/{name}"
        assert os.path.normpath(f"/top/{name}") == f"/top/{name}"
        assert len(name.encode()) <= 255
        assert bool(reason) == (name != original)
        assert not set(map(ord, name)) & set(STEERING)
        if rules.windows:
            assert not set(name) & set('\\<>:"|?*')
            assert name[-1] not in ". "


@pytest.mark.parametrize("rules", [POSIX, WINDOWS])
def test_nothing_that_steers_a_terminal_or_turns_text_comes_through(rules: NameRules) -> None:
    for code in STEERING:
        assert safe_name(f"a{chr(code)}b", rules) == ("a_b", names.NOT_ALLOWED)
        with pytest.raises(MisuseError):
            safe_join("/top", [f"a{chr(code)}b"])


@given(NAMES, RULES)
def test_a_safe_name_stays(name: str, rules: NameRules) -> None:
    safe, _ = safe_name(name, rules)
    assert safe_name(safe, rules) == (safe, "")


@given(NAMES, RULES)
def test_a_top_name_is_safe_and_visible(name: str, rules: NameRules) -> None:
    safe, reason = safe_top_name(name, rules)
    assert not safe.startswith(".")
    assert safe_name(safe, rules) == (safe, "")
    assert bool(reason) == (safe != name)


@pytest.mark.parametrize("part", ["", ".", "..", "a/b", "/", "a\0"])
def test_join_refuses_what_never_went_through_safe_name(part: str) -> None:
    with pytest.raises(MisuseError):
        safe_join("/top", ["fine", part])
