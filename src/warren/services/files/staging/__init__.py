"""Where a fetch grows, and how it becomes the real thing at once: `Staging`, and when it commits:
`Commits`.
"""

from __future__ import annotations

from warren.services.files.staging.commits import Commits
from warren.services.files.staging.faults import name_error
from warren.services.files.staging.open_files import KEPT_MAX, make_places
from warren.services.files.staging.record import Batch
from warren.services.files.staging.staging import Arrived, Staging, make_target

__all__ = ["KEPT_MAX", "Arrived", "Batch", "Commits", "Staging", "make_places", "make_target", "name_error"]
