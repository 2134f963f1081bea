"""The set-up of run.py on small checkouts: real environments and a real pip, packages from a folder."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.run.checkout import ROOT, make_wheel
from tests.support import require
from tools import launcher, setup_words

if TYPE_CHECKING:
    from pathlib import Path

    from tests.run.checkout import Checkout


def test_first_run_sets_up_and_later_ones_only_hand_over(checkout: Checkout) -> None:
    (checkout.wheels / "typing.py").write_text(
        "raise SystemExit('a file of the working folder was imported')"
    )
    expected = f"warren 1.0 ping --count 2 in {checkout.wheels}\n"
    code, out, err = checkout.run("ping", "--count", "2")
    assert (code, out) == (0, expected), err
    assert err == f"Setting up .venv for `run`, once (1 packages)\n{launcher.NAMING}\n"
    assert checkout.run("ping", "--count", "2") == (0, expected, "")
    assert checkout.run("fail")[0] == 4  # exit codes pass through


def test_the_environment_has_the_warren_command(checkout: Checkout) -> None:
    checkout.run("setup")
    program = checkout.root / ".venv" / "bin" / "warren"
    done = subprocess.run([program, "id"], capture_output=True, text=True, cwd=checkout.wheels, check=False)
    assert done.stdout == f"warren 1.0 id in {checkout.wheels}\n", done.stderr


def test_the_command_knows_by_which_words_it_was_called(checkout: Checkout) -> None:
    _, out, _ = checkout.run("program")
    assert out.splitlines()[1] == f"python3 '{checkout.root}/run.py'"


def test_half_made_environment_is_made_anew(checkout: Checkout) -> None:
    checkout.run("setup")
    (checkout.root / ".venv" / ".run-ready").unlink()
    left_over = checkout.root / ".venv" / "left over"
    left_over.touch()
    code, _, err = checkout.run("id")
    assert code == 0, err
    assert not left_over.exists()


def test_changed_lock_is_installed_in_place(checkout: Checkout) -> None:
    checkout.run("setup")
    kept = checkout.root / ".venv" / "kept"
    kept.touch()
    checkout.lock("2.0", make_wheel(checkout.wheels, "2.0"))
    assert checkout.run("id")[1].startswith("warren 2.0 id")
    assert kept.exists()


def test_other_interpreter_rebuilds(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = launcher.Environment(checkout.root)
    environment.folder.mkdir()
    environment.bin.mkdir()
    environment.python.touch()
    environment.warren.touch()
    environment.note_contents(environment.bin)
    environment.stamp("run").write_text(environment.fresh_stamp("run"))
    assert environment.has("run")
    assert environment.is_whole()
    monkeypatch.setattr(sys, "version", "3.99.0 (another)")
    assert not environment.has("run")
    assert not environment.is_whole()


def test_wrong_hash_is_refused(checkout: Checkout) -> None:
    checkout.lock("1.0", "0" * 64)
    code, _, err = checkout.run("id")
    assert code == 7
    assert "is not the one that was locked" in err
    assert checkout.run("id")[0] == 7  # and is not taken for done the next time


def test_missing_package_says_so(checkout: Checkout) -> None:
    checkout.lock("3.0", "0" * 64)
    code, _, err = checkout.run("id")
    assert code == 3
    assert "No ready-made package" in err
    assert "Traceback" not in err


def test_settings_of_pip_do_not_lead_astray(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "brick.py").write_text("VERSION = 'wrong'")
    code, _, err = checkout.run(
        "setup", PIP_TARGET=str(elsewhere), PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1", PYTHONPATH=str(tmp_path)
    )
    assert code == 0, err
    assert not elsewhere.exists()
    assert checkout.run("id")[1].startswith("warren 1.0 id")


def test_concurrent_first_runs_all_succeed(checkout: Checkout) -> None:
    processes = [checkout.start("id") for _ in range(3)]
    results = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert [code for _, _, code in results] == [0, 0, 0], results
    assert sum("Setting up" in err for _, err, _ in results) == 1
    assert {out for out, _, _ in results} == {f"warren 1.0 id in {checkout.wheels}\n"}


def test_children_of_a_killed_run_keep_the_lock(tmp_path: Path) -> None:
    """A killed run leaves its pip behind; nobody else may touch the environment until that has ended."""
    require(sys.platform != "win32", "flock")
    program = (
        "import subprocess, sys, time; from pathlib import Path; from tools.launcher import SetupLock\n"
        "with SetupLock(Path(sys.argv[1])) as lock:\n"
        "    child = subprocess.Popen(['cat'], pass_fds=(lock.fd,), stdout=subprocess.DEVNULL)\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,  # `cat` ends when this does
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    with (tmp_path / ".venv.lock").open() as file:
        import fcntl

        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder.stdin.close()
        fcntl.flock(file, fcntl.LOCK_EX)  # comes once the child has ended
    holder.stdout.close()


def test_interrupt_ends_with_130_and_leaves_no_pip(checkout: Checkout) -> None:
    """A pip that never ends, started by a pip of its own, goes with the run that the user stops."""
    require(sys.platform != "win32", "process groups")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        inner = f"import socket; socket.create_connection({server.getsockname()!r}).recv(1)"
        outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
        program = (
            "import sys; from tools import launcher\n"
            f"launcher.find_pip = lambda environment: [sys.executable, '-c', {outer!r}]\n"
            "sys.exit(launcher.main(['setup']))"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=checkout.root, stderr=subprocess.PIPE, text=True
        )
        alive, _ = server.accept()
        with alive:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
            alive.settimeout(30)
            assert alive.recv(1) == b""  # the connection ends with the inner pip
    assert process.returncode == 130
    assert err.endswith("Stopped. Run it again to finish the set-up.\n")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("pip 23.0.1 from /usr/lib/python3/dist-packages/pip (python 3.11)", (23, 0)),
        ("pip 22.3 from x", (22, 3)),
        ("pip 9.0.1", (9, 0)),
        ("pip 26.1b2 from x", (26, 1)),
        ("", (0, 0)),
        ("No module named pip", (0, 0)),
    ],
)
def test_pip_version(text: str, version: tuple[int, int]) -> None:
    assert launcher.pip_version(text) == version


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", 8),
        ("[Errno 30] Read-only file system: '/x/.venv.lock'", 8),
        (
            "WARNING: connection broken by 'NewConnectionError\nERROR: Could not find a version",
            6,
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", 7),
        ("ERROR: No matching distribution found for brick", 3),
        ("ERROR: something new", 1),
    ],
)
def test_explain(output: str, code: int) -> None:
    failure = setup_words.explain(output)
    assert failure.exit_code == code
    assert "ERROR" not in output or output.splitlines()[-1] in str(failure)


def test_plan() -> None:
    environment = launcher.Environment(ROOT)
    warren = str(environment.warren)
    assert launcher.plan(["demo", "a b"], environment) == ("run", ["-P", warren, "demo", "a b"], False)
    assert launcher.plan(["peer", "list"], environment) == ("run", ["-P", warren, "peer", "list"], False)
    assert launcher.plan(["--commands"], environment) == ("run", ["-P", warren, "--help"], False)
    pytest_command = ["-P", "-m", "pytest", *launcher.IN_SEVERAL, "-q"]
    assert launcher.plan(["test", "-q"], environment) == ("test", pytest_command, True)
    assert launcher.plan(["bench"], environment)[1][1] == str(ROOT / "bench" / "run.py")


def test_help_needs_no_environment(checkout: Checkout) -> None:
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        code, out, err = checkout.run(*arguments)
        assert (code, out, err) == (0, launcher.HELP, "")
    assert not (checkout.root / ".venv").exists()
