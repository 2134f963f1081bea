"""One BitTorrent peer on libtorrent, to measure against. It runs in an environment of its own.

    python torrent.py make SOURCE TORRENT               writes the metadata
    python torrent.py hold TORRENT FOLDER IP PORT       seeds until the end of standard input
    python torrent.py get TORRENT FOLDER IP PORT [HOST:PORT ...]
                                                        fetches from these, once a line comes; then seeds

Prints JSON lines. DHT, local discovery and port mapping are off; TCP, in the clear, version 1 of the
metadata: of all its settings those are the fastest on loopback. What it fetched is checked by its hashes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import libtorrent  # type: ignore[import-not-found]  # not in the environment that is checked

SETTINGS = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "in_enc_policy": 2,
    "out_enc_policy": 2,
    "allow_multiple_connections_per_ip": True,
    "alert_mask": libtorrent.alert.category_t.storage_notification,
}


def emit(command: str, **fields: object) -> None:
    print(json.dumps({"cmd": command, "ok": True, **fields}), flush=True)


def make(source: str, target: str) -> None:
    files = libtorrent.file_storage()
    libtorrent.add_files(files, source)
    torrent = libtorrent.create_torrent(files, 0, libtorrent.create_torrent.v1_only)
    libtorrent.set_piece_hashes(torrent, os.path.dirname(source))
    with open(target, "wb") as file:
        file.write(libtorrent.bencode(torrent.generate()))
    emit("made")


def begin(torrent: str, folder: str, ip: str, port: str, *, holds: bool) -> tuple[Any, Any]:
    session = libtorrent.session({**SETTINGS, "listen_interfaces": f"{ip}:{port}"})
    added = libtorrent.add_torrent_params()
    added.ti = libtorrent.torrent_info(torrent)
    added.save_path = folder
    if holds:
        added.flags |= libtorrent.torrent_flags.seed_mode
    added.flags &= ~libtorrent.torrent_flags.auto_managed
    added.flags &= ~libtorrent.torrent_flags.paused
    return session, added


def hold(torrent: str, folder: str, ip: str, port: str) -> None:
    session, added = begin(torrent, folder, ip, port, holds=True)
    handle = session.add_torrent(added)
    while not handle.status().is_seeding:
        time.sleep(0.01)
    emit("ready", addr=f"{ip}:{port}")
    sys.stdin.read()


def flush(session: Any, handle: Any) -> None:
    """Wait until all of it is in the file; before that a part waits in memory."""
    handle.flush_cache()
    while True:
        session.wait_for_alert(1000)
        if any(isinstance(alert, libtorrent.cache_flushed_alert) for alert in session.pop_alerts()):
            return


def get(torrent: str, folder: str, ip: str, port: str, *holders: str) -> None:
    session, added = begin(torrent, folder, ip, port, holds=False)
    emit("ready", addr=f"{ip}:{port}")
    sys.stdin.readline()
    begun = time.perf_counter()
    handle = session.add_torrent(added)
    for holder in holders:
        host, _, holder_port = holder.rpartition(":")
        handle.connect_peer((host, int(holder_port)))
    while not handle.status().is_seeding:
        time.sleep(0.005)
    flush(session, handle)
    emit("got", fetch_s=time.perf_counter() - begun)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(*sys.argv[2:])
    elif sys.argv[1] == "hold":
        hold(*sys.argv[2:])
    else:
        get(*sys.argv[2:])
