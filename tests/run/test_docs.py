"""What the pages at the top of the repository point at exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith(("http:", "https:", "mailto:")) and link != "NNNN"]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_architecture_names_what_is_there() -> None:
    """A module or folder that the page names in backticks has not moved."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "warren"
    missing = []
    for name in re.findall(r"`([\w./]+)`", text):
        as_module = package / name.replace(".", "/")
        if "/" in name or name.endswith(".py"):
            found = any(path.exists() for path in (package / name, ROOT / name)) or any(package.rglob(name))
        elif re.fullmatch(r"(core|runtime|network|protocols|services|frontends)\.[a-z_.]+", name):
            found = as_module.exists() or as_module.with_suffix(".py").exists()
        else:
            continue
        if not found:
            missing.append(name)
    assert missing == []
