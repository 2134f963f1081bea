from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.services.files.links import (
    ABSOLUTE,
    ENDLESS,
    HOPS_MAX,
    LEADS_OUT,
    NOT_ALLOWED,
    THROUGH_REFUSED,
    judge,
)
from warren.services.files.names import NameRules
from warren.services.files.walk import MakeSymlink

POSIX = NameRules(windows=False)
MAC = NameRules(windows=False, case_insensitive=True)
WINDOWS = NameRules(windows=True, case_insensitive=True)


def reasons(links: dict[str, str], rules: NameRules = POSIX) -> dict[str, str]:
    """The reason for each path that is refused."""
    made = [MakeSymlink(path, path, target) for path, target in links.items()]
    return {link.path: reason for link, reason in zip(made, judge(made, rules), strict=True) if reason}


@pytest.mark.parametrize(
    ("links", "refused"),
    [
        ({"a": "b", "b": "not there", "d/up": "../b", "d/e/self": "."}, {}),
        ({"a": "/etc/passwd", "b": "x\0y"}, {"a": ABSOLUTE, "b": NOT_ALLOWED}),
        ({"a": "..", "d/b": "../..", "c": "x/../.."}, dict.fromkeys(["a", "d/b", "c"], LEADS_OUT)),
        # Out and back in, which would hold under one name only.
        ({"a": "../content/b", "b": "c"}, {"a": LEADS_OUT}),
        # Out by way of one another, there or not.
        ({"here": ".", "sly": "here/.."}, {"sly": LEADS_OUT}),
        ({"d/e/up": "../..", "f": "d/e/up/x", "sly": "d/e/up/../.ssh/id_rsa"}, {"sly": LEADS_OUT}),
        ({"a/b/c/s": "../../..", "t": "a/b/c/s/../../.ssh/id_rsa"}, {"t": LEADS_OUT}),
        ({"a": "b/x/y", "b": "..", "c": "./a"}, {"b": LEADS_OUT, "a": THROUGH_REFUSED, "c": THROUGH_REFUSED}),
        ({"a": "/x", "b": "a/y"}, {"a": ABSOLUTE, "b": THROUGH_REFUSED}),
        ({"a": "a"}, {"a": ENDLESS}),
        ({"a": "b", "b": "c/x", "c": "a", "d": "a", "e": "f"},
         {"a": THROUGH_REFUSED, "b": THROUGH_REFUSED, "c": ENDLESS, "d": THROUGH_REFUSED}),
        # Only what lies on the way counts: the name of a symlink below what is no symlink is none.
        ({"a": "..", "b": "x/a"}, {"a": LEADS_OUT}),
    ],
)  # fmt: skip
def test_known_ways(links: dict[str, str], refused: dict[str, str]) -> None:
    assert reasons(links) == refused


def test_names_that_are_the_same_here() -> None:
    links = {"Here": ".", "sly": "hERE/.."}
    assert reasons(links) == {}
    assert reasons(links, MAC) == {"sly": LEADS_OUT}


@pytest.mark.parametrize("target", ["..\\x", "C:x", "a\\b"])
def test_what_means_more_on_windows(target: str) -> None:
    assert reasons({"a": target}) == {}
    assert reasons({"a": target}, WINDOWS) == {"a": NOT_ALLOWED}


@pytest.mark.parametrize("backwards", [False, True])
def test_ways_are_as_long_as_systems_follow(backwards: bool) -> None:
    chain = {f"{number}": f"{number + 1}" for number in range(1000)}
    order = dict(reversed(chain.items())) if backwards else chain
    refused = reasons(order)
    assert set(map(str, range(1000 - HOPS_MAX, 1000))) == set(chain) - set(refused)
    assert set(refused.values()) == {ENDLESS, THROUGH_REFUSED}


def test_the_most_links_of_the_longest_targets_take_no_time_without_end() -> None:
    links = {f"{number}": "x/../" * 800 + f"{number + 1}" for number in range(300)}
    links["300"] = ".."
    began = time.process_time()
    assert len(reasons(links)) == 301
    assert time.process_time() - began < 5


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = st.lists(NAMES | st.sampled_from(["..", "..", ".", ""]), min_size=1, max_size=6).map("/".join)


@given(st.dictionaries(PATHS, TARGETS, max_size=6), st.sets(PATHS, max_size=5))
def test_no_way_that_the_system_follows_leads_out(links: dict[str, str], folders: set[str]) -> None:
    """In a real tree, at its staging place and at its final one, beside things to be led to."""
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        for place in ("partial/content", "final"):
            top = home / place
            top.mkdir(parents=True)
            kept = make(top, links, folders)
            real = os.path.realpath(top)
            for path in kept:
                meant = os.path.realpath(top / path)
                assert meant == real or meant.startswith(real + os.sep)


def make(top: Path, links: dict[str, str], folders: set[str]) -> list[str]:
    """Make what may be made, where nothing is in the way; returns the symlinks."""
    possible = {
        path: target
        for path, target in links.items()
        if target and not any(path.startswith(f"{other}/") for other in links)
    }
    refused = reasons(possible)
    kept = [path for path in possible if path not in refused]
    for path in kept:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
    for path in folders:
        if not any(f"{path}/".startswith(f"{link}/") for link in possible):
            (top / path).mkdir(parents=True, exist_ok=True)
    made = []
    for path in kept:
        if not (top / path).exists():
            (top / path).symlink_to(possible[path])
            made.append(path)
    return made


@given(st.dictionaries(PATHS, TARGETS.filter(lambda target: ".." not in target), max_size=6))
def test_what_never_goes_up_never_leads_out(links: dict[str, str]) -> None:
    assert LEADS_OUT not in reasons(links).values() or any(target[:1] == "/" for target in links.values())
