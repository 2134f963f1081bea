"""A file is read while it comes, by real nodes: behind a pipe, and by a player over HTTP."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.frontends.cli.machine import PROGRAM, machine
from tests.frontends.support import HANGS_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.frontends.cli.machine import Machine

CAP = 2_000_000
FILM = os.urandom(10_000_000)
FILMS = ("one.mkv", "two.mkv", "three.mkv")
"""One for each test: what was read stays for a while."""


def content(name: str) -> bytes:
    return FILM * (4 if name == FILMS[2] else 1) + name.encode()


@pytest.fixture(scope="module")
def ben(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Knows anna, who shares films, and sends 2 MB a second of them at most."""
    folder = tmp_path_factory.mktemp("machines")
    (folder / "films").mkdir()
    for name in FILMS:
        (folder / "films" / name).write_bytes(content(name))
    with contextlib.contextmanager(machine)(folder, "anna") as anna:
        anna.environment["WARREN_FILES_UP_BYTES_PER_S"] = str(CAP)
        anna.start()
        anna.ok("share", folder / "films")
        with contextlib.contextmanager(machine)(folder, "ben") as made:
            made.start()
            made.ok("join", anna.ok("invite").strip())
            yield made


def reading(ben: Machine, name: str) -> subprocess.Popen[bytes]:
    words = [*PROGRAM, "get", f"anna/films/{name}", "-o", "-"]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ben.environment, bufsize=0
    )


def test_a_player_jumps_to_the_end_by_the_address_that_get_prints(ben: Machine) -> None:
    address = ben.ok("get", f"anna/films/{FILMS[2]}", "--url").strip()
    assert (ben.home / "api.token").read_text().strip() not in address
    url = urlsplit(address)
    shown = "Basic " + base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    film = content(FILMS[2])
    connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=HANGS_S)
    with contextlib.closing(connection):
        for start, end in ((0, 1000), (39_000_000, 39_001_000)):
            headers = {"Authorization": shown, "Range": f"bytes={start}-{end - 1}"}
            connection.request("GET", f"{url.path}?{url.query}", headers=headers)
            response = connection.getresponse()
            assert (response.status, response.read()) == (206, film[start:end])
            assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{len(film)}"
            assert response.headers["content-type"] == "video/x-matroska"
    assert list((ben.home / "streams").rglob("*.partial")), "it waited for all of it"
    assert not ben.downloads.exists()
    assert ben.json("transfer", "list")["items"] == []


def test_what_is_behind_the_pipe_begins_long_before_all_is_there(ben: Machine) -> None:
    with reading(ben, FILMS[0]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        begin = process.stdout.read(1000)
        begun = time.monotonic()
        rest = b"".join(iter(lambda: process.stdout.read(1 << 16), b""))  # type: ignore[union-attr]
        assert time.monotonic() - begun > 1.5, "it came only once all was there"
        assert process.stderr.read() == b""
        assert process.wait(HANGS_S) == 0
    assert begin + rest == content(FILMS[0])


def test_who_has_seen_enough_ends_it_quietly(ben: Machine) -> None:
    with reading(ben, FILMS[1]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1000) == FILM[:1000]
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(HANGS_S) == 1
    assert len(list((ben.home / "streams").iterdir())) == len(FILMS)
    ben.ok("down")
    assert not (ben.home / "streams").exists()
