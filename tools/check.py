"""What holds for every line: format, lint, types, floors, generated code and pages that fit their source.

`python3 run.py check` and CI run it. All checks run even when one fails; the exit code is 1 then.
`--fix` first repairs what ruff can repair, and makes generated code and pages anew.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = {
    "format": ["ruff", "format", "--check", "--output-format=concise", "."],
    "lint": ["ruff", "check", "--quiet", "--output-format=concise", "."],
    "types": ["mypy", "--no-error-summary"],
    "floors": ["lint-imports", "--no-cache"],
    "limits": ["python", "-P", "tools/limits.py", "--check"],
    "protobuf": ["python", "-P", "tools/protoc.py", "--check"],
}
FIXES = (
    ["ruff", "check", "--fix", "--quiet", "."],
    ["ruff", "format", "--quiet", "."],
    ["python", "-P", "tools/limits.py"],
    ["python", "-P", "tools/protoc.py"],
)


def main() -> int:
    """Run the checks and say how long each took."""
    if "--fix" in sys.argv[1:]:
        for command in FIXES:
            subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, check=False)
    failed = []
    for name, command in CHECKS.items():
        begun = time.monotonic()
        done = subprocess.run(
            [BIN / command[0], *command[1:]], cwd=ROOT, check=False, capture_output=True, text=True
        )
        word = "ok" if done.returncode == 0 else "FAILED"
        print(f"{name}: {word} ({time.monotonic() - begun:.1f} s)", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stdout + done.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
