from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import warren


def test_the_version_is_the_one_that_is_packaged() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    assert warren.__version__ == tomllib.loads(pyproject.read_text())["project"]["version"]


def test_unknown_names_are_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="Nodule"):
        warren.Nodule  # noqa: B018


def test_names_are_listed_without_loading_them() -> None:
    assert {"Config", "Node", "__version__"} <= set(dir(warren))


def test_importing_the_package_loads_no_event_loop_and_nothing_foreign() -> None:
    code = (
        "import sys; before = set(sys.modules); import warren; new = set(sys.modules) - before; "
        "print(sorted(name for name in new if not name.startswith('warren') "
        "and (name.split('.')[0] not in sys.stdlib_module_names or name == 'asyncio')))"
    )
    source = str(Path(warren.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
