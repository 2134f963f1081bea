"""Syncthing as a tool that copies: two instances on loopback that share a folder.

What is measured begins with the scan of the source and ends when the other side says that it is in sync; it
hashes as it scans, as all folders are changed under it. With its own default of syncing each file, and
without.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from bench.copies import free_port, program, serve
from bench.processes import RunError
from bench.warm import give_back

if TYPE_CHECKING:
    from pathlib import Path

NAME = "syncthing"
KEY = "bench"
TIMEOUT_S = 120
CONFIG = """<configuration version="36">
<folder id="f" label="f" path="{folder}" type="sendreceive" rescanIntervalS="0" fsWatcherEnabled="false">
<filesystemType>basic</filesystemType><device id="{me}"/><device id="{other}"/>
<disableFsync>{no_sync}</disableFsync><markerName>.stfolder</markerName></folder>
<device id="{me}" name="me" compression="metadata"><address>dynamic</address></device>
<device id="{other}" name="other" compression="metadata"><address>tcp://127.0.0.1:{port}</address></device>
<gui enabled="true" tls="false"><address>127.0.0.1:{gui}</address><apikey>{key}</apikey></gui>
<options><listenAddress>tcp://127.0.0.1:{own_port}</listenAddress>
<globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled>
<relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><startBrowser>false</startBrowser>
<urAccepted>-1</urAccepted><urSeen>3</urSeen><autoUpgradeIntervalH>0</autoUpgradeIntervalH>
<crashReportingEnabled>false</crashReportingEnabled><stunKeepaliveStartS>0</stunKeepaliveStartS>
<reconnectionIntervalS>1</reconnectionIntervalS><setLowPriority>false</setLowPriority></options></configuration>
"""


class Instance:
    """One of the two; its data folder is made with it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.gui, self.port = free_port(), free_port()
        syncthing = program("syncthing")
        assert syncthing is not None
        self.program = syncthing
        make = [syncthing, "generate", "--home", str(home), "--no-default-folder", "--skip-port-probing"]
        subprocess.run(make, capture_output=True, check=True)
        ask = [syncthing, "--home", str(home), "--device-id"]
        asked = subprocess.run(ask, capture_output=True, text=True, check=True)
        self.id = asked.stdout.strip()

    def start(self, stack: ExitStack, folder: Path, other: Instance, *, no_sync: bool) -> None:
        (folder / ".stfolder").mkdir(parents=True)
        text = CONFIG.format(
            folder=folder,
            me=self.id,
            other=other.id,
            no_sync=str(no_sync).lower(),
            port=other.port,
            gui=self.gui,
            own_port=self.port,
            key=KEY,
        )
        (self.home / "config.xml").write_text(text)
        for old in self.home.glob("index*"):
            shutil.rmtree(old)
        env = {**os.environ, "STNOUPGRADE": "1", "STNORESTART": "1", "HOME": str(self.home)}
        command = [self.program, "serve", "--home", str(self.home), "--no-browser", "--no-restart"]
        serve(stack, self.gui, *command, env=env)

    def ask(self, path: str, method: str = "GET") -> Any:
        url = f"http://127.0.0.1:{self.gui}/rest/{path}"
        request = urllib.request.Request(url, method=method, headers={"X-API-Key": KEY})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  on loopback
            return json.loads(answer.read() or b"null")

    def wait(self, what: str, is_so: Any) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if is_so(self.ask(what)):
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.02)
        raise RunError(f"syncthing: {what} does not come true")


def copy(work: Path, source: Path, target: Path, old: Path | None, *, no_sync: bool) -> float:
    """Copy into the folder `target`, once `old` is removed (see `warm`); returns the seconds that it took."""
    files = sum(len(names) for _, _, names in os.walk(source)) if source.is_dir() else 1
    with ExitStack() as stack:
        homes = [work / f"syncthing.{number}" for number in range(2)]
        for home in homes:
            stack.callback(shutil.rmtree, home, True)
        one, two = map(Instance, homes)
        given = work / "syncthing.given"
        stack.callback(shutil.rmtree, given, True)
        one.start(stack, given, two, no_sync=no_sync)
        two.start(stack, target, one, no_sync=no_sync)
        for side in (one, two):
            side.wait(
                "system/connections",
                lambda found: any(peer["connected"] for peer in found["connections"].values()),
            )
        subprocess.run(["cp", "-rl", source, given / source.name], check=True)
        give_back(old)
        begun = time.perf_counter()
        one.ask("db/scan?folder=f", "POST")
        two.wait(
            "db/status?folder=f",
            lambda found: found["inSyncFiles"] == found["globalFiles"] == files and found["state"] == "idle",
        )
        return time.perf_counter() - begun
