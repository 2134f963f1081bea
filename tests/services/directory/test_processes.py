"""Real processes on loopback: share, search, unshare, and a kill -9 of the super-peer."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.frontends.cli.test_processes import Machine
from warren.frontends.cli.client import Client
from warren.frontends.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOUND_S = 2.0
MOVED_S = 5.0
FIRST_HIT_S = 0.05


class Peer(Machine):
    """A node in a process of its own, and its API."""

    def __init__(self, folder: Path, name: str, role: str, **settings: str) -> None:
        super().__init__(folder, name)
        self.role = role
        self.environment |= {f"WARREN_{key.upper()}": value for key, value in settings.items()}

    def begin(self, *bootstrap: str) -> None:
        self.begin_with(*(word for one in bootstrap for word in ("--bootstrap", one)))

    def begin_with(self, *words: str) -> None:
        self.start("--role", self.role, *words)
        self.client = Client(Home(self.home).door())
        self.status: dict[str, Any] = self.client.get("status")

    @property
    def address(self) -> str:
        return next(str(one) for one in self.status["listen"] if "127.0.0.1" in one)

    def kill(self) -> None:
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)

    def share(self, path: Path, audience: str = "public") -> None:
        body = {"path": str(path), "audience": audience}
        assert [*self.client.stream("POST", "shares", body=body)][-1]["event"] == "result"

    def search(self, words: str, **filters: Any) -> list[dict[str, Any]]:
        lines = [*self.client.stream("POST", "search", body={"words": words, **filters})]
        assert lines[-1]["event"] == "result"
        hits = {line["number"]: line for line in lines if line["event"] == "hit"}
        return list(hits.values())

    def first_hit_s(self, words: str) -> float:
        """Seconds from the request to the first line of a hit, the API included."""
        began = time.perf_counter()
        for line in self.client.stream("POST", "search", body={"words": words}):
            if line["event"] == "hit":
                return time.perf_counter() - began
        raise AssertionError("nothing was found")


def within(limit_s: float, what: Callable[[], object]) -> float:
    """Ask again until it is so; return how long that took. Asking takes its time, so nothing sleeps."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() < began + limit_s
    return time.monotonic() - began


def test_share_search_unshare_and_a_super_peer_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "Maps"
    folder.mkdir()
    (folder / "old map.pdf").write_bytes(b"here be dragons")
    with ExitStack() as stack:

        def peer(name: str, role: str, *bootstrap: str, **settings: str) -> Peer:
            made = Peer(tmp_path, name, role, **settings)
            stack.callback(made.clear_up)
            made.begin(*bootstrap)
            return made

        sam = peer("sam", "super")
        anna = peer("anna", "weak", sam.address, directory_super_peers="1")
        within(10.0, lambda: anna.client.get("status")["connected"])
        sue = peer("sue", "super", sam.address)
        ben = peer("ben", "weak", sam.address, sue.address)
        for one in (anna, ben, sue):
            within(10.0, lambda one=one: one.client.get("status")["connected"] == 3)  # type: ignore[misc]
        anna.share(folder)
        took = {"found": within(FOUND_S, lambda: ben.search("drag") or ben.search("old map"))}
        (hit,) = ben.search("old map", suffixes=["pdf"])
        (holder,) = hit["holders"]
        assert (hit["name"], hit["online"], hit["kind"]) == ("old map.pdf", True, "file")
        assert (holder["peer_id"], holder["paths"]) == (anna.status["peer_id"], ["Maps/old map.pdf"])
        took["first hit"] = min(ben.first_hit_s("old") for _ in range(10))
        assert took["first hit"] < FIRST_HIT_S
        sam.kill()  # with which anna is registered, and with nobody else
        took["moved"] = within(MOVED_S, lambda: ben.search("old map", online=True))
        assert sue.search("old map", online=True)
        anna.client.delete("shares", "Maps")
        took["gone"] = within(FOUND_S, lambda: not ben.search("old map"))
        anna.kill()
        print(json.dumps({name: round(seconds, 4) for name, seconds in took.items()}))
