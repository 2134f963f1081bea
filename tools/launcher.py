"""What run.py does: makes `.venv` in the checkout once, then hands over to the Python in it.

In:  the command line of run.py, the checkout (requirements/*.txt, pyproject.toml), this Python.
Out: the exit code of the command, or 3 (no environment can be made here; one line says what to type),
     6 (no network), 7 (a package does not match its locked hash), 8 (disk full), 130 (Ctrl-C).

Standard library only. Every package comes from a lock file whose hashes pip checks, ready-made (nothing is
compiled or downloaded to compile), and Warren itself is put on the environment's path by a .pth file. What
was installed is stamped, by set (run, test, dev; each holds the one before), with digests of Python and place
and of lock and pyproject. Stamps go before pip starts and come back when it has ended well: an environment
without a stamp was left half-made, and is made anew. So is one from which something is missing: what was
installed is listed beside the stamps, and looking for it at each start costs one listing of a folder.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tools.setup_lock import SetupLock
from tools.setup_words import Progress, SetupFailed, explain, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = os.name == "nt"
GROUPS = ("run", "test", "dev")  # each lock file holds all of the one before
# How many processes "auto" is: tests/conftest.py. Files are taken as they stand in the order made there.
IN_SEVERAL = ("--numprocesses=auto", "--dist=loadfile", "--no-loadscope-reorder")
PIP_OLDEST = (22, 3)  # the first with --python, which installs into an environment that has no pip

HELP = """\
usage: python3 run.py COMMAND [ARGUMENTS]

  demo [FOLDER]   two nodes on this machine share a folder; the main job, start to end
  up              start a node (then, in another terminal: python3 run.py status)
  test [ARGS]     run the tests, all of them on all cores; ARGS go to pytest
  check           what CI checks beside the tests: format, lint, types, floors
  bench [ARGS]    measure, and print the table of the README for this machine
  setup [GROUP]   only make the environment: for run (default), test or dev
  help            this text

Any other command is one of warren itself: python3 run.py --commands lists them, and
python3 run.py ping --help explains one.

The first run makes .venv beside this file; nothing outside the checkout is changed.
"""

PROGRAM = """\
import sys

try:
    from warren.frontends.cli.main import main
except ModuleNotFoundError as error:
    sys.exit(f"{{error.name}} is missing: this environment is damaged. Type: python3 '{run}' setup")

sys.exit(main())
"""

ACTIVATE = r".venv\Scripts\activate" if WINDOWS else ". .venv/bin/activate"
NAMING = f"To type warren instead of python3 run.py, type once in a terminal: {ACTIVATE}"


# ---------------------------------------------------------------- what is there already


class Environment:
    """The virtual environment of one checkout and the stamps that say what is in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.bin = self.folder / ("Scripts" if WINDOWS else "bin")
        self.python = self.bin / ("python.exe" if WINDOWS else "python")
        self.warren = self.bin / ("warren.py" if WINDOWS else "warren")
        self.contents = self.folder / ".contents"  # where packages lie, then what was there, a name a line

    def lock_file(self, group: str) -> Path:
        """The hash-locked requirements of `group`."""
        return self.root / "requirements" / f"{group}.txt"

    def stamp(self, group: str) -> Path:
        return self.folder / f".{group}-ready"

    def origin(self) -> str:
        """Digest of what must not change under an environment: Python's version and place, and ours."""
        return _digest(f"{sys.version}\n{base_python()}\n{self.root}".encode())

    def fresh_stamp(self, group: str) -> str:
        """The stamp that `group` would get if it were installed now."""
        wanted = self.lock_file(group).read_bytes() + (self.root / "pyproject.toml").read_bytes()
        return f"{self.origin()} {_digest(wanted)}"

    def has(self, group: str) -> bool:
        """Whether `group` was installed to its end, from today's lock, by this Python."""
        return _read(self.stamp(group)) == self.fresh_stamp(group) and self.is_undamaged()

    def is_whole(self) -> bool:
        """Whether packages can be added: some group was finished here, by this Python, and is still there."""
        origin = self.origin()
        made = any(_read(self.stamp(group)).startswith(origin) for group in GROUPS)
        return made and self.is_undamaged()

    def is_undamaged(self) -> bool:
        """Whether nothing is missing of what was installed: the Python, the program, a package."""
        packages, *names = _read(self.contents).splitlines() or [""]
        try:
            there = set(os.listdir(packages))
        except OSError:
            return False
        return self.python.exists() and self.warren.exists() and there.issuperset(names)

    def note_contents(self, packages: Path) -> None:
        """List what stands in `packages`, the folder of installed packages."""
        names = sorted(name for name in os.listdir(packages) if name != "__pycache__")
        self.contents.write_text("\n".join([str(packages), *names]) + "\n", encoding="utf-8")


