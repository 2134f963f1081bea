"""Measure a shared library on this machine: nodes in processes of their own on loopback, with real folders.

    python3 run.py bench scene [--repeats N] [changes] [line] [killed]      (all parts when none is named)

How long until a search elsewhere shows a change in a folder, until the first hit of a search over three
super-peers in a line, and until a weak peer is found again whose super-peer was killed -9; and which messages
that took, as the nodes count them (`/server_info`). Times are taken by whoever asks, its API included; it
asks again and again, so each holds the time of one search.

It fails when a bound is missed, and says which.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
for place in (ROOT / "src", ROOT):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from tests.services.directory.processes import Scene, all_ready, eventually  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tests.services.directory.processes import Peer

CHANGE_S = 2.0
FIRST_HIT_S = 0.05
FOUND_AGAIN_S = 5.0
FILES = 100
FRESH_S = 0.6
"""The counts that a node shows are up to half a second old."""
ALONE = {"exchange_enabled": "false", "discovery_connections": "0", "dht_mode": "off"}
"""Settings of a super-peer that meets nobody but its neighbours."""
WITH_ONE = ALONE | {"discovery_connections": "1", "directory_super_peers": "1"}
"""Settings of a weak peer that meets nobody but the one super-peer that it is told."""
SEARCHING = frozenset({"query", "hits", "end", "counts", "ask", "done"})
"""Kinds of messages that only searches cause."""
COLUMNS = ("what", "times", "p50 ms", "worst ms", "promised", "kept")
PARTS = ("changes", "line", "killed")


@dataclass(slots=True)
class Row:
    """What took how long. bound_s: the most that was promised for the worst of them, or `of_median`."""

    what: str
    bound_s: float
    of_median: bool = False
    took_s: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        return statistics.median(self.took_s)

    @property
    def worst_s(self) -> float:
        return max(self.took_s)

    @property
    def kept(self) -> bool:
        return (self.median_s if self.of_median else self.worst_s) <= self.bound_s

    def cells(self) -> list[str]:
        which = "p50" if self.of_median else "worst"
        return [
            self.what,
            str(len(self.took_s)),
            f"{self.median_s * 1000:,.0f}",
            f"{self.worst_s * 1000:,.0f}",
            f"{which} at most {self.bound_s * 1000:,.0f}",
            "yes" if self.kept else "NO",
        ]


@dataclass(slots=True)
class Messages:
    """What a scenario took, by (protocol, kind), all nodes together; `per`: of so many happenings."""

    scenario: str
    per: int
    sent: Counter[tuple[str, str]]

    def cells(self) -> list[str]:
        parts = [
            f"{protocol}: "
            + ", ".join(
                f"{count / self.per:.3g} {kind}"
                for (other, kind), count in sorted(self.sent.items(), key=lambda one: -one[1])
                if other == protocol
            )
            for protocol in sorted({protocol for protocol, _ in self.sent})
        ]
        return [self.scenario, f"{self.sent.total() / self.per:.3g}", "; ".join(parts)]


@dataclass(slots=True)
class Report:
    """All that was measured."""

    rows: list[Row] = field(default_factory=list)
    messages: list[Messages] = field(default_factory=list)

    def row(self, what: str, bound_s: float, *, of_median: bool = False) -> Row:
        self.rows.append(Row(what, bound_s, of_median))
        return self.rows[-1]

    def text(self) -> str:
        """Two tables in Markdown."""
        times = table(COLUMNS, [row.cells() for row in self.rows])
        sent = table(
            ("messages of one", "in all", "by kind, all nodes together"),
            [one.cells() for one in self.messages],
        )
        return f"{times}\n\n{sent}"

    @property
    def missed(self) -> list[str]:
        """Which promises are not kept: each as a sentence."""
        return [f"{row.what}: not within {row.bound_s * 1000:,.0f} ms" for row in self.rows if not row.kept]


def table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    drawn = ["| " + " | ".join(cells) + " |" for cells in (columns, *lines)]
    drawn.insert(1, "|---" * len(columns) + "|")
    return "\n".join(drawn)


class Stage(Scene):
    """A scene whose nodes tell how many messages they sent."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.peers: list[Peer] = []

    def peer(self, name: str, role: str, **settings: str) -> Peer:
        made = super().peer(name, role, status_listen="127.0.0.1:0", **settings)
        self.peers.append(made)
        return made

    def sent(self, *others: Peer) -> Counter[tuple[str, str]]:
        """By (protocol, kind), of all nodes, or of these."""
        time.sleep(FRESH_S)
        sent: Counter[tuple[str, str]] = Counter()
        for peer in others or self.peers:
            with urllib.request.urlopen(f"{peer.ready['status']}/server_info") as answer:  # noqa: S310  ours
                told = json.load(answer)["messages"]
            for protocol, kinds in told.items():
                for kind, count in kinds.items():
                    sent[protocol, kind] += count.get("out", 0)
        return sent


