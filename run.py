#!/usr/bin/env python3
"""The one command of a fresh checkout: `python3 run.py demo`, `up`, `test`, `bench` or one of `warren`.

It is written so that Pythons far too old can still read it, say which one is needed, and hand over to a newer
one that stands on the PATH. All the work is done by tools/launcher.py.
"""

import os
import re
import subprocess
import sys

OLDEST = (3, 11)
# Newest last: a Python that came out yesterday may lack ready-made packages, so it is not the first choice.
NAMES = ("python3.13", "python3.12", "python3.11", "python3.14", "python3", "python")
ASK_VERSION = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"


def version_of(program):
    """(major, minor) of the Python at `program`, or (0, 0) when it does not run (some are mere shims)."""
    try:
        process = subprocess.Popen(
            [program, "-c", ASK_VERSION], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        text = process.communicate()[0].decode("ascii")
        return tuple(int(part) for part in text.split("."))
    except (OSError, ValueError):
        return (0, 0)


def newer_python():
    """Path of the first Python on the PATH that is new enough, or None."""
    for name in NAMES:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            program = os.path.join(folder, name + (".exe" if os.name == "nt" else ""))
            if os.path.isfile(program) and version_of(program) >= OLDEST:
                return program
    return None


def again():
    """The command line that was typed, for a newer Python."""
    return " ".join(["python3.13", sys.argv[0]] + [quoted(word) for word in sys.argv[1:]])


def quoted(word):
    """The word as a POSIX shell takes it."""
    plain = re.match(r"^[A-Za-z0-9_@%+=:,./-]+$", word)
    return word if plain else "'" + word.replace("'", "'\"'\"'") + "'"


def hand_over():
    """Run this file again under a Python that is new enough; else say what is missing and return 3."""
    program = newer_python()
    if program is None:
        sys.stderr.write(
            "Warren needs Python %d.%d or newer. This one is %d.%d (%s), and the PATH has no newer one.\n"
            % (OLDEST + tuple(sys.version_info[:2]) + (sys.executable,))
        )
        sys.stderr.write("Install one (https://www.python.org/downloads/) and run: %s\n" % again())
        return 3
    command = [program, os.path.abspath(__file__)] + sys.argv[1:]
    if os.name == "nt":
        return subprocess.call(command)
    sys.stdout.flush()
    os.execv(program, command)
    return None


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(hand_over())
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from tools.launcher import main

    sys.exit(main(sys.argv[1:]))
