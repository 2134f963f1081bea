"""Starts the parties of an attack, as forks of a process that has read their code once for all.

    python -m tests.hostile.starter FD

FD is a socket of packets. Each holds a module of this package and its command line, as a JSON array, with two
descriptors, the party's standard input and output; the answer is the number of its process. Who ends is
forgotten at once. It ends itself when the other end of the socket does.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from typing import NoReturn

from tests.hostile import attacker, honest, victim

PACKET_BYTES_MAX = 4096
PARTIES = {"victim": victim.run, "honest": honest.run, "attacker": attacker.run}


def become(name: str, arguments: list[str], fds: list[int]) -> NoReturn:
    """Be that program, as if the command line had started it."""
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.argv = [name, *arguments]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 1
    try:
        PARTIES[name]()
        code = 0
    except BaseException:  # noqa: BLE001 - as the interpreter does with what nobody caught
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def serve(control: socket.socket) -> None:
    """Start whoever is asked for."""
    while True:
        packet, fds, _, _ = socket.recv_fds(control, PACKET_BYTES_MAX, 2)
        if not packet:
            return
        name, *arguments = json.loads(packet)
        pid = os.fork()
        if not pid:
            control.close()
            become(name, arguments, fds)
        for fd in fds:
            os.close(fd)
        control.send(str(pid).encode())


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()  # what is shared stays shared
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        serve(sock)
