"""What the fleet asks of a connection to Redis. `runtime.real.redis` has one.

Errors: `ConnectionFailed` where nobody answers (and whoever asked does not know whether it was done),
`StorageError` where the server says no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Connection(Protocol):
    """A server, or a cluster of such."""

    async def run(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Run a script there and return what it returns: bytes, whole numbers and lists of such."""
        ...

    async def wait(
        self, stream: str, after: str, *, wait_s: float, count: int
    ) -> list[tuple[str, Mapping[bytes, bytes]]]:
        """What follows an id in a stream, at most `count`; when there is nothing yet, wait for so long."""
        ...

    async def close(self) -> None: ...
