from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warren.core import errors
from warren.services.files.queue.outcomes import judge

if TYPE_CHECKING:
    from warren.core.errors import WarrenError


@pytest.mark.parametrize(
    ("error", "named", "found"),
    [
        (errors.DiskFull("full"), "full", "full"),
        (errors.ReadOnlyTarget("no"), "failed", "failed"),
        (errors.StorageError("no"), "failed", "failed"),
        (errors.BadContent("anna", "cid"), "failed", "failed"),
        (errors.IntegrityError("lies"), "failed", "failed"),
        (errors.InputError("no"), "failed", "failed"),
        (errors.ConnectionFailed("away"), "waiting", "waiting"),
        (errors.DialFailed("away"), "waiting", "waiting"),
        (errors.RequestTimeout("slow"), "waiting", "waiting"),
        (errors.LimitReached("any"), "waiting", "waiting"),
        (errors.LimitReached("files.serve_streams_max"), "busy", "busy"),
        (errors.Blocked("blocked"), "failed", "waiting"),
        (errors.ContentUnknown("what"), "failed", "waiting"),
        (errors.SourceVanished("gone"), "failed", "waiting"),
        (errors.SourceChanged("other"), "failed", "waiting"),
        (errors.ProtocolViolation("rude"), "failed", "waiting"),
        (errors.Refused("no"), "failed", "waiting"),
    ],
)
def test_what_can_mend_waits(error: WarrenError, named: str, found: str) -> None:
    assert judge(error, named=True) == named
    assert judge(error, named=False) == found
