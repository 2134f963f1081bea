"""What is told of transfers where stderr is a log."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from warren.frontends.cli.following import watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


def line(state: str = "running", *sources: str, **more: Any) -> dict[str, Any]:
    return {
        "event": "progress",
        "number": 1,
        "name": "sea.jpg",
        "state": state,
        "phase": "fetching",
        "cause": "",
        "between": None,
        "done_bytes": 5,
        "total_bytes": 10,
        "bytes_per_s": 0,
        "sources": [{"state": one} for one in sources],
        **more,
    }


RESULT = {"event": "result", "items": [{"number": 1}]}


def told(lines: Sequence[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    assert watch(iter([*lines, RESULT]), quiet=False) == RESULT["items"]
    return log.getvalue().splitlines()


def test_what_a_transfer_waits_for_is_told_at_once_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    going, left = line("running", "active"), line("running", "gone", "dropped")
    assert told([going, going, left, left], monkeypatch) == ["sea.jpg: looking for holders"]
    busy = line("queued", cause="busy")
    assert told([going, busy, busy], monkeypatch) == ["sea.jpg: waiting for a place"]


def test_what_begins_and_ends_at_once_is_told_by_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told([line("queued"), line("running", "active"), line("done", "active")], monkeypatch) == []


def test_progress_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    going = line("running", "active", bytes_per_s=1_000_000)
    assert told([going, going], monkeypatch) == []
    monkeypatch.setattr("warren.frontends.cli.following.PLAIN_EVERY_S", 0)
    assert told([going], monkeypatch) == ["sea.jpg: fetching: 5 B of 10 B (50 %), 1.0 MB/s from 1 source"]


def test_who_wants_no_progress_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    assert watch(iter([line("running", "gone"), RESULT]), quiet=True) == RESULT["items"]
    assert log.getvalue() == ""
