"""What sending needs of services beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from warren.core.cid import Cid
    from warren.core.multiaddr import Multiaddr
    from warren.core.peer_id import PeerId
    from warren.protocols.send.messages import Item


class Progress(Protocol):
    """How far hashing, or a transfer, is."""

    @property
    def done_bytes(self) -> int: ...

    @property
    def total_bytes(self) -> int: ...


class Skipped(Protocol):
    """Something that was left out."""

    @property
    def path(self) -> str: ...

    @property
    def reason(self) -> str: ...


class Shared(Protocol):
    """A file or folder that was hashed."""

    @property
    def name(self) -> str: ...

    @property
    def cid(self) -> Cid: ...

    @property
    def kind(self) -> str: ...

    @property
    def files(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    @property
    def skipped(self) -> Sequence[Skipped]: ...

    @property
    def skipped_count(self) -> int: ...


class Lent(Protocol):
    """What is held ready for those who are admitted."""

    @property
    def share(self) -> Shared: ...

    def admit(self, peer: PeerId) -> None:
        """Let `peer` have it. Raises LimitReached."""
        ...

    async def take_back(self) -> None:
        """Let nobody have it any more."""
        ...


class Lend(Protocol):
    """Hashes what lies at a path, and holds it ready for nobody yet. progress: called with a `Progress`."""

    async def __call__(self, path: Path, progress: Callable[[Any], None] | None) -> Lent:
        """Raises NotFound, StorageError, InputError."""
        ...


class Found(Protocol):
    """Somebody may be reached there."""

    @property
    def peer(self) -> PeerId | None: ...

    @property
    def addresses(self) -> Sequence[Multiaddr]: ...

    @property
    def source(self) -> str: ...


class Discovery(Protocol):
    """Finds, and lets be found, under a name."""

    def advertised(self, namespace: str) -> AbstractAsyncContextManager[None]:
        """Let this node be found. Raises InputError where nothing can say it."""
        ...

    def find(self, namespace: str) -> AsyncIterator[Found]:
        """Who is, for as long as the caller iterates. Raises InputError where nothing can look."""
        ...


class Outcome(Protocol):
    """A file or folder that came."""

    @property
    def path(self) -> Path: ...


class Fetching(Protocol):
    """A fetch that runs by itself; leaving its `async with` early cancels it."""

    @property
    def outcome(self) -> Outcome | None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def __aiter__(self) -> AsyncIterator[Progress]:
        """Its progress, until it ends."""
        ...

    async def result(self) -> Path:
        """Where it lies. Raises what made it fail."""
        ...


class Fetch(Protocol):
    """Begins to fetch an item of an offer, at the sender and whoever else may have it."""

    def __call__(self, sender: PeerId, item: Item, folder: Path) -> Fetching: ...
