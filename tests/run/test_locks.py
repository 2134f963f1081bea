"""The lock files hold what pyproject.toml asks for, and each set holds the one before it."""

from __future__ import annotations

import ast
import itertools
import re
import sys
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


def asked() -> tuple[list[Requirement], list[Requirement]]:
    """What everybody needs, and what the extras add."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = itertools.chain(*project["optional-dependencies"].values())
    return [Requirement(one) for one in project["dependencies"]], [Requirement(one) for one in extras]


def test_each_pin_has_hashes() -> None:
    for group in GROUPS:
        text = (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")
        for block in re.split(r"\n(?=[\w-]+==)", text)[1:]:
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_lock_fits_what_is_asked_for() -> None:
    needed, extras = asked()
    for group, requirements in (("run", needed), ("test", needed + extras)):
        locked = pins(group)
        for requirement in requirements:
            versions = locked[canonicalize_name(requirement.name)]
            assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_each_set_holds_the_one_before() -> None:
    for smaller, larger in itertools.pairwise(GROUPS):
        assert pins(smaller).items() <= pins(larger).items()


def test_every_dependency_has_an_upper_bound() -> None:
    for requirement in itertools.chain(*asked()):
        assert any(part.operator == "<" for part in requirement.specifier), requirement


def test_what_is_imported_is_what_is_asked_for() -> None:
    """Nothing unused is installed, and nothing is used that only happens to be there."""
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in imported_names(node)
    }
    foreign = imported - set(sys.stdlib_module_names) - {"warren"}
    # fastapi is starlette with types
    distributions = {
        "dns": "dnspython",
        "google": "protobuf",
        "prometheus_client": "prometheus-client",
        "starlette": "fastapi",
    }
    names = {requirement.name for requirement in itertools.chain(*asked())}
    assert {distributions.get(name, name) for name in foreign} == names


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_the_docs_state_how_many_packages_there_are() -> None:
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"| packages | {len(pins('run'))} |" in text