def base_python() -> str:
    """The Python that environments are made from, also when this one is an environment's."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


# ---------------------------------------------------------------- making it


def prepare(environment: Environment, group: str) -> bool:
    """Install `group` where it is missing; one process at a time. True if there was anything to do."""
    if environment.has(group):
        return False
    with SetupLock(environment.root) as lock:
        if environment.has(group):  # another run has just done it
            return True
        if not environment.is_whole():
            if environment.contents.exists() and not environment.is_undamaged():
                say(f"{environment.folder} is damaged; making it anew.")
            _create(environment)
        for each in GROUPS:
            environment.stamp(each).unlink(missing_ok=True)
        _install(environment, group, lock)
        environment.note_contents(_link_warren(environment))
        for each in GROUPS[: GROUPS.index(group) + 1]:
            environment.stamp(each).write_text(environment.fresh_stamp(each), encoding="utf-8")
    if group == "run":
        say(NAMING)
    return True


def _create(environment: Environment) -> None:
    """Make an empty environment, without pip: copying pip in takes longer than all the rest."""
    import shutil

    if environment.folder.exists():
        shutil.rmtree(environment.folder)
    try:
        subprocess.run(
            [base_python(), "-I", "-m", "venv", "--without-pip", str(environment.folder)],
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        if "No module named" in error.stderr:
            raise SetupFailed(f"This Python cannot make environments. Type: {_cure()}", 3) from None
        raise explain(error.stderr or error.stdout) from None


def find_pip(environment: Environment) -> list[str]:
    """The command that installs into the environment: a pip outside it if there is one, else ensurepip's."""
    for python in dict.fromkeys([sys.executable, base_python()]):
        found = subprocess.run(
            [python, "-m", "pip", "--version"], capture_output=True, text=True, env=_quiet_env(), check=False
        )
        if found.returncode == 0 and pip_version(found.stdout) >= PIP_OLDEST:
            return [python, "-m", "pip", "--python", str(environment.python)]
    made = subprocess.run(
        [str(environment.python), "-I", "-m", "ensurepip", "--default-pip"],
        capture_output=True,
        text=True,
        env=_quiet_env(),
        check=False,
    )
    if made.returncode == 0:
        return [str(environment.python), "-I", "-m", "pip"]
    raise SetupFailed(f"This Python has neither pip nor ensurepip. Type: {_cure()}", 3)


def pip_version(text: str) -> tuple[int, int]:
    """(23, 0) from `pip 23.0.1 from /usr/lib/... (python 3.11)`; (0, 0) where that cannot be read."""
    import re

    found = re.match(r"pip (\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _cure() -> str:
    """The one line that completes this Python, by its system's packages if it came from them."""
    import shutil

    python = base_python()
    of_the_system = os.path.dirname(python) in {"/usr/bin", "/bin"}
    venv_package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"  # Debian's; has ensurepip too
    for program, line in (
        ("apt-get", f"apt-get install -y {venv_package}"),
        ("dnf", "dnf install -y python3-pip"),
        ("zypper", "zypper install -y python3-pip"),
        ("apk", "apk add py3-pip"),
        ("pacman", "pacman -S --needed python-pip"),
    ):
        if of_the_system and shutil.which(program):
            return line if os.geteuid() == 0 else f"sudo {line}"
    return f"curl -fsSL https://bootstrap.pypa.io/get-pip.py | {python}"


def _quiet_env() -> dict[str, str]:
    """This process's environment without what would make pip look or install elsewhere."""
    drop = {
        "PYTHONPATH",
        "PYTHONHOME",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_PYTHON",
        "PIP_CONSTRAINT",
    }
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    return {
        **kept,
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }


def _install(environment: Environment, group: str, lock: SetupLock) -> None:
    command = [
        *find_pip(environment),
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--no-deps",  # the lock file is complete
        "--only-binary=:all:",
        "--progress-bar=off",
        "--require-hashes",
        "--requirement",
        str(environment.lock_file(group)),
    ]
    total = sum(
        "==" in line for line in environment.lock_file(group).read_text(encoding="utf-8").splitlines()
    )
    progress = Progress(f"Setting up .venv for `{group}`, once", total)
    os.set_inheritable(lock.fd, True)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=_quiet_env(),
        pass_fds=() if WINDOWS else (lock.fd,),
        process_group=None if WINDOWS else 0,  # pip starts a pip of its own: a kill must reach both
    ) as process:
        assert process.stdout is not None
        try:
            output = list(progress.follow(process.stdout))
        except KeyboardInterrupt:
            _kill(process)
            raise
    if process.returncode != 0:
        progress.end("failed")
        raise explain("".join(output))
    progress.end("done")


