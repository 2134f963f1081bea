"""Feed every parser of foreign bytes with what nobody should send.

    python fuzz/run.py                        each target for a few seconds; exit 1 if anything was found
    python fuzz/run.py --seconds 600 yamux    one target for ten minutes
    python fuzz/run.py --list                 the targets
    python fuzz/run.py yamux --input FILE     one input again, with its traceback

A finding is an error that the target does not document, a broken assertion, an input that takes over 10 s, or
memory over 2 GiB. Its input is kept in fuzz/corpus/TARGET/findings. Needs atheris (Linux x86-64); without it
the inputs are mutated blindly, which finds less, or, with CI set, nothing is run and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CORPUS = HERE / "corpus"
INPUT_BYTES_MAX = 4096
INPUT_SECONDS_MAX = 10
MEMORY_MIB_MAX = 2048
EXIT_FOUND = 1

sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def names() -> list[str]:
    return sorted(path.stem for path in (HERE / "targets").glob("[a-z]*.py"))


def load(name: str) -> Any:
    return importlib.import_module(f"fuzz.targets.{name}")


def feed(target: Any, data: bytes) -> None:
    """Give one input to a target; what its `parse` documents is no finding."""
    try:
        value = target.parse(data)
    except target.DOCUMENTED:
        return
    target.verify(data, value)


# ---------------------------------------------------------------- all targets


def run_all(chosen: list[str], seconds: int, jobs: int, seed: int) -> int:
    """Run the targets as processes of their own, `jobs` at a time."""
    if find_spec("atheris") is None:
        if os.environ.get("CI"):
            print("atheris is not installed, which CI must have: python3 run.py setup dev", file=sys.stderr)
            return EXIT_FOUND
        print("atheris is not installed here: inputs are mutated blindly")
    with ThreadPoolExecutor(jobs) as pool:
        bad = sum(pool.map(lambda name: run_one(name, seconds, seed), chosen))
    print(f"{len(chosen)} targets, {seconds} s each: " + (f"{bad} with findings" if bad else "nothing found"))
    return EXIT_FOUND if bad else 0


def run_one(name: str, seconds: int, seed: int) -> bool:
    """Run one target; True when it found something."""
    begun = time.monotonic()
    command = [
        sys.executable,
        "-P",
        __file__,
        name,
        "--child",
        "--seconds",
        str(seconds),
        "--seed",
        str(seed),
    ]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds + 60 + INPUT_SECONDS_MAX,
        )
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        code, output = -1, f"{error}\n"
    counts = re.findall(r"(?:Done |#)(\d+)", output)
    print(f"{name}: {'FOUND' if code else 'ok'}, {counts[-1] if counts else '?'} inputs in", end=" ")
    print(f"{time.monotonic() - begun:.1f} s", flush=True)
    if code:
        print("\n".join([line for line in output.splitlines() if line[:1] != "#"][-60:]), flush=True)
        print(f"again: python fuzz/run.py {name} --input FILE", flush=True)
    return bool(code)


# ---------------------------------------------------------------- one target, in its own process


def fuzz(name: str, seconds: int, seed: int) -> int:
    """Fuzz one target in this process."""
    folder = CORPUS / name
    findings = folder / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    if find_spec("atheris") is None:
        return fuzz_blindly(load(name), findings, seconds, seed)
    import atheris

    with atheris.instrument_imports(include=["warren", "fuzz"]):
        target = load(name)
    write_seeds(target, folder)

    def one_input(data: bytes) -> None:
        feed(target, data)

    options = {
        "max_total_time": seconds,
        "max_len": INPUT_BYTES_MAX,
        "timeout": INPUT_SECONDS_MAX,
        "rss_limit_mb": MEMORY_MIB_MAX,
        "seed": seed,
        "artifact_prefix": f"{findings}/",
        "print_final_stats": 0,
    }
    atheris.Setup([name, *(f"-{key}={value}" for key, value in options.items()), str(folder)], one_input)
    atheris.Fuzz()
    return 0


def write_seeds(target: Any, folder: Path) -> None:
    for number, data in enumerate(target.SEEDS):
        (folder / f"seed-{number:02}").write_bytes(data)


def fuzz_blindly(target: Any, findings: Path, seconds: int, seed: int) -> int:
    """Mutations of the seeds without sight of what they reach."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        data = mutate(rng, target.SEEDS)
        count += 1
        try:
            feed(target, data)
        except BaseException:
            (findings / f"crash-{count}").write_bytes(data)
            raise
    print(f"Done {count}")
    return 0


def mutate(rng: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with a few bytes changed, put in, taken out, or a piece of another seed spliced in."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 8)):
        at = rng.randint(0, len(data))
        kind = rng.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        elif kind == 3:
            del data[at : at + rng.randint(1, 16)]
        else:
            other = rng.choice(seeds)
            start = rng.randint(0, len(other))
            data[at:] = other[start:]
    return bytes(data[:INPUT_BYTES_MAX])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which to run (default: all)")
    parser.add_argument("--seconds", type=int, default=2, help="for each target (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once (default: cores)")
    parser.add_argument("--seed", type=int, default=0, help="0 (default) takes another one each time")
    parser.add_argument("--input", type=Path, action="append", default=[], help="only feed this file")
    parser.add_argument("--list", action="store_true", help="print the targets")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    known = names()
    unknown = sorted(set(args.targets) - set(known))
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(known)}")
    if args.list:
        print("\n".join(known))
        return 0
    if args.input or args.child:
        if len(args.targets) != 1:
            parser.error("--input goes with one target")
        if args.child:
            return fuzz(args.targets[0], args.seconds, args.seed)
        for path in args.input:
            feed(load(args.targets[0]), path.read_bytes())
            print(f"{path}: nothing found")
        return 0
    return run_all(args.targets or known, args.seconds, args.jobs, args.seed)


if __name__ == "__main__":
    sys.exit(main())
