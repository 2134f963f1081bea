"""The lock files hold what pyproject.toml asks for, and each set holds the one before it."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.launcher import GROUPS

ROOT = Path(__file__).resolve().parents[2]


def pins(group: str) -> dict[str, set[str]]:
    """Name -> pinned versions; a name has several where they differ by platform."""
    found: dict[str, set[str]] = {}
    text = (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def test_each_pin_has_hashes() -> None:
    for group in GROUPS:
        text = (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")
        for block in re.split(r"\n(?=[\w-]+==)", text)[1:]:
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_lock_fits_what_is_asked_for() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    locked = pins("run")
    for requirement in map(Requirement, asked):
        versions = locked[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_each_set_holds_the_one_before() -> None:
    for smaller, larger in itertools.pairwise(GROUPS):
        assert pins(smaller).items() <= pins(larger).items()


def test_every_dependency_has_an_upper_bound() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    for requirement in map(Requirement, asked):
        assert any(part.operator == "<" for part in requirement.specifier), requirement
