from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from tests.frontends.fake_node import ANNA, BEN, FakeNode
from tests.support import run
from warren.frontends import happenings
from warren.network.events import PeerConnected, PeerDisconnected, SocketRefused
from warren.services.contacts.model import ContactAdded, ContactRemoved

if TYPE_CHECKING:
    import pytest


def test_contacts_are_told_and_strangers_only_to_who_debugs(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    node: Any = FakeNode()
    anna = node.contacts.get(ANNA)
    happened = [
        PeerConnected(ANNA),
        PeerConnected(BEN),
        PeerDisconnected(ANNA, "closed by the other side"),
        ContactAdded(anna),
        ContactRemoved(BEN),
        ContactRemoved(ANNA),
        SocketRefused("per_ip_max", "192.0.2.1"),
        object(),
    ]

    async def events() -> Any:
        for event in happened:
            yield event

    monkeypatch.setattr(node, "events", events)
    with caplog.at_level(logging.DEBUG, "warren.happenings"):
        run(happenings.tell(cast("Any", node)))
    told = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("warren")
    ]
    assert told == [
        ("INFO", "anna is connected"),
        ("DEBUG", f"{BEN} is connected"),
        ("INFO", "anna is away: closed by the other side"),
        ("INFO", f"anna ({ANNA}) is a contact now"),
        ("INFO", f"{BEN} is no longer a contact"),
        ("INFO", f"anna (…{str(ANNA)[-8:]}) is no longer a contact"),
        ("DEBUG", "turned 192.0.2.1 away: per_ip_max"),
    ]
