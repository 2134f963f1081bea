"""A node under attack serves an honest peer at half its speed or better, and its memory stays under 256 MB.

Victim, honest peer and attacker are three processes that meet on real sockets. The undisturbed speed is
measured in the same test, on the same connection, right before the attack.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.hostile.attacker import ATTACKS, half_open, half_shaken, slow_handshake
from tests.support import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hostile.attacker import Target

ROOT = Path(__file__).resolve().parents[2]
CROWDS = (slow_handshake, half_open, half_shaken)
"""Attacks that take the places of those who have not proved a key yet."""
SHARE_MIN = 0.5
PEAK_BYTES_MAX = 256 * 1000 * 1000
TRANSFER_BYTES = 192 * 1024 * 1024
TRIES = 4
"""The machine is shared with who knows what; the promise is kept when one try shows it."""
PING_MAX_S = 1.0
SENT_MIN = 8
"""Messages, or connections: the quietest attack sends one message on each of eight connections."""
SILENCE_MAX_S = 30.0


class Party:
    """One of the processes: prints JSON lines, and answers lines.

    The victim has a processor of its own, as a machine of its own would: what is measured is what an attack
    costs it, and not what the attacker's program takes from the others.
    """

    def __init__(self, control: socket.socket, name: str, *arguments: str) -> None:
        self.name = name
        with ExitStack() as stack:
            its_in, our_out = os.pipe()
            self._out = stack.enter_context(open(our_out, "w"))
            our_in, its_out = os.pipe()
            self._in = stack.enter_context(open(our_in))
            socket.send_fds(control, [json.dumps([name, *arguments]).encode()], [its_in, its_out])
            os.close(its_in)
            os.close(its_out)
            self.pid = int(control.recv(32))
            self._handle = os.pidfd_open(self.pid)
            stack.callback(os.close, self._handle)
            self._stack = stack.pop_all()
        first, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(self.pid, {first} if name == "victim" else others or {first})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGKILL)
        select.select([self._handle], [], [])
        self._stack.close()

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def has_ended(self) -> bool:
        return bool(select.select([self._handle], [], [], 0)[0])

    def hear(self) -> dict[str, Any]:
        """The next line; a party that is silent for too long is killed, and the test fails."""
        watchdog = threading.Timer(SILENCE_MAX_S, self.signal, [signal.SIGKILL])
        watchdog.start()
        line = self._in.readline()
        watchdog.cancel()
        assert line, f"{self.name} ended, or was silent for {SILENCE_MAX_S} s"
        result: dict[str, Any] = json.loads(line)
        return result

    def ask(self, line: object = "") -> dict[str, Any]:
        self._out.write(f"{line}\n")
        self._out.flush()
        return self.hear()

    def peak_bytes(self) -> int:
        """The most memory that it ever had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


@pytest.fixture(scope="module")
def party() -> Iterator[Callable[..., Party]]:
    """Starts a party: its name, then its command line."""
    require(sys.platform == "linux", "Linux (127.0.0.0/8 for the attackers, VmHWM for the memory)")
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.hostile.starter", str(its.fileno())]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, cwd=ROOT, env=env, pass_fds=[its.fileno()]):
        its.close()
        with ours:
            yield partial(Party, ours)


def best_share(honest: Party, attacker: Party, undisturbed: float) -> tuple[float, float]:
    """The best of several transfers beside the attack, as a share of the undisturbed speed, and that speed.

    When the first falls short the attacker is held for a moment and the undisturbed speed is measured
    again: another program may have taken the processor in between.
    """
    best = (0.0, undisturbed)
    for attempt in range(TRIES):
        if attempt:
            attacker.signal(signal.SIGSTOP)
            undisturbed = honest.ask(TRANSFER_BYTES)["MBps"]
            attacker.signal(signal.SIGCONT)
        result = honest.ask(TRANSFER_BYTES)
        assert result["ping_s"] < PING_MAX_S
        best = max(best, (result["MBps"] / undisturbed, undisturbed))
        if best[0] >= SHARE_MIN:
            break
    return best


def sent_by(attacker: Party) -> int:
    """How much of its attack got out; fails when that is next to nothing, or when the attack is over."""
    assert not attacker.has_ended(), "the attack ended by itself"
    sent: int = attacker.ask()["sent"]
    assert sent >= SENT_MIN, "the attack did not get through"
    return sent


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_honest_traffic_goes_on(attack: Callable[[Target], None], party: Callable[..., Party]) -> None:
    with ExitStack() as stack:
        victim = stack.enter_context(party("victim"))
        address = victim.hear()["addr"]
        honest = stack.enter_context(party("honest", address))
        honest.hear()
        honest.ask(TRANSFER_BYTES // 4)  # buffers and windows have grown
        undisturbed = max(honest.ask(TRANSFER_BYTES)["MBps"] for _ in range(2))
        with party("attacker", attack.__name__, address) as attacker:
            attacker.hear()
            share, undisturbed = best_share(honest, attacker, undisturbed)
            sent = sent_by(attacker)
        peak = victim.peak_bytes()
        print(
            f"{attack.__name__}: {share:.0%} of {undisturbed:.0f} MB/s, peak {peak / 1e6:.0f} MB, sent {sent}"
        )
        assert peak < PEAK_BYTES_MAX
        assert share >= SHARE_MIN
        newcomer = stack.enter_context(party("honest", address))
        newcomer.hear()
        assert newcomer.ask(1000)["ping_s"] < PING_MAX_S


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("attack", CROWDS, ids=lambda attack: attack.__name__)
def test_newcomers_get_in(attack: Callable[[Target], None], party: Callable[..., Party]) -> None:
    """Who finishes the handshake at once finds a place, however many others stand in the door."""
    with party("victim") as victim:
        address = victim.hear()["addr"]
        with party("attacker", attack.__name__, address) as attacker:
            attacker.hear()
            for _ in range(3):
                with party("honest", address) as newcomer:
                    newcomer.hear()
                    assert newcomer.ask(1000)["ping_s"] < PING_MAX_S
            sent_by(attacker)
