"""Two machines on one wire. In: how slow and how far. Out: `Link`, with a `Namespace` at each end.

    with Link(latency_s=0.02) as link:
        link.shape(link.left, bytes_per_s=1_000_000)   # what leaves the left machine
        link.right.run("ip", "addr")

Each end has an `eth0` with a private IPv4, a private IPv6 and a link-local IPv6 address, a loopback of its
own, and takes every address to lie on the wire, multicast included. Rates are `tc`'s (tbf). `netem`, which
delays, is missing from many kernels: `delay_line.py` carries the frames instead, through a third namespace.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

CARD = "eth0"
DELAY_LINE = Path(__file__).with_name("delay_line.py")
PREFIX = "warren-test"
COMMAND_TIMEOUT_S = 30.0
# Of the token bucket: a bucket that a full packet of the card fits into, and a queue as deep as that of a
# router at home, in seconds. It decides how far a ping beside a bulk transfer rises.
BURST_BYTES = 16 * 1024
QUEUE_S = 0.2
_numbers = count()


def run(*words: str) -> str:
    """Run a command and return what it printed; raises with what it said when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def missing() -> str:
    """What this machine lacks for namespaces; "" if it has all."""
    if sys.platform != "linux":
        return "Linux"
    programs = [one for one in ("ip", "tc") if shutil.which(one) is None]
    if programs:
        return f"{' and '.join(programs)} (Debian: iproute2)"
    try:
        with Namespace(f"{PREFIX}-{os.getpid()}-try"):
            return ""
    except OSError as error:
        return f"leave to make network namespaces ({error})"


@dataclass(slots=True)
class Namespace:
    """One machine on the wire; made on entry, gone on exit with whatever runs in it."""

    name: str
    ip4: str = ""
    ip6: str = ""

    def __enter__(self) -> Self:
        run("ip", "netns", "add", self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in run("ip", "netns", "pids", self.name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", self.name)

    def command(self, *words: str) -> list[str]:
        """The command line that runs `words` in here; the process it starts is that of `words`."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str) -> str:
        """Run a command in here and return what it printed."""
        return run(*self.command(*words))

    def set_up(self, ip4: str, ip6: str) -> None:
        """Give the card its addresses and take every other address to lie on the wire."""
        self.ip4, self.ip6 = ip4, ip6
        self._ip("link", "set", "lo", "up")
        self.plug_in()

    def plug_in(self) -> None:
        """Put the cable back."""
        self._ip("link", "set", CARD, "up")
        self._ip("addr", "replace", f"{self.ip4}/24", "dev", CARD)
        self._ip("addr", "replace", f"{self.ip6}/64", "dev", CARD, "nodad")
        self._ip("route", "replace", "default", "dev", CARD)
        self._ip("-6", "route", "replace", "default", "dev", CARD)

    def unplug(self) -> None:
        """Pull the cable and switch the card off: there is no route then, and sending fails at once."""
        self._ip("addr", "flush", "dev", CARD)
        self._ip("link", "set", CARD, "down")

    def _ip(self, *words: str) -> None:
        run("ip", "-n", self.name, *words)


class Link:
    """Two namespaces, `left` and `right`, and the wire between them."""

    def __init__(self, *, latency_s: float = 0.0) -> None:
        """latency_s: from one end to the other, one way."""
        self._latency_s = latency_s
        self._label = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
        self.left = Namespace(f"{self._label}-left")
        self.right = Namespace(f"{self._label}-right")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        _remove_leftovers()
        with ExitStack() as stack:
            stack.enter_context(self.left)
            stack.enter_context(self.right)
            if self._latency_s:
                self._join_far(stack)
            else:
                _join(self.left.name, CARD, self.right.name, CARD)
            self.left.set_up("10.77.0.1", "fd77::1")
            self.right.set_up("10.77.0.2", "fd77::2")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def shape(self, sender: Namespace, bytes_per_s: float) -> None:
        """Let no more than this leave `sender`, counted with the headers of Ethernet, IP and TCP."""
        bits, queue_ms = round(bytes_per_s * 8), round(QUEUE_S * 1000)
        shaper = ("tbf", "rate", f"{bits}bit", "burst", str(BURST_BYTES), "latency", f"{queue_ms}ms")
        run("tc", "-n", sender.name, "qdisc", "replace", "dev", CARD, "root", *shaper)

    def _join_far(self, stack: ExitStack) -> None:
        wire = stack.enter_context(Namespace(f"{self._label}-wire"))
        for end, card in ((self.left, "left"), (self.right, "right")):
            _join(end.name, CARD, wire.name, card)
            run("ip", "-n", wire.name, "link", "set", card, "addrgenmode", "none", "up")
        line = (sys.executable, "-I", str(DELAY_LINE), "left", "right", str(self._latency_s))
        process = subprocess.Popen(wire.command(*line), stdout=subprocess.PIPE, text=True)
        stack.callback(process.wait)
        stack.callback(process.kill)
        assert process.stdout is not None
        stack.callback(process.stdout.close)
        assert process.stdout.readline() == "carrying\n"


def _join(a: str, card_a: str, b: str, card_b: str) -> None:
    run("ip", "-n", a, "link", "add", card_a, "type", "veth", "peer", "name", card_b, "netns", b)


def _remove_leftovers() -> None:
    """Namespaces of test runs that were killed before they could clear up."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(f"{PREFIX}-") and not Path(f"/proc/{name.split('-')[2]}").exists():
            with contextlib.suppress(OSError):  # another run removes it as well
                run("ip", "netns", "del", name)
