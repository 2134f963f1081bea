"""run.py under too old Pythons: it parses, names the version it needs, and hands over to a newer one."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[2] / "run.py"
OLD = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10")


def find_old(version: str) -> str | None:
    """A working Python of that version: from the PATH, or where pyenv keeps them."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [shutil.which(f"python{version}"), *sorted(root.glob(f"versions/{version}.*/bin/python"))]
    for program in found:
        if program is None:
            continue
        asked = subprocess.run([program, "-c", "pass"], capture_output=True, check=False)
        if asked.returncode == 0:
            return str(program)
    return None


def run_with(program: str, *words: str, path: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path}
    return subprocess.run(
        [program, str(RUN), *words], capture_output=True, text=True, env=environment, check=False
    )


def test_syntax_is_older_than_annotations() -> None:
    """What no Python 2.7 reads is absent, so that the guard holds where no old Python is at hand."""
    tree = ast.parse(RUN.read_text(encoding="utf-8"), feature_version=(3, 7))
    modern = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Nonlocal, ast.YieldFrom)
    for node in ast.walk(tree):
        assert not isinstance(node, modern)
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.args, *node.args.posonlyargs]
            assert node.returns is None
            assert not node.args.kwonlyargs
            assert all(argument.annotation is None for argument in arguments)


def old_pythons() -> dict[str, str]:
    """Version -> program, for all that are here; skips the test where there is none."""
    found = {version: program for version in OLD if (program := find_old(version))}
    if not found:
        pytest.skip("no Python older than 3.11 here")
    return found


def test_names_the_version_it_needs(tmp_path: Path) -> None:
    for version, program in old_pythons().items():
        done = run_with(program, "get", "anna/my file", "--from", "ben", path=str(tmp_path))
        assert done.returncode == 3
        assert done.stderr.startswith(f"Warren needs Python 3.11 or newer. This one is {version} ")
        assert done.stderr.endswith(f"run: python3.13 {RUN} get 'anna/my file' --from ben\n")
        assert "Traceback" not in done.stderr


def test_hands_over_to_a_newer_one(tmp_path: Path) -> None:
    shim = tmp_path / "a" / "python3.13"  # a version manager's shim for a version that is not active
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "python3.12").symlink_to(sys.executable)
    for program in old_pythons().values():
        done = run_with(program, "--help", path=f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("usage: python3 run.py")
