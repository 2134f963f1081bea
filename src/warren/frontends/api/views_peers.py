"""From the values of the peer table to the documents of the API.

In:  peers, figures, reports. Out: plain dicts in the shape of `schemas_peers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warren.frontends.api import views
from warren.services.peers.model import Peer

if TYPE_CHECKING:
    from warren.node import Node
    from warren.services.peers.lists import ImportReport
    from warren.services.peers.model import Figure

Document = dict[str, Any]


def known_peer(node: Node, one: Peer) -> Document:
    """A `schemas_peers.KnownPeer`: what the table holds, with what is so right now."""
    now = views.peer(node, one.peer_id)
    addresses = dict.fromkeys(str(address) for address in one.addresses)
    tally = node.presence.tally(one.peer_id)
    return {
        **now,
        "agent": now["agent"] or one.agent or None,
        "addresses": list(addresses | dict.fromkeys(now["addresses"])),
        "first_seen": one.first_seen or None,
        "last_seen": one.last_seen,
        "latency_ms": _scaled(one.latency, 1000.0),
        "latency_at": _at(one.latency),
        "jitter_ms": None if one.jitter_s is None else round(one.jitter_s * 1000, 3),
        "response_ms": _scaled(one.response, 1000.0),
        "response_at": _at(one.response),
        "download_bytes_per_s": _scaled(one.download, 1.0),
        "download_at": _at(one.download),
        "upload_bytes_per_s": _scaled(one.upload, 1.0),
        "upload_at": _at(one.upload),
        "state": one.state,
        "public": one.public,
        "roles": list(one.roles),
        "metadata": dict(one.metadata),
        "blocked": one.blocked,
        "sources": list(one.sources),
        "held_offline": tally._asdict() if tally is not None else None,
    }


def imported(report: ImportReport) -> Document:
    """A `schemas_peers.Imported`."""
    return {
        "form": report.form,
        "added": report.added,
        "known": report.known,
        "leads": report.leads,
        "skipped": report.skipped,
        "blocked": [str(peer) for peer in report.blocked],
        "problems": [{"line": line, "text": text} for line, text in report.problems],
        "problem_count": report.problem_count,
    }


def _scaled(figure: Figure | None, factor: float) -> float | None:
    return None if figure is None else round(figure.value * factor, 3)


def _at(figure: Figure | None) -> float | None:
    return None if figure is None else figure.measured_at
