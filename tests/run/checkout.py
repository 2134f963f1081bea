"""A small checkout with today's run.py: real environments and a real pip, packages from a folder."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tools import launcher

ROOT = Path(__file__).resolve().parents[2]

COMMAND_LINE = """\
import os, sys
import brick

def main():
    print("warren", brick.VERSION, *sys.argv[1:], "in", os.getcwd())
    if "program" in sys.argv:
        print(os.environ["WARREN_PROGRAM"])
    return 4 if "fail" in sys.argv else 0
"""


def make_wheel(folder: Path, version: str) -> str:
    """Write brick-VERSION as a wheel; its SHA-256 in hex."""
    info = f"brick-{version}.dist-info"
    files = {
        "brick.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: brick\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    wheel = folder / f"brick-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


class Checkout:
    """A checkout with today's run.py, one package to install, and a `warren` that echoes."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "check out"
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        cli = self.root / "src" / "warren" / "frontends" / "cli"
        cli.mkdir(parents=True)
        (cli / "main.py").write_text(COMMAND_LINE)
        tools = [f"tools/{name}.py" for name in ("__init__", "launcher", "setup_lock", "setup_words")]
        for name in ("run.py", "pyproject.toml", *tools):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        (self.root / "requirements").mkdir()
        self.lock("1.0", make_wheel(self.wheels, "1.0"))

    def lock(self, version: str, digest: str) -> None:
        for group in launcher.GROUPS:
            target = self.root / "requirements" / f"{group}.txt"
            target.write_text(f"brick=={version} \\\n    --hash=sha256:{digest}\n")

    python = sys.executable

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), **variables}
        return subprocess.Popen(
            [self.python, str(self.root / "run.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.wheels,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err
