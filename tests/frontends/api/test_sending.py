"""The routes of sending and receiving, against a node that answers at once."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.frontends.fake_sending import ANNA, STRANGER
from tests.frontends.support import HANGS_S

if TYPE_CHECKING:
    from pathlib import Path

    from tests.frontends.support import RunningApi


def lines(api: RunningApi, path: str, body: Any) -> Any:
    response, raw = api.send("POST", path, body)
    assert response.status == 200, raw
    return [json.loads(line) for line in raw.splitlines()]


def until_cancelled(api: RunningApi, what: str) -> None:
    deadline = time.monotonic() + HANGS_S
    while what not in api.call(lambda: list(api.node.cancelled)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_send_tells_its_code_its_receivers_and_its_end(api: RunningApi, tmp_path: Path) -> None:
    found = lines(api, "/v1/sends", {"paths": [str(tmp_path / "Photos")], "words": 3, "for_s": 60})
    assert api.node.asked_to_send == (3, False, 60)
    sent = [line for line in found if line.get("phase") == "sending"]
    assert sent[0]["code"] == "4071-guitar-cross"
    assert (sent[0]["names"], sent[0]["files"], sent[0]["receivers"]) == (["Photos"], 2, [])
    result = found[-1]
    assert (result["event"], result["end"], result["wrong"], result["wrong_max"]) == ("result", "done", 2, 20)
    stranger, anna = result["receivers"]
    assert (stranger["called"], stranger["state"], stranger["here"]) == (str(STRANGER), "failed", False)
    assert anna["called"] == f"anna (…{str(ANNA)[-8:]})"
    assert anna["done_bytes"] == 10_000_000
    assert api.node.cancelled == ["send"]


def test_going_away_ends_the_send(api: RunningApi, tmp_path: Path) -> None:
    api.call(api.node.hold.clear)
    stream = api.client.stream("POST", "sends", body={"paths": [str(tmp_path / "hold")]})
    assert next(line for line in stream if "code" in line)["code"] == "4071-guitar-cross"
    stream.close()
    until_cancelled(api, "send")


def test_what_cannot_be_sent_is_an_error(api: RunningApi) -> None:
    assert api.json("POST", "/v1/sends", {"paths": ["relative"]})[0] == 400
    assert api.json("POST", "/v1/sends", {"paths": ["/a\0b"]})[0] == 400
    assert api.json("POST", "/v1/sends", {"paths": []})[0] == 400
    assert api.json("POST", "/v1/sends", {"paths": ["/gone"]})[0] == 404


def test_an_offer_is_proven_taken_or_declined(api: RunningApi, tmp_path: Path) -> None:
    (offer,) = lines(api, "/v1/receives", {"code": "4071-guitar-cross", "from_peer": "anna"})
    assert api.node.asked_from == "anna"
    assert (offer["event"], offer["id"], offer["called"][:4]) == ("result", "1", "anna")
    assert (offer["files"], offer["bytes"]) == (132, 109_989_000)
    assert offer["items"][0]["kind"] == "dir"
    api.call(api.node.hold.clear)
    stream = api.client.stream("POST", "receives", "1", body={"output": str(tmp_path)})
    assert next(stream)["phase"] == "fetching"
    api.call(api.node.hold.set)
    (done,) = next(stream)["items"]
    assert done["path"] == str(tmp_path / "Photos")
    assert api.json("DELETE", "/v1/receives/1") == (200, {"declined": "1"})
    assert api.node.cancelled == ["offer 1"]


def test_offers_that_are_not_there_and_codes_that_are_wrong(api: RunningApi) -> None:
    assert api.json("DELETE", "/v1/receives/2")[0] == 404
    assert api.json("POST", "/v1/receives/2", {})[0] == 404
    assert api.json("POST", "/v1/receives/1", {"output": "relative"})[0] == 400
    assert api.json("POST", "/v1/receives", {"code": "hello"})[0] == 400
    note, error = lines(api, "/v1/receives", {"code": "4071-wrong-wrong"})
    assert (note["phase"], note["note"][:8]) == ("looking", "somebody")
    assert (error["event"], error["error"]) == ("error", "Refused")
