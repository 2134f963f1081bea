"""`warren discover`: against a node that answers at once, and between real nodes in processes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.frontends.cli.machine import LOOPBACK, PROGRAM, Machine
from tests.frontends.fake_node import ADDRESS, ANNA, BEN
from tests.frontends.support import HANGS_S, warren

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.frontends.support import RunningApi


@pytest.fixture
def run(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: warren(capfd, api.home.path, "discover", *words)


def test_who_is_found_is_printed_with_source_and_addresses(run: Any) -> None:
    said = run("chess", "--seconds", 0.2)
    assert said.code == 0
    first, *others = said.out.splitlines()
    assert first.startswith(f"{ANNA}  dht  anna (…")
    assert others == [
        f"    {ADDRESS}/p2p/{ANNA}",
        f"{BEN}  mdns",
        f"    {ADDRESS}/p2p/{BEN}",
        "somebody  dns",
        f"    {ADDRESS}",
    ]
    assert said.err == (
        "looking under 'chess' by dht (provider records); not by mdns: listens on no local link\n"
    )


def test_without_a_name_it_is_the_network_of_the_node(run: Any) -> None:
    said = run("--seconds", 0.1, "--advertise")
    assert said.err.startswith("looking under 'warren' by bootstrap (1 address), dht (provider records); ")
    assert said.err.endswith("; your node is found there, too\n")


def test_as_json_each_is_a_document(run: Any) -> None:
    said = run("chess", "--seconds", 0.2, "--json")
    begin, *found, last = [json.loads(line) for line in said.out.splitlines()]
    assert (begin["event"], begin["namespace"], last["count"]) == ("begin", "chess", 3)
    assert [one["source"] for one in found] == ["dht", "mdns", "dns"]
    assert said.err == ""


def test_nobody_ends_with_4(run: Any) -> None:
    said = run("alone", "--seconds", 0.1)
    assert (said.code, said.out) == (4, "")
    assert "nobody was found under 'alone' in 100 ms" in said.err
    assert json.loads(run("alone", "--seconds", 0.1, "--json").err)["error"] == "NotFound"


@pytest.mark.parametrize("words", [("",), ("chess", "--seconds", "0"), ("chess", "go")])
def test_what_makes_no_sense_is_refused_with_2(run: Any, words: tuple[str, ...]) -> None:
    said = run(*words)
    assert (said.code, said.out) == (2, "")
    assert "hint: " in said.err


def test_ctrl_c_ends_it_and_what_it_advertised(api: RunningApi) -> None:
    words = [*PROGRAM, "discover", "chess", "--advertise", "--home", str(api.home.path)]
    environment = Machine(api.home.path, "x").environment
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith(str(ANNA))
        assert api.node.discovery.advertised_now == ["chess"]
        begun = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=HANGS_S)
        took_s = time.monotonic() - begun
    assert (running.returncode, took_s < 5) == (130, True)
    assert "; your node is found there, too; Ctrl-C ends it\n" in err
    assert err.endswith("interrupted\n")
    assert api.node.discovery.idle.wait(HANGS_S)


# --- real nodes ---------------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Machine, Machine, Machine]]:
    """Anna, Ben and Cem, who know each other."""
    anna, *others = machines = [Machine(tmp_path, name) for name in ("anna", "ben", "cem")]
    try:
        for one in machines:
            one.ok("up", "-d", "--name", one.name, *LOOPBACK)
        for one in others:
            one.ok("join", anna.ok("invite").strip())
        yield anna, others[0], others[1]
    finally:
        for one in machines:
            one.clear_up()


def test_who_advertises_is_found_and_nobody_else_is(three: tuple[Machine, Machine, Machine]) -> None:
    anna, ben, cem = three
    words = [*PROGRAM, "discover", "chess", "--advertise"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=anna.environment) as advertising:
        assert advertising.stderr is not None
        assert "looking under 'chess' by dht (provider records)" in advertising.stderr.readline()
        until, said = time.monotonic() + HANGS_S, None
        while said is None or said.returncode == 4:  # it takes a moment until others keep what Anna says
            assert time.monotonic() < until, said
            said = ben.warren("discover", "chess", "--seconds", 1)
        me = anna.json("status")
        assert said.returncode == 0, said.stderr
        first, *addresses = said.stdout.splitlines()
        assert first.startswith(f"{me['peer_id']}  dht  anna (…")
        assert me["listen"][0] in [one.strip() for one in addresses]
        assert {one.strip() for one in addresses} <= set(me["listen"])
        assert cem.warren("discover", "go", "--seconds", 1).returncode == 4
        advertising.send_signal(signal.SIGINT)
        advertising.wait(HANGS_S)
    assert advertising.returncode == 130
    found = [json.loads(line) for line in cem.ok("discover", "--seconds", 2, "--json").splitlines()]
    assert me["peer_id"] in [one.get("peer_id") for one in found]


def test_where_nothing_can_look_that_is_told(tmp_path: Path) -> None:
    anna = Machine(tmp_path, "anna")
    anna.environment["WARREN_DHT_MODE"] = "off"
    try:
        anna.start("--no-mdns")
        for words in (("chess",), ("chess", "--advertise"), ("--advertise",)):
            said = anna.warren("discover", *words)
            assert said.returncode == 2
            assert "error: nothing here " in said.stderr
            assert "hint: switch on discovery.mdns, or the DHT (dht.mode)" in said.stderr
    finally:
        anna.clear_up()
