"""`warren dht`: against a node that answers at once, and between two real nodes in processes of their own."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.cli.machine import LOOPBACK, PROGRAM, Machine
from tests.frontends.fake_node import ADDRESS, ANNA, BEN, CID, ME
from tests.frontends.support import HANGS_S, warren

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.frontends.support import RunningApi

BINARY = bytes(range(256)) + b"\n\r\n\0"


@pytest.fixture
def run(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: warren(capfd, api.home.path, "dht", *words)


def give_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_put_prints_the_key_and_get_the_value(run: Any) -> None:
    said = run("put", "my name", "hello all")
    assert (said.code, said.out) == (0, f"/warren/{ME}/my name\n")
    assert said.err == "2 peers of 3 took it\n"
    for key in ("my name", f"/warren/{ME}/my name", f"{ANNA}/none/../"):
        found = run("get", key)
        if "none" in key:
            assert found.code == 4
        else:
            assert (found.code, found.out) == (0, "hello all")
            assert found.err.startswith("signed by anna (…")


@pytest.mark.parametrize("source", ["file", "-", "--value-file -"])
def test_bytes_go_through_files_and_stdin_unchanged(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    (tmp_path / "in put").write_bytes(BINARY)
    give_stdin(monkeypatch, BINARY)
    words = ["--value-file", str(tmp_path / "in put")] if source == "file" else source.split(" ")
    assert run("put", "binary", *words).code == 0
    assert run("get", "binary", "-o", str(tmp_path / "out")).code == 0
    assert (tmp_path / "out").read_bytes() == BINARY
    again = run("get", "binary", "-o", str(tmp_path / "out"))
    assert (again.code, "is there already" in again.err) == (2, True)
    assert run("get", "binary", "--as", "hex").out == BINARY.hex() + "\n"
    assert base64.b64decode(run("get", "binary", "--as", "base64").out) == BINARY


@pytest.mark.parametrize(("form", "name"), [("hex", "ff002f20"), ("base64", "/wAvIA==")])
def test_names_that_are_no_text(run: Any, api: RunningApi, form: str, name: str) -> None:
    said = run("put", "--name-as", form, name, "--value-as", form, name)
    assert said.out == f"/warren/{ME}/ff002f20\n"
    assert "--name-as hex" in said.err
    assert api.node.dht.values == {b"/warren/%b/\xff\0/ " % str(ME).encode(): b"\xff\0/ "}
    assert run("get", "--name-as", form, name, "--as", "hex").out == "ff002f20\n"
    assert run("get", "--name-as", "hex", said.out.strip(), "--as", "hex").out == "ff002f20\n"
    assert run("get", "--name-as", "base64", "_wAvIA==", "--as", "hex").out == "ff002f20\n"
    assert "value  hex ff002f20" in run("list").out
    assert run("rm", "--name-as", form, name).code == 0


def test_names_that_were_no_utf_8_on_the_command_line_keep_their_bytes(run: Any, api: RunningApi) -> None:
    assert run("put", os.fsdecode(b"\xff"), "v").code == 0
    assert list(api.node.dht.values) == [b"/warren/%b/\xff" % str(ME).encode()]


def test_own_names_may_hold_slashes(run: Any) -> None:
    run("put", "a/b", "v")
    assert run("get", "a/b").out == "v"
    missing = run("get", "nobody/b")
    assert (missing.code, "no peer goes by 'nobody'" in missing.err) == (4, True)


def test_finished_records(run: Any, tmp_path: Path) -> None:
    (tmp_path / "record").write_bytes(b"\0record")
    key = "/ipns/k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8"
    assert run("put", "--record", key, "--value-file", tmp_path / "record").out == key + "\n"
    said = run("get", key, "--as", "hex")
    assert (said.out, said.err) == (b"\0record".hex() + "\n", "")
    assert f"record  {key}" in run("list").out


@pytest.mark.parametrize(
    "words",
    [
        ("put", "n"),
        ("put", "n", "v", "--value-file", "f"),
        ("put", "n", "--value-file", "/does/not/exist"),
        ("put", "n", "--value-as", "hex", "xyz"),
        ("put", "--name-as", "base64", "?", "v"),
        ("get", "--name-as", "hex", "/warren/00"),
        ("get", "--name-as", "base64", "?"),
        ("get", "--json", "n", "-o", "-"),
        ("get", "/nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_2(run: Any, words: tuple[str, ...]) -> None:
    said = run(*words)
    assert (said.code, said.out) == (2, "")
    assert ("hint: " if "--json" not in words else '"hint": ') in said.err


def test_nobody_there_ends_with_6_and_says_that_it_is_kept(run: Any, api: RunningApi) -> None:
    api.node.dht.alone = True
    said = run("put", "n", "v")
    assert (said.code, said.out) == (6, "")
    assert "hint: it is kept here" in said.err


def test_content_is_provided_found_listed_and_taken_back(run: Any) -> None:
    missing = run("find-providers", CID)
    assert (missing.code, missing.out) == (4, "")
    assert f"nobody says that they have {CID}" in missing.err
    assert run("provide", CID).out == f"{CID}\n"
    found = run("find-providers", CID)
    assert found.out == f"{ANNA}\n    {ADDRESS}/p2p/{ANNA}\n{BEN}\n"
    assert f"content  {CID}" in run("list").out
    assert run("rm", CID).out == f"published no longer: {CID}\n"
    assert "nothing is published" in run("list").out


def test_find_peer_shows_addresses(run: Any) -> None:
    said = run("find-peer", "anna")
    assert said.out == f"{ADDRESS}/p2p/{ANNA}\n"
    assert said.err.endswith("it is connected, found in 2 hops\n")
    assert "nobody answers there now" in run("find-peer", BEN).err
    assert run("find-peer", "anna", "--json").json["hops"] == 2


def test_status(run: Any) -> None:
    assert "server: it asks, and answers others" in run("status").out


def on_a_terminal(api: RunningApi, *words: str) -> str:
    """What a terminal gets on stdout and stderr."""
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "dht", *words, "--home", str(api.home.path)]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=Machine(api.home.path, "x").environment):
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:
            pass
        os.close(ours)
    return said.decode()


def test_a_terminal_gets_text_or_base_64(api: RunningApi) -> None:
    own = b"/warren/%b/" % str(ME).encode()
    api.node.dht.values = {
        own + b"text": "grüß\ndich".encode(),
        own + b"bytes": BINARY,
        own + b"esc": b"\x1b[",
    }
    assert "grüß\r\ndich\r\n" in on_a_terminal(api, "get", "text")
    said = on_a_terminal(api, "get", "bytes")
    assert base64.b64encode(BINARY).decode() in said
    assert "that are no text, in base 64; -o FILE writes them as they are" in said
    assert base64.b64encode(b"\x1b[").decode() in on_a_terminal(api, "get", "esc")


# --- two real nodes -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Anna and Ben, who are contacts."""
    folder = tmp_path_factory.mktemp("pair")
    anna, ben = Machine(folder, "anna"), Machine(folder, "ben")
    try:
        for one in (anna, ben):
            one.ok("up", "-d", "--name", one.name, *LOOPBACK)
        ben.ok("join", anna.ok("invite").strip())
        yield anna, ben
    finally:
        anna.clear_up()
        ben.clear_up()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose node is not started."""
    made = Machine(tmp_path, "anna")
    try:
        yield made
    finally:
        made.clear_up()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("greeting", "hello"),
        ("with spaces and / slashes", "a value\nof two lines"),
        ("ü 🐇", "ß"),
        ("-x", "-y"),
    ],
)
def test_put_on_one_is_got_on_the_other_at_the_first_try(
    pair: tuple[Machine, Machine], name: str, value: str
) -> None:
    anna, ben = pair
    key = anna.ok("dht", "put", "--", name, value).strip()
    assert key == f"/warren/{anna.ok('id').strip()}/{name}"
    assert ben.ok("dht", "get", key) == value
    assert ben.ok("dht", "get", f"anna/{name}") == value


def test_binary_names_and_values_arrive_byte_for_byte(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    anna, ben = pair
    value = BINARY * 240  # 62,400 bytes
    (tmp_path / "value").write_bytes(value)
    anna.ok("dht", "put", "--name-as", "hex", "ff002f20", "--value-file", tmp_path / "value")
    command = [*PROGRAM, "dht", "get", "--name-as", "hex", "anna/ff002f20"]
    done = subprocess.run(command, capture_output=True, env=ben.environment, timeout=HANGS_S, check=True)
    assert done.stdout == value
    found = ben.json("dht", "get", "--name-as", "hex", "anna/ff002f20")
    assert base64.b64decode(found["value_base64"]) == value


def test_what_is_too_large_or_nowhere_is_told(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    anna, ben = pair
    (tmp_path / "value").write_bytes(bytes(63 * 1024 + 1))
    said = anna.warren("dht", "put", "large", "--value-file", tmp_path / "value")
    assert said.returncode == 2
    assert "a value has 64512 bytes at most, not 64513" in said.stderr
    assert "hint: share it as a file" in said.stderr
    said = ben.warren("dht", "get", "anna/nothing")
    assert said.returncode == 4
    assert "nobody has a value under /warren/" in said.stderr


def test_a_record_that_is_none_is_told_in_words(alone: Machine) -> None:
    alone.start()
    for key, said in (
        ("/nowhere/key", "key '/nowhere/key' is in no namespace that is kept here: /pk/, /ipns/, /warren/"),
        ("/ipns/somebody", "key '/ipns/somebody' is no IPNS name"),
        ("/warren/somebody", "key '/warren/somebody' is not /warren/PEER-ID/NAME"),
    ):
        done = alone.warren("dht", "put", "--record", key, "value")
        assert done.returncode == 2
        assert said in done.stderr
        assert "b'" not in done.stderr


def test_content_and_peers_are_found(pair: tuple[Machine, Machine]) -> None:
    from warren.core.cid import DAG_PB, Cid

    anna, ben = pair
    digest = hashlib.sha256(b"content").digest()
    raw = Cid.raw_sha256(digest)
    node, old = Cid(1, DAG_PB, raw.multihash), Cid(0, DAG_PB, raw.multihash)
    anna.ok("dht", "provide", raw)
    me = anna.json("status")
    for cid in (raw, node, old):
        assert ben.ok("dht", "find-providers", cid).splitlines()[0] == me["peer_id"]
    assert me["listen"][0] in ben.ok("dht", "find-peer", me["peer_id"]).splitlines()
    stranger = "12D3KooWDPmDuXrrKYTHGmaEawrgvDSs7gSYQugYYhkwZLnu7ru1"
    assert ben.warren("dht", "find-peer", stranger).returncode == 4


def test_kill_9_right_after_a_put_loses_neither_the_value_nor_the_promise(alone: Machine) -> None:
    child = alone.start()
    assert alone.warren("dht", "put", "alone", "kept").returncode == 6
    child.kill()
    child.communicate(timeout=HANGS_S)
    for path in alone.home.glob("dht.db*"):
        path.write_bytes(b"damaged" * 1000)
    alone.start()
    assert alone.ok("dht", "get", "alone") == "kept"
    assert [one["name"] for one in alone.json("dht", "list")["items"]] == ["alone"]
    assert (alone.home / "dht.db.damaged").exists()


def test_switched_off(alone: Machine) -> None:
    alone.environment["WARREN_DHT_MODE"] = "off"
    alone.start()
    said = alone.warren("dht", "get", "greeting")
    assert said.returncode == 2
    assert "the DHT is switched off on this node" in said.stderr
    assert "hint: set dht.mode to" in said.stderr
    assert "switched off" in alone.ok("dht", "status")
    assert not (alone.home / "dht.db").exists()