def _kill(process: subprocess.Popen[str]) -> None:
    if WINDOWS:
        process.kill()
    else:
        import signal

        os.killpg(process.pid, signal.SIGKILL)


def _link_warren(environment: Environment) -> Path:
    """Put src/ on the environment's path and `warren` in its bin folder, as an editable install would.

    Returns the folder of installed packages.
    """
    asked = subprocess.run(
        [str(environment.python), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    packages = Path(asked.stdout.strip())
    (packages / "warren.pth").write_text(f"{environment.root / 'src'}\n", encoding="utf-8")
    # A shell starts it, because a #! line must be short and may hold no space.
    environment.warren.write_text(
        f"#!/bin/sh\n'''exec' \"{environment.python}\" -P \"$0\" \"$@\"\n' '''\n"
        f"{PROGRAM.format(run=environment.root / 'run.py')}",
        encoding="utf-8",
    )
    environment.warren.chmod(0o755)
    return packages


# ---------------------------------------------------------------- commands


def plan(arguments: Sequence[str], environment: Environment) -> tuple[str, list[str], bool]:
    """(group to install, what to run with the environment's Python, whether to run it in the checkout)."""
    command, rest = arguments[0], list(arguments[1:])
    if command == "test":
        return "test", ["-P", "-m", "pytest", *IN_SEVERAL, *rest], True
    if command == "check":
        return "dev", ["-P", str(environment.root / "tools" / "check.py"), *rest], True
    if command == "bench":
        return "run", ["-P", str(environment.root / "bench" / "run.py"), *rest], False
    if command == "--commands":
        return "run", ["-P", str(environment.warren), "--help"], False
    return "run", ["-P", str(environment.warren), *arguments], False


def _group(words: Sequence[str]) -> str:
    """The group that `setup` is to make. Raises SetupFailed for a word that is none."""
    if not words:
        return "run"
    if len(words) > 1 or words[0] not in GROUPS:
        given = " ".join(words)
        raise SetupFailed(f"setup knows no group {given!r}. Choose one: {', '.join(GROUPS)}", 2)
    return words[0]


def hand_over(python: Path, arguments: Sequence[str]) -> NoReturn:
    """Become the environment's Python; where an operating system cannot, wait for it."""
    command = [str(python), *arguments]
    os.environ["WARREN_PROGRAM"] = f"python3 {shlex.quote(sys.argv[0])}"  # for what it tells people to type
    if WINDOWS:
        sys.exit(subprocess.call(command))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(python, command)


def main(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code where it does not become the command itself."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(HELP)
        return 0
    environment = Environment(ROOT)
    try:
        if arguments[0] == "setup":
            prepare(environment, _group(arguments[1:]))
            say(f"Ready: {environment.folder}\nNext: python3 run.py demo")
            return 0
        group, command, in_checkout = plan(arguments, environment)
        prepare(environment, group)
        if in_checkout:
            os.chdir(environment.root)
        hand_over(environment.python, command)
    except SetupFailed as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("\nStopped. Run it again to finish the set-up.")
        return 130
    except OSError as error:
        failure = explain(str(error))
        say(str(failure))
        return failure.exit_code
