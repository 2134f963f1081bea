from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from warren.runtime.migrations import numbered_scripts

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_scripts_of_several_packages_are_one_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package, names in {"one_owner": ["0001_a.sql", "0003_c.sql"], "other_owner": ["0002_b.sql"]}.items():
        folder = tmp_path / package / "schema"
        folder.mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
        (folder / "notes.txt").write_text("no script")
        for name in names:
            (folder / name).write_text(name)
    monkeypatch.syspath_prepend(tmp_path)
    assert numbered_scripts("one_owner", "other_owner") == ["0001_a.sql", "0002_b.sql", "0003_c.sql"]
    for package in ("one_owner", "other_owner"):
        del sys.modules[package]
