"""Regenerate every *_pb2.py and *_pb2.pyi under src/warren from the .proto file beside it.

    python tools/protoc.py            write them
    python tools/protoc.py --check    write nothing; exit 1 if any is missing, stale or has lost its source

Needs grpcio-tools. File names are given to the compiler from `src` on, so generated imports work inside the
package and no two messages of the process-wide registry share a name.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 on a difference")
    check: bool = parser.parse_args().check
    fresh = generate(sorted((SRC / "warren").rglob("*.proto")))
    present = {path: path.read_bytes() for path in sorted((SRC / "warren").rglob("*_pb2.py*"))}
    changed = sorted(path for path in fresh.keys() | present.keys() if fresh.get(path) != present.get(path))
    for path in changed:
        print(f"{'stale' if check else 'written' if path in fresh else 'removed'}: {path.relative_to(SRC)}")
        if check:
            continue
        if path in fresh:
            path.write_bytes(fresh[path])
        else:
            path.unlink()
    return 1 if check and changed else 0


def generate(sources: list[Path]) -> dict[Path, bytes]:
    """What the compiler makes of `sources`, by the path where it belongs."""
    from grpc_tools import protoc  # type: ignore[import-untyped]

    if not sources:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        code = protoc.main(
            [
                "protoc",
                f"--proto_path={SRC}",
                f"--proto_path={files('grpc_tools') / '_proto'}",
                f"--python_out={folder}",
                f"--pyi_out={folder}",
                *[str(source.relative_to(SRC)) for source in sources],
            ]
        )
        if code:
            raise SystemExit(code)
        out = Path(folder)
        return {SRC / path.relative_to(out): _finish(path) for path in out.rglob("*_pb2.py*")}


def _finish(path: Path) -> bytes:
    # The compiler writes `Mapping` without its types, which strict checks report to whoever imports it.
    quiet = b'# mypy: disable-error-code="type-arg"\n' if path.suffix == ".pyi" else b""
    return quiet + path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
