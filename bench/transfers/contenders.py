"""Who copies a file or a folder from one place to another: Warren, and what people would use instead.

A contender copies `source` into the new folder `target` under the same name, and tells what that took. Wall
seconds are of what each does per copy, servers and shares being ready and `old` removed (see `warm`): for
Warren and libtorrent from the request to the verified file under its name, for the others from the start of
the command to its end.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.copies import free_port, program, tools
from bench.file_rows import fetch
from bench.processes import Program, family_cpu_seconds, run_client
from bench.transfers import syncthing
from bench.transfers.wormhole import wormhole
from bench.warm import give_back
from tests.interop import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from bench.copies import Tool


class Cost(NamedTuple):
    """Seconds of the clock and of processors, of all processes that had a part in it."""

    took_s: float
    cpu_s: float


Copy = Callable[[Path, Path, Path | None], Cost]
"""Given the source, the new folder that it is copied into, and `old`."""


@dataclass(frozen=True, slots=True)
class Contender:
    """copy: None where it is missing; then `how_to_get` says what to do. trees: whether it copies folders."""

    name: str
    copy: Copy | None
    how_to_get: str = ""
    trees: bool = True


def contenders(stack: ExitStack, work: Path, served: Path) -> list[Contender]:
    """All of them, ready to copy from below `served`."""
    found = [Contender("warren", _warren(sync=False)), Contender("warren, synced", _warren(sync=True))]
    wanted = {"rsync over ssh", "curl from nginx"}
    found += [_of_tool(tool) for tool in stack.enter_context(tools(work, served)) if tool.name in wanted]
    found += _of_copiers(stack, work)
    for name, no_sync in (("syncthing", False), ("syncthing, no fsync", True)):
        copy = _syncthing(work, no_sync=no_sync) if program("syncthing") else None
        found.append(Contender(name, copy, "apt install syncthing"))
    return found


def _warren(*, sync: bool) -> Copy:
    def copy(source: Path, target: Path, old: Path | None) -> Cost:
        result = fetch(source, target, old, sync=sync)
        return Cost(result["fetch_s"], result["cpu_s"])

    return copy


def _of_tool(tool: Tool) -> Contender:
    def copy(source: Path, target: Path, old: Path | None) -> Cost:
        assert tool.copy is not None
        return _timed(lambda: tool.copy and tool.copy(source, target / source.name), tool.servers, old)

    return Contender(
        tool.name, copy if tool.copy is not None else None, tool.how_to_get, trees="curl" not in tool.name
    )


def _of_copiers(stack: ExitStack, work: Path) -> Iterator[Contender]:
    """Libtorrent and magic-wormhole, in an environment of their own."""
    python = install.folder("copiers") / "bin" / "python"
    how_to_get = install.how_to_get("copiers")
    if not python.exists():
        yield Contender("libtorrent", None, how_to_get)
        yield Contender("magic-wormhole", None, how_to_get)
        return
    yield Contender("libtorrent", _torrent(work / "torrents", torrent_command()))
    yield _of_tool(wormhole(stack, work / "wormhole", python))


def torrent_command() -> list[str] | None:
    """How to run torrent.py; None where libtorrent is missing."""
    python = install.folder("copiers") / "bin" / "python"
    return [str(python), "bench/transfers/torrent.py"] if python.exists() else None


def make_torrent(command: list[str], source: Path, folder: Path) -> Path:
    """The metadata of `source`, made once."""
    folder.mkdir(exist_ok=True)
    torrent = folder / f"{source.name}.torrent"
    if not torrent.exists():
        run_client([*command, "make", str(source), str(torrent)])
    return torrent


def _torrent(folder: Path, command: list[str] | None) -> Copy:
    assert command is not None

    def copy(source: Path, target: Path, old: Path | None) -> Cost:
        torrent = str(make_torrent(command, source, folder))
        holding = [*command, "hold", torrent, str(source.parent), "127.0.0.1", str(free_port())]
        with Program(holding) as holder:
            fetching = [*command, "get", torrent, str(target), "127.0.0.1", str(free_port())]
            with Program([*fetching, holder.info["addr"]]) as receiver:
                give_back(old)
                before = holder.cpu_s + receiver.cpu_s
                receiver.say("go")
                took_s = float(receiver.next_line(600)["fetch_s"])
                return Cost(took_s, holder.cpu_s + receiver.cpu_s - before)

    return copy


def _syncthing(work: Path, *, no_sync: bool) -> Copy:
    def copy(source: Path, target: Path, old: Path | None) -> Cost:
        before = _children_s()
        took_s = syncthing.copy(work, source, target, old, no_sync=no_sync)
        return Cost(took_s, _children_s() - before)

    return copy


def _timed(copy: Callable[[], object], servers: tuple[int, ...], old: Path | None) -> Cost:
    give_back(old)
    before = _children_s() + sum(map(family_cpu_seconds, servers))
    begun = time.perf_counter()
    copy()
    took_s = time.perf_counter() - begun
    return Cost(took_s, _children_s() + sum(map(family_cpu_seconds, servers)) - before)


def _children_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
