"""The wire itself is what it says: else what is measured on it means nothing."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.namespaces.link import CARD, Link, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.namespaces.link import Namespace

# What is measured is the wire: where the system allows it, its ends do not wait for a processor.
AT_ONCE = """
import contextlib, os
with contextlib.suppress(OSError):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
"""
# Connects, says so, takes all that comes; answers single bytes with a byte.
TAKE = """
import socket
with socket.create_server(("0.0.0.0", 9)) as server:
    print("listening", flush=True)
    with server.accept()[0] as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := link.recv(1 << 16):
            if len(data) == 1:
                link.send(data)
"""
PING = """
import socket, sys, time
with socket.create_connection((sys.argv[1], 9)) as link:
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took = []
    for _ in range(9):
        began = time.monotonic()
        link.send(b"x")
        link.recv(1)
        took.append(time.monotonic() - began)
    print(sorted(took)[4])
"""
SEND = """
import socket, sys, time
with socket.create_connection((sys.argv[1], 9)) as link:
    began = time.monotonic()
    link.sendall(bytes(int(sys.argv[2])))
    link.shutdown(socket.SHUT_WR)
    link.recv(1)
    print(time.monotonic() - began)
"""


@contextlib.contextmanager
def taking(machine: Namespace) -> Iterator[None]:
    with subprocess.Popen(
        machine.command(sys.executable, "-c", AT_ONCE + TAKE), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("link", [0.02], indirect=True)
def test_the_wire_is_as_long_as_it_was_made(link: Link) -> None:
    with taking(link.right):
        median_s = float(link.left.run(sys.executable, "-c", AT_ONCE + PING, link.right.ip4))
    assert 0.04 <= median_s < 0.046


@pytest.mark.parametrize("link", [0.0, 0.02], indirect=True)
def test_the_wire_carries_what_tc_lets_through(link: Link) -> None:
    rate, size = 2_000_000, 3_000_000
    link.shape(link.left, rate)
    with taking(link.right):
        took_s = float(link.left.run(sys.executable, "-c", AT_ONCE + SEND, link.right.ip4, str(size)))
    # Headers take some 4 %, the bucket gives a little for nothing, the wire is walked a few times.
    assert took_s == pytest.approx(size / rate, rel=0.15)


def test_each_machine_is_alone_with_the_other(link: Link) -> None:
    for end in (link.left, link.right):
        cards = {
            line.split()[1].split("@")[0].rstrip(":") for line in end.run("ip", "-o", "link").splitlines()
        }
        assert cards == {"lo", CARD}
        assert "multicast" in end.run("ip", "-o", "link").lower()


def test_a_pulled_cable_leaves_no_route_and_comes_back(link: Link) -> None:
    link.left.unplug()
    assert link.left.run("ip", "-o", "route") == ""
    link.left.plug_in()
    with taking(link.right):
        assert float(link.left.run(sys.executable, "-c", AT_ONCE + PING, link.right.ip4)) < 1


def test_nothing_is_left_behind_even_by_a_test_that_fails(link: Link) -> None:
    with Link(latency_s=0.001) as other, contextlib.suppress(ZeroDivisionError):
        sleeper = subprocess.Popen(other.left.command("sleep", "1000"))
        raise ZeroDivisionError
    assert sleeper.wait(10) == -signal.SIGKILL
    listed = run("ip", "netns", "list")
    assert other.left.name not in listed
    assert link.left.name in listed
