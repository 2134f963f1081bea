"""Many holders, many receivers: lines of 20 MB/s each, holders that fail, by Warren and by libtorrent.

Each peer is a process on a host of its own (`links.py`). In: a file. Out: seconds, and what was right.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, Self

from bench.processes import Program, RunError
from bench.transfers.links import Links

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.transfers.links import Host

CAP = 20_000_000
TIMEOUT_S = 600
FAILS_AFTER_S = 1.0


class Peers(Protocol):
    """How one program holds and fetches. `hold` and `get` are command lines; a ready one tells its `addr`."""

    name: str

    def hold(self, host: Host, source: Path, home: Path, *, lies: bool = False) -> list[str]: ...

    def get(self, host: Host, home: Path, cid: str, holders: Sequence[str]) -> list[str]: ...


class Warren:
    """See peer.py."""

    name = "warren"

    def __init__(self, python: str) -> None:
        self._python = python

    def hold(self, host: Host, source: Path, home: Path, *, lies: bool = False) -> list[str]:
        """See `Peers`."""
        more = ["--lies"] if lies else []
        return host.command(
            self._python, "-m", "bench.transfers.peer", "hold", str(source), str(home), host.ip, *more
        )

    def get(self, host: Host, home: Path, cid: str, holders: Sequence[str]) -> list[str]:
        """See `Peers`. One holder is enough: who else fetches is told by it."""
        module = [self._python, "-m", "bench.transfers.peer", "get", cid]
        return host.command(*module, str(home / "got"), str(home / "home"), host.ip, *holders)


class Torrent:
    """See torrent.py. Receivers are told of each other, as no tracker runs."""

    name = "libtorrent"

    def __init__(self, command: list[str], torrent: Path) -> None:
        self._command = command
        self._torrent = torrent

    def hold(self, host: Host, source: Path, home: Path, *, lies: bool = False) -> list[str]:  # noqa: ARG002
        """See `Peers`."""
        return host.command(*self._command, "hold", str(self._torrent), str(source.parent), host.ip, "6881")

    def get(self, host: Host, home: Path, cid: str, holders: Sequence[str]) -> list[str]:  # noqa: ARG002
        """See `Peers`."""
        return host.command(
            *self._command, "get", str(self._torrent), str(home / "got"), host.ip, "6881", *holders
        )


def many_to_one(peers: Peers, source: Path, work: Path, count: int = 4) -> float:
    """Seconds until one receiver has what `count` capped holders have."""
    with _Field(work) as field:
        holders = [field.hold(peers, source, CAP) for _ in range(count)]
        (took_s,) = field.fetch(peers, source, holders, 1)
        return took_s


def one_to_many(peers: Peers, source: Path, work: Path, count: int = 4) -> float:
    """Seconds until the last of `count` receivers has what one capped holder has."""
    with _Field(work) as field:
        return max(field.fetch(peers, source, [field.hold(peers, source, CAP)], count))


def with_failing(peers: Peers, source: Path, work: Path) -> float:
    """Seconds until one receiver has it from four capped holders, of which one lies, one stops to answer and
    one dies soon after the start.
    """
    with _Field(work) as field:
        good, stalls, dies = (field.hold(peers, source, CAP) for _ in range(3))
        liar = field.hold(peers, source, CAP, lies=True)

        def fail() -> None:
            time.sleep(FAILS_AFTER_S)
            os.kill(stalls.pid, signal.SIGSTOP)
            os.kill(dies.pid, signal.SIGKILL)

        try:
            (took_s,) = field.fetch(peers, source, [good, stalls, dies, liar], 1, fail)
        finally:
            os.kill(stalls.pid, signal.SIGCONT)
        return took_s


def memory_of(peers: Warren, source: Path, work: Path) -> tuple[float, float]:
    """The most memory, in bytes, that the holder and the receiver of a file ever had."""
    with _Field(work) as field:
        holder = field.hold(peers, source, 0)
        field.fetch(peers, source, [holder], 1)
        holder.say("cost")
        return float(holder.next_line(TIMEOUT_S)["peak_bytes"]), field.peaks[0]


class _Field:
    """The hosts and processes of one run."""

    def __init__(self, work: Path) -> None:
        self.peaks: list[float] = []
        """The most memory of each receiver, in bytes, where it tells."""
        self._stack = ExitStack()
        self._work = work / "field"
        self._count = 0

    def __enter__(self) -> Self:
        self._work.mkdir()
        self._stack.callback(shutil.rmtree, self._work)
        self._links = self._stack.enter_context(Links())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def hold(self, peers: Peers, source: Path, cap: int, *, lies: bool = False) -> Program:
        home, host = self._home(), self._links.host(cap)
        holding = peers.hold(host, source, home, lies=lies)
        return self._stack.enter_context(Program(holding, ready_timeout_s=TIMEOUT_S))

    def fetch(
        self,
        peers: Peers,
        source: Path,
        holders: Sequence[Program],
        count: int,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[float]:
        """Seconds of each of `count` receivers, which begin together."""
        cid = holders[0].info.get("cid", "")
        known = [holder.info["addr"] for holder in holders]
        receivers: list[Program] = []
        folders: list[Path] = []
        for _ in range(count):
            home, host = self._home(), self._links.host()
            (home / "got").mkdir()
            folders.append(home / "got")
            others = [one.info["addr"] for one in receivers] if isinstance(peers, Torrent) else []
            getting = peers.get(host, home, cid, [*known, *others])
            receivers.append(self._stack.enter_context(Program(getting)))
        for receiver in receivers:
            receiver.say("go")
        meanwhile()
        results = [receiver.next_line(TIMEOUT_S) for receiver in receivers]
        self.peaks += [float(result.get("peak_bytes") or 0) for result in results]
        for folder in folders:
            if not filecmp.cmp(source, folder / source.name, shallow=False):
                raise RunError(f"{folder} does not hold what was fetched")
        return [float(result["fetch_s"]) for result in results]

    def _home(self) -> Path:
        self._count += 1
        home = self._work / f"peer{self._count}"
        home.mkdir()
        return home
