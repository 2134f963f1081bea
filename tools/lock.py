"""Write requirements/run.txt, test.txt and dev.txt anew: each package pinned, with all its files' hashes.

    python3 tools/lock.py              keep the pins that still fit pyproject.toml and requirements/*.in
    python3 tools/lock.py --upgrade    take the newest that fit

uv resolves once for all platforms and Pythons, which pip-compile cannot: it knows only the machine it runs
on. Its version is pinned here, and it is installed for the run alone. Only pypi.org is asked, whatever pip is
set to.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = "uv==0.13.8"
RUN = ["pyproject.toml"]
TEST = [*RUN, "requirements/test.in"]
DEV = [*TEST, "requirements/dev.in"]


def main() -> None:
    """Lock the three sets, each constrained by the one before, so that tests run on what users get."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    environment |= {"UV_CUSTOM_COMPILE_COMMAND": "python3 tools/lock.py"}
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        subprocess.run([f"{folder}/bin/python", "-m", "pip", "install", "--quiet", UV], check=True)
        for name, sources in {"run": RUN, "test": TEST, "dev": DEV}.items():
            command = [
                *(
                    f"{folder}/bin/uv",
                    "pip",
                    "compile",
                    "--quiet",
                    "--no-config",
                    "--universal",
                    "--generate-hashes",
                ),
                *(
                    "--python-version",
                    "3.11",
                    "--default-index",
                    "https://pypi.org/simple",
                    "--output-file",
                    f"requirements/{name}.txt",
                ),
            ]
            subprocess.run([*command, *sys.argv[1:], *sources], cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
