"""Nodes in processes of their own on loopback, with real folders, asked by API and command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from tests.frontends.cli.machine import Machine
from tests.frontends.support import HANGS_S
from warren.core.errors import WarrenError
from warren.frontends.cli.client import Client
from warren.frontends.home import Home

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable
    from pathlib import Path

Document = dict[str, Any]
PAUSE_S = 0.025
"""Between two questions: who asks a super-peer more than 50 times a second is refused."""


class Peer(Machine):
    """A node with a role in the directory. settings: as `warren config` names them, dots as `_`."""

    def __init__(self, folder: Path, name: str, role: str, **settings: str) -> None:
        super().__init__(folder, name)
        self.role = role
        self.environment |= {f"WARREN_{key.upper()}": value for key, value in settings.items()}
        self.ready: Document = {}
        self.status: Document = {}
        self._child: subprocess.Popen[str] | None = None

    # --- its life -------------------------------------------------------------------------------------------

    def begin(self, *bootstrap: str) -> None:
        """Start it; returns when it is ready."""
        self.begin_soon(*bootstrap)
        self.wait_until_ready()

    def begin_soon(self, *bootstrap: str) -> None:
        """Start it, and do not wait."""
        self.begin_with(*(word for one in bootstrap for word in ("--bootstrap", one)))

    def begin_with(self, *words: str) -> None:
        """Start it with these options, and do not wait."""
        self._child = self.launch("--role", self.role, *words)

    def wait_until_ready(self) -> None:
        """Until it can be asked."""
        assert self._child is not None
        assert self._child.stdout is not None
        self.ready = json.loads(self._child.stdout.readline())
        assert self.ready["event"] == "ready"
        self.client = Client(Home(self.home).door(), timeout_s=HANGS_S)
        self.status = self.client.get("status")
        # There it is met again after a restart.
        self.listen = ("--listen", self.address.partition("/p2p/")[0])

    def kill(self) -> None:
        """As kill -9 does; returns when it is gone."""
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGKILL)
        self._child.wait(HANGS_S)

    # --- what it is and says --------------------------------------------------------------------------------

    @property
    def peer_id(self) -> str:
        return str(self.status["peer_id"])

    @property
    def address(self) -> str:
        return next(str(one) for one in self.status["listen"] if "127.0.0.1" in one)

    @property
    def connected(self) -> int:
        """With how many peers it is connected."""
        return int(self.client.get("status")["connected"])

    def share(self, path: Path, audience: str = "public") -> None:
        body = {"path": str(path), "audience": audience}
        assert [*self.client.stream("POST", "shares", body=body)][-1]["event"] == "result"

    def search(self, words: str, **filters: Any) -> list[Document]:
        """The hits in the end."""
        lines = [*self.client.stream("POST", "search", body={"words": words, **filters})]
        assert lines[-1]["event"] == "result"
        hits = {line["number"]: line for line in lines if line["event"] == "hit"}
        return list(hits.values())

    def finds(self, words: str, **filters: Any) -> dict[str, bool]:
        """name -> whether anybody is there who holds it, of what a search finds."""
        return {hit["name"]: hit["online"] for hit in self.search(words, **filters)}

    def first_hit_s(self, words: str) -> float:
        """Seconds from the request to the first line of a hit, the API included."""
        began = time.perf_counter()
        for line in self.client.stream("POST", "search", body={"words": words}):
            if line["event"] == "hit":
                return time.perf_counter() - began
        raise AssertionError("nothing was found")


class Scene(contextlib.ExitStack):
    """Peers by name; all are gone at its end."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def peer(self, name: str, role: str, **settings: str) -> Peer:
        """One that is not started yet."""
        made = Peer(self.folder, name, role, **settings)
        self.callback(made.clear_up)
        return made

    def folder_of(self, name: str, files: dict[str, bytes]) -> Path:
        """A folder with these files, by path within it."""
        top = self.folder / name
        for path, content in files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_bytes(content)
        return top


def all_ready(peers: Iterable[Peer]) -> None:
    """Wait for those that were begun."""
    for one in peers:
        one.wait_until_ready()


def eventually(what: Callable[[], object]) -> float:
    """Ask again until it is so; return the seconds that took."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(WarrenError):
            if what():
                return time.monotonic() - began
        assert time.monotonic() < began + HANGS_S
        time.sleep(PAUSE_S)
