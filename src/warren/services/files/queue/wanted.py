"""What a user wants, in words, as a `Want`.

In:  `peer/share/path` or a content id, from whom, how. Out: the `Want`. Refuses what names nothing, and what
`Want`, `Selection` and `Window` refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

from warren.core.cid import Cid
from warren.core.errors import InputError, InvalidCid
from warren.services.files.queue.machine import PRIORITY_DEFAULT, check_priority
from warren.services.files.queue.model import Want
from warren.services.files.queue.selection import Selection
from warren.services.files.queue.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warren.core.peer_id import PeerId


class How(TypedDict, total=False):
    """How to fetch it; see `Node.get`."""

    holders: Sequence[PeerId | str]
    patterns: Sequence[str]
    paths: Sequence[str]
    priority: int
    cap_bytes_per_s: int
    between: str
    keep: bool


def wanted(
    ref: str | Cid,
    folder: str,
    peer_of: Callable[[PeerId | str], PeerId],
    *,
    from_peer: PeerId | str | None = None,
    name: str | None = None,
    **how: Unpack[How],
) -> Want:
    """folder: absolute. peer_of: the peer that a user means. Raises `InputError`, and what that raises."""
    cid = _cid_in(ref)
    path = "" if cid is not None else str(ref).strip("/")
    peers = [] if from_peer is None else [from_peer]
    if cid is None and from_peer is None:
        peer, _, path = str(ref).partition("/")
        if not path.strip("/"):
            raise InputError(
                f"{ref!r} does not say what to fetch from whom",
                hint="write PEER/SHARE or PEER/SHARE/PATH, or a content id",
            )
        peers = [peer]
    named = [peer_of(one) for one in (*peers, *how.get("holders", ()))]
    return Want(
        folder,
        cid,
        path,
        tuple(dict.fromkeys(named)),
        only=from_peer is not None,
        name=name,
        selection=Selection(tuple(how.get("patterns", ())), tuple(how.get("paths", ()))),
        keep=how.get("keep", True),
        cap_bytes_per_s=how.get("cap_bytes_per_s", 0),
        priority=check_priority(how.get("priority", PRIORITY_DEFAULT)),
        window=Window.parse(between) if (between := how.get("between")) else None,
    )


def _cid_in(ref: str | Cid) -> Cid | None:
    if isinstance(ref, Cid):
        return ref
    try:
        return Cid.parse(ref)
    except InvalidCid:
        return None
