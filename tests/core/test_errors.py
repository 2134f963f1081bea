from __future__ import annotations

import re

import pytest

from warren.core import errors
from warren.core.errors import WarrenError


def tree(root: type[WarrenError]) -> list[type[WarrenError]]:
    return [root, *(below for child in root.__subclasses__() for below in tree(child))]


def own(root: type[WarrenError]) -> list[type[WarrenError]]:
    return [kind for kind in tree(root) if kind.__module__ == errors.__name__]


def test_the_drawing_in_the_header_is_the_tree() -> None:
    drawn = re.findall(r"(?:\|--|`--) (\w+)", errors.__doc__ or "")
    assert sorted(drawn) == sorted(kind.__name__ for kind in own(WarrenError)[1:])
    assert len(drawn) == len(set(drawn))


@pytest.mark.parametrize("kind", own(WarrenError))
def test_every_error_says_how_a_command_exits_and_what_http_answers(kind: type[WarrenError]) -> None:
    assert kind.exit_code in {1, 2, 3, 4, 5, 6, 7, 8, 70}
    assert 400 <= kind.http_status < 600
    assert kind.__doc__


@pytest.mark.parametrize(
    ("kind", "exit_code", "http_status"),
    [
        (errors.InvalidMultiaddr, 2, 400),
        (errors.Closed, 70, 500),
        (errors.NodeNotRunning, 3, 503),
        (errors.PeerUnknown, 4, 404),
        (errors.Ambiguous, 4, 409),
        (errors.PeerIdMismatch, 5, 502),
        (errors.Refused, 5, 403),
        (errors.DialFailed, 6, 502),
        (errors.RequestTimeout, 6, 504),
        (errors.LimitReached, 6, 429),
        (errors.BadContent, 7, 502),
        (errors.DiskFull, 8, 507),
    ],
)
def test_codes(kind: type[WarrenError], exit_code: int, http_status: int) -> None:
    assert (kind.exit_code, kind.http_status) == (exit_code, http_status)


def test_a_hint_is_kept_beside_the_message() -> None:
    error = errors.NodeNotRunning("no node runs here", hint="start one: warren up -d")
    assert str(error) == "no node runs here"
    assert error.hint == "start one: warren up -d"
    assert WarrenError("plain").hint == ""


def test_errors_carry_their_facts() -> None:
    ambiguous = errors.Ambiguous(
        "two peers fit", (name for name in ("anna", "anton")), hint="type more of it"
    )
    assert ambiguous.candidates == ["anna", "anton"]
    assert ambiguous.hint == "type more of it"

    mismatch = errors.PeerIdMismatch("expected-id", "actual-id")
    assert (mismatch.expected, mismatch.actual) == ("expected-id", "actual-id")
    assert "expected-id" in str(mismatch)
    assert "actual-id" in str(mismatch)
    assert mismatch.hint
    assert errors.PeerIdMismatch("a", "b", hint="other").hint == "other"

    failed = errors.DialFailed("no address answered", [("/ip4/192.0.2.1/tcp/1", "refused")])
    assert failed.attempts == [("/ip4/192.0.2.1/tcp/1", "refused")]
    assert errors.DialFailed("no address known").attempts == []

    limit = errors.LimitReached("sockets_inbound_max")
    assert limit.limit == "sockets_inbound_max"
    assert "sockets_inbound_max" in str(limit)
    assert str(errors.LimitReached("x", "too many sockets")) == "too many sockets"

    bad = errors.BadContent("peer-id", "content-id", hint="fetch from another holder")
    assert (bad.peer, bad.cid, bad.hint) == ("peer-id", "content-id", "fetch from another holder")
    assert "peer-id" in str(bad)
