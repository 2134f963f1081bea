"""`warren status`, of this node and of a peer; and the status listener of a real process."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.frontends.cli.machine import LOOPBACK, Machine
from tests.frontends.fake_node import ANNA, BEN
from tests.frontends.support import warren

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.frontends.support import RunningApi


def test_a_contact_tells_more_than_a_stranger(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> None:
    said = warren(capfd, api.home.path, "status", "anna")
    assert said.code == 0
    assert "answered   in 12.30 ms" in said.out
    assert "roles      dht, relay" in said.out
    assert "up         1 day 2 h" in said.out
    assert "traffic    1.5 MB in, 2.0 kB out" in said.out
    said = warren(capfd, api.home.path, "status", "ben")
    assert "answered   in 250.00 ms" in said.out
    assert "it tells more to its contacts" in said.out


def test_the_same_as_json(api: RunningApi, capfd: pytest.CaptureFixture[str]) -> None:
    found = warren(capfd, api.home.path, "status", "anna", "--json").json
    assert (found["peer_id"], found["response_ms"], found["load_percent"]) == (str(ANNA), 12.3, 10)
    assert found["details"]["peers_known"] == 40
    status, found = api.json("POST", "/v1/peer-status", {"peer": "ben"})
    assert (status, found["peer_id"], found["details"]) == (200, str(BEN), None)
    assert api.json("POST", "/v1/peer-status", {"peer": "nobody"})[0] == 404
    assert api.json("POST", "/v1/peer-status", {})[0] == 400


def test_a_node_without_a_listener_says_nothing_of_one(
    api: RunningApi, capfd: pytest.CaptureFixture[str]
) -> None:
    assert warren(capfd, api.home.path, "status", "--json").json["status"] == ""
    assert "status  " not in warren(capfd, api.home.path, "status").out


def test_up_with_a_status_listener_tells_where_it_is_and_answers(tmp_path: Path) -> None:
    anna = Machine(tmp_path, "anna")
    try:
        ready = anna.json("up", "-d", *LOOPBACK, "--status-listen", "127.0.0.1:0", "--json")
        url = ready["status"]
        assert url.startswith("http://127.0.0.1:")
        assert anna.json("status", "--json")["status"] == url
        assert f"status     {url}/server_info" in anna.ok("status")
        assert _read(f"{url}/readyz") == "ready\n"
        assert json.loads(_read(f"{url}/server_info"))["peer_id"] == ready["peer_id"]
        assert f'peer_id="{ready["peer_id"]}"' in _read(f"{url}/metrics")
        taken = Machine(tmp_path, "ben").warren(
            "up", *LOOPBACK, "--status-listen", url.removeprefix("http://")
        )
        assert taken.returncode == 2
        assert "--status-listen" in taken.stderr
    finally:
        anna.warren("down")


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  our own loopback address
        text: Any = answer.read().decode()
    return str(text)
