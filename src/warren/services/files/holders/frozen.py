"""A replica is what it was fetched as, or nothing: no change of it is taken in.

In:  what a look at its folder finds, as it is told to `Pending`. Out: `NotTheSame` at the first difference,
before anything of it is read or written to the index. So what the user puts into a copy of somebody else's is
never shown to those that the copy was for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.errors import WarrenError
from warren.services.files.hashing import join
from warren.services.files.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.services.files.comparing import Place
    from warren.services.files.hashing import Scanned
    from warren.services.files.index import EntryRow
    from warren.services.files.types import EntryKind


class NotTheSame(WarrenError):
    """A replica is not what was fetched any more. path: what is another in it; '': it itself."""

    def __init__(self, path: str, what: str) -> None:
        named = f"{path!r} {what}" if path else f"it {what}"
        super().__init__(f"{named} since it was fetched", hint="share it by hand to share it as it is now")


class Frozen(Pending):
    """What an update of a replica finds. Raises `NotTheSame` for whatever that is."""

    def add(self, row: EntryRow) -> None:
        """See `Pending`."""
        raise NotTheSame(join(row.folder, row.name), "is new or another")

    def let_go(self, place: Place, kind: EntryKind) -> None:  # noqa: ARG002
        """See `Pending`."""
        raise NotTheSame(join(*place), "is gone")

    async def take_moved(self, files: Sequence[Scanned]) -> list[Scanned]:
        """See `Pending`."""
        raise NotTheSame(files[0].path, "is new or another")