def changes(folder: Path, repeats: int) -> Report:
    """A weak peer changes its folder. One asker has the same super-peers, the other one asks over the
    overlay.
    """
    report = Report()
    with Stage(folder) as stage:
        sam, sue = (stage.peer(name, "super", **ALONE) for name in ("sam", "sue"))
        anna, ben = (stage.peer(name, "weak", **WITH_ONE) for name in ("anna", "ben"))
        sam.begin()
        sue.begin_with("--neighbour", sam.address)
        sue.wait_until_ready()
        anna.begin_soon(sam.address)
        ben.begin_soon(sue.address)
        all_ready((anna, ben))
        eventually(lambda: (sam.connected, sue.connected) == (2, 2))
        many = stage.folder_of("Many", {f"leaf {number}.txt": b"%d" % number for number in range(FILES)})
        before = stage.sent()
        anna.share(many)
        eventually(
            lambda: sam.search("leaf", limit=2 * FILES) and len(sam.search("leaf", limit=500)) == FILES
        )
        registered = stage.sent() - before
        report.messages.append(
            Messages(f"registration of {FILES} files with a super-peer", 1, without(registered, SEARCHING))
        )
        maps = stage.folder_of("Maps", {"legend.txt": b"a legend"})
        anna.share(maps)
        eventually(lambda: ben.search("legend"))
        for asker, where in (sam, "at its super-peer"), (ben, "over the overlay"):
            rows = {
                what: report.row(f"{what}, seen {where}", CHANGE_S)
                for what in ("create", "modify", "move", "delete")
            }
            before = stage.sent()
            for number in range(repeats):
                for what, took_s in change(asker, maps, number):
                    rows[what].took_s.append(took_s)
            took = without(stage.sent() - before, SEARCHING)
            report.messages.append(Messages(f"change in a folder, seen {where}", 4 * repeats, took))
        for asker, where in (sam, "at the super-peer that has it"), (ben, "over the overlay"):
            report.messages.append(searched(stage, asker, "legend", f"search {where}"))
    return report


def change(asker: Peer, folder: Path, number: int) -> Iterator[tuple[str, float]]:
    """Create, modify, move and delete a file; how long until the asker sees each."""
    made, moved = folder / f"chart{number} north.txt", folder / f"plan{number} south.txt"

    def cids(words: str) -> set[str]:
        return {hit["cid"] for hit in asker.search(words, suffixes=["txt"])}

    made.write_text(f"chart {number}")
    yield "create", eventually(lambda: cids(made.stem))
    first = cids(made.stem)
    made.write_text(f"chart {number}, and more")
    yield "modify", eventually(lambda: cids(made.stem) not in (first, set()))
    made.rename(moved)
    yield "move", eventually(lambda: cids(moved.stem) and not cids(made.stem))
    moved.unlink()
    yield "delete", eventually(lambda: not cids(moved.stem))


def without(sent: Counter[tuple[str, str]], kinds: frozenset[str]) -> Counter[tuple[str, str]]:
    """What was sent but for messages of these kinds."""
    return Counter({sort: count for sort, count in sent.items() if sort[1] not in kinds})


def searched(stage: Stage, asker: Peer, words: str, scenario: str, count: int = 20) -> Messages:
    """The messages of one search, by the mean of several."""
    before = stage.sent()
    for _ in range(count):
        assert asker.search(words)
    taken = stage.sent() - before
    return Messages(scenario, count, Counter({sort: n for sort, n in taken.items() if sort[1] in SEARCHING}))


def line(folder: Path, repeats: int) -> Report:
    """Three super-peers in a line; the first one searches what the last one has."""
    report = Report()
    row = report.row("first hit over three super-peers in a line", FIRST_HIT_S, of_median=True)
    with Stage(folder) as stage:
        sam, sue, tom = (stage.peer(name, "super", **ALONE) for name in ("sam", "sue", "tom"))
        sue.begin()
        for one in (sam, tom):
            one.begin_with("--neighbour", sue.address)
        all_ready((sam, tom))
        eventually(lambda: sue.connected == 2)
        tom.share(stage.folder_of("Maps", {"old map.pdf": b"here be dragons"}))
        eventually(lambda: sam.search("old map"))
        row.took_s += [sam.first_hit_s("old map") for _ in range(3 * repeats)]
        report.messages.append(searched(stage, sam, "old map", "search over three super-peers in a line"))
    return report


def killed(folder: Path, repeats: int) -> Report:
    """The only super-peer of a weak peer is killed; the asker has another one."""
    report = Report()
    row = report.row("found again after kill -9 of its only super-peer", FOUND_AGAIN_S)
    sent: Counter[tuple[str, str]] = Counter()
    count = max(repeats // 3, 1)
    for number in range(count):
        with Stage(folder / str(number)) as stage:
            stage.folder.mkdir(parents=True)
            sam, sue = stage.peer("sam", "super"), stage.peer("sue", "super")
            ben, eve = stage.peer("ben", "weak", directory_super_peers="1"), stage.peer("eve", "weak")
            sam.begin()
            ben.begin(sam.address)
            ben.share(stage.folder_of("Songs", {"sea song.txt": b"heave ho"}))
            eventually(lambda sam=sam: sam.search("sea song", ttl=0))  # type: ignore[misc]
            sue.begin(sam.address)
            eve.begin(sue.address)
            eventually(lambda eve=eve: eve.search("sea song"))  # type: ignore[misc]
            eventually(lambda ben=ben: ben.connected == 3)  # type: ignore[misc]
            before = stage.sent(ben, sue)
            sam.kill()
            row.took_s.append(eventually(lambda eve=eve: eve.search("sea song", online=True)))  # type: ignore[misc]
            sent += without(stage.sent(ben, sue) - before, SEARCHING)
    report.messages.append(Messages("move to another super-peer", count, sent))
    return report


def measure(parts: Iterable[str], repeats: int) -> Report:
    """All parts that were asked for, one after the other."""
    measured: dict[str, Callable[[Path, int], Report]] = {"changes": changes, "line": line, "killed": killed}
    whole = Report()
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="warren-bench.") as folder:
            report = measured[part](Path(folder), repeats)
        whole.rows += report.rows
        whole.messages += report.messages
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="bench scene", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--repeats", type=int, default=10, help="of each change  [default: %(default)s]")
    args = parser.parse_args(argv)
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))} (there are {', '.join(PARTS)})")
    if args.repeats < 1:
        parser.error("--repeats must be 1 or more")
    report = measure(args.parts or PARTS, args.repeats)
    print(report.text())
    print(*report.missed, sep="\n")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
