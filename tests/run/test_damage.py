"""run.py where something is missing: of the environment, of Python, or the network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import require

if TYPE_CHECKING:
    from tests.run.checkout import Checkout

DAMAGES = ["bin/python", "bin/warren", "lib/*/site-packages/brick.py", "lib/*/site-packages"]


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_environment_is_made_anew(checkout: Checkout, what: str) -> None:
    checkout.run("setup")
    (gone,) = (checkout.root / ".venv").glob(what)
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    code, out, err = checkout.run("id")
    assert (code, out) == (0, f"warren 1.0 id in {checkout.wheels}\n"), err
    assert "damaged; making it anew" in err
    assert "Traceback" not in err
    assert checkout.run("id")[2] == ""


def test_the_command_of_a_damaged_environment_says_what_to_type(checkout: Checkout) -> None:
    checkout.run("setup")
    (gone,) = (checkout.root / ".venv").glob("lib/*/site-packages/brick.py")
    gone.unlink()
    program = checkout.root / ".venv" / "bin" / "warren"
    done = subprocess.run([program, "id"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"brick is missing: this environment is damaged. Type: python3 '{checkout.root / 'run.py'}' setup\n"
    )


@pytest.mark.parametrize("words", [("bogus",), ("run", "test")])
def test_setup_of_a_group_that_is_none(checkout: Checkout, words: tuple[str, ...]) -> None:
    code, out, err = checkout.run("setup", *words)
    assert (code, out) == (2, "")
    assert err == f"setup knows no group {' '.join(words)!r}. Choose one: run, test, dev\n"
    assert not (checkout.root / ".venv").exists()


def test_no_network_is_said_and_the_next_run_goes_on(checkout: Checkout) -> None:
    """Nobody listens where the packages should come from."""
    nowhere = {"PIP_NO_INDEX": "", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:1/simple"}
    code, out, err = checkout.run("id", **nowhere, PIP_RETRIES="1", PIP_TIMEOUT="1")
    assert (code, out) == (6, "")
    assert "could not be downloaded. Check the network" in err
    assert "Traceback" not in err
    assert checkout.run("id")[0] == 0


def test_a_python_that_its_system_manages_makes_an_environment_all_the_same(checkout: Checkout) -> None:
    """Debian and others forbid pip to install beside their packages (PEP 668); .venv is not there."""
    marks = [Path(f"/usr/lib/python3.{minor}/EXTERNALLY-MANAGED") for minor in range(11, 20)]
    managed = [f"/usr/bin/{mark.parent.name}" for mark in marks if mark.exists()]
    require(bool(managed), "a Python that its system manages")
    checkout.python = managed[0]
    code, out, err = checkout.run("id")
    assert (code, out) == (0, f"warren 1.0 id in {checkout.wheels}\n"), err


def in_the_checkout(checkout: Checkout, before: str) -> tuple[int, str]:
    """Run `setup` after some lines of Python that change what the launcher finds."""
    program = f"import sys; from tools import launcher\n{before}\nsys.exit(launcher.main(['setup']))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=checkout.root,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(checkout.wheels)},
        check=False,
    )
    return done.returncode, done.stderr


def test_without_pip_the_one_that_python_brings_is_used(checkout: Checkout) -> None:
    code, err = in_the_checkout(checkout, "launcher.pip_version = lambda text: (0, 0)")
    assert code == 0, err
    assert checkout.run("id")[1].startswith("warren 1.0 id")


@pytest.mark.parametrize("missing", ["ensurepip", "venv"])
def test_without_ensurepip_or_venv_one_line_says_what_to_type(checkout: Checkout, missing: str) -> None:
    """As on a Debian without its python3-venv package."""
    hidden = (
        "launcher.pip_version = lambda text: (0, 0)\n"
        "import subprocess\nreal = subprocess.run\n"
        "def run(command, **options):\n"
        f"    if {missing!r} in command:\n"
        f"        command = [sys.executable, '-c', 'import {missing}_that_is_not_there']\n"
        "    return real(command, **options)\n"
        "subprocess.run = run"
    )
    code, err = in_the_checkout(checkout, hidden)
    assert code == 3
    assert "Traceback" not in err
    (line,) = [one for one in err.splitlines() if "Type: " in one]
    assert any(word in line for word in ("get-pip.py", "install", "apk add", "pacman"))
    assert checkout.run("id")[0] == 0, "once it is there, the next run goes on"
