from __future__ import annotations

from typing import Any

import pytest

from tests.services.files.queue.scene import ANNA, BEN, cid
from warren.core.errors import InputError, PeerUnknown
from warren.services.files.queue.wanted import wanted
from warren.services.files.queue.window import Window


def peer_of(text: Any) -> Any:
    if text not in {"anna", "ben"}:
        raise PeerUnknown(text)
    return ANNA if text == "anna" else BEN


def asked(ref: Any, **more: Any) -> Any:
    return wanted(ref, "/d", peer_of, **more)


def test_a_path_is_at_its_peer_and_others_may_give_it() -> None:
    want = asked("anna/Photos/sea.jpg")
    assert (want.cid, want.path, want.peers, want.only) == (None, "Photos/sea.jpg", (ANNA,), False)
    want = asked("Photos/", from_peer="ben", holders=["anna", "ben"])
    assert (want.path, want.peers, want.only) == ("Photos", (BEN, ANNA), True)


def test_a_content_id_needs_nobody() -> None:
    for ref in (cid(1), str(cid(1))):
        assert (asked(ref).cid, asked(ref).peers, asked(ref).only) == (cid(1), (), False)
    assert asked(cid(1), from_peer="anna").only


def test_how() -> None:
    want = asked(
        "anna/x",
        name="y",
        patterns=["*.a"],
        paths=["b"],
        priority=8,
        cap_bytes_per_s=3,
        between="1:00-2:00",
        keep=False,
    )
    assert (want.name, want.selection.patterns, want.selection.paths) == ("y", ("*.a",), ("b",))
    assert (want.priority, want.cap_bytes_per_s, want.window, want.keep) == (8, 3, Window(60, 120), False)


@pytest.mark.parametrize(
    ("ref", "more", "error"),
    [
        ("anna", {}, InputError),
        ("anna/", {}, InputError),
        ("", {"from_peer": "anna"}, InputError),
        ("eve/x", {}, PeerUnknown),
        ("anna/x", {"priority": 10}, InputError),
        ("anna/x", {"between": "soon"}, InputError),
        ("anna/x", {"patterns": ["["]}, InputError),
    ],
)
def test_what_names_nothing_is_refused(ref: str, more: Any, error: Any) -> None:
    with pytest.raises(error):
        asked(ref, **more)
