"""Roles by protocols."""

from __future__ import annotations

from warren.services.peers.roles import roles_of


def test_roles_are_what_is_served() -> None:
    assert roles_of([]) == ()
    assert roles_of(["/ipfs/ping/1.0.0", "/libp2p/circuit/relay/0.2.0/hop", "/ipfs/kad/1.0.0"]) == (
        "dht",
        "relay",
    )
    assert roles_of(["/libp2p/circuit/relay/0.2.0/stop"]) == ()
