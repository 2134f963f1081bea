"""Every error that Warren raises on purpose, in one tree.

Callers branch on the type, people read the message and the hint, scripts read the exit code, HTTP
clients read the status. An error says which side is to blame, which limit was met and what to do next.

    WarrenError                       exit   1  http 500
    |-- InputError                          2       400   you gave something malformed
    |   |-- InvalidKey
    |   |-- InvalidPeerId
    |   |-- InvalidMultiaddr
    |   |-- InvalidCid
    |   |-- InvalidCode                                   the code of an invitation, or of a send
    |   `-- ConfigError
    |-- MisuseError                        70       500   our own code, or yours on the API, is wrong
    |   |-- IllegalMove                                   a socket state that cannot follow the last
    |   `-- Closed                                        used after close
    |-- NodeNotRunning                      3       503
    |-- NotFound                            4       404
    |   |-- PeerUnknown
    |   `-- ContentUnknown
    |-- Ambiguous                           4       409   carries the candidates
    |-- RemoteError                         5       502   the other side is to blame
    |   |-- ProtocolViolation
    |   |   `-- InvalidRecord                             a value of the DHT that does not prove itself
    |   |-- HandshakeFailed
    |   |   |-- PeerIdMismatch                            another key than the one dialled
    |   |   `-- PlaintextRefused
    |   |-- ProtocolNotSupported
    |   `-- Refused                         5       403   the other side said no
    |-- ConnectionFailed                    6       502   nobody is to blame; the path broke
    |   |-- DialFailed                                    carries each address with its reason
    |   |-- ConnectionClosed
    |   |-- Blocked                             403   the user of this node blocked the peer
    |   |-- StreamReset
    |   `-- RequestTimeout                  6       504
    |-- LimitReached                        6       429   carries the name of the limit
    |-- IntegrityError                      7       502
    |   `-- BadContent                                    carries the peer that served it and the content id
    `-- StorageError                        8       507
        |-- DiskFull
        |-- ReadOnlyTarget
        |-- StorageDamaged                                a database that cannot be read any more
        |-- SourceVanished
        `-- SourceChanged

An interrupted command (Ctrl-C) exits with `EXIT_INTERRUPTED`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

EXIT_INTERRUPTED = 130


class WarrenError(Exception):
    """Base of all documented errors.

    `hint` says what to do next, in words for a person; it may be empty.
    """

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InputError(WarrenError):
    """What the caller handed in is malformed."""

    exit_code = 2
    http_status = 400


class InvalidKey(InputError):
    """Bytes that are not a key of a supported type and size, or not in canonical form."""


class InvalidPeerId(InputError):
    """Text or bytes that are not a peer id."""


class InvalidMultiaddr(InputError):
    """Text or bytes that are not a multiaddr, or name a protocol we do not know."""


class InvalidCid(InputError):
    """Text or bytes that are not a content id, or name a hash we cannot compute."""


class InvalidCode(InputError):
    """The code of an invitation, or of a send, that is malformed or cut short."""


class ConfigError(InputError):
    """A setting that is unknown or out of range."""


class MisuseError(WarrenError):
    """The calling code breaks the contract of what it calls."""

    exit_code = 70
    http_status = 500


class IllegalMove(MisuseError):
    """A socket was told to move to a state that cannot follow its present one."""


class Closed(MisuseError):
    """A node, network or stream was used after it was closed on this side."""


class NodeNotRunning(WarrenError):
    """No node answers for the chosen data folder."""

    exit_code = 3
    http_status = 503


class NotFound(WarrenError):
    """What was named does not exist here."""

    exit_code = 4
    http_status = 404


class PeerUnknown(NotFound):
    """No peer goes by that name, prefix or number."""


class ContentUnknown(NotFound):
    """No share or content goes by that name, path or content id."""


class Ambiguous(WarrenError):
    """A name fits several things; `candidates` lists them."""

    exit_code = 4
    http_status = 409

    def __init__(self, message: str, candidates: Iterable[str], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.candidates = list(candidates)


class RemoteError(WarrenError):
    """The other side is to blame."""

    exit_code = 5
    http_status = 502


class ProtocolViolation(RemoteError):
    """The other side sent what its protocol forbids."""


class InvalidRecord(ProtocolViolation):
    """A value that the DHT does not keep under this key: unsigned, signed by another, expired, malformed."""


class HandshakeFailed(RemoteError):
    """The connection could not be secured or agreed on."""


class PeerIdMismatch(HandshakeFailed):
    """The key met is not the key of the peer that was dialled.

    `expected` and `actual` are peer ids in text.
    """

    def __init__(self, expected: object, actual: object, *, hint: str = "") -> None:
        self.expected = str(expected)
        self.actual = str(actual)
        super().__init__(
            f"expected peer {self.expected}, met {self.actual}",
            hint=hint or "the address is out of date, or someone else answers there",
        )


class PlaintextRefused(HandshakeFailed):
    """The other side offered only an unencrypted connection."""


class ProtocolNotSupported(RemoteError):
    """The other side speaks none of the protocols asked for."""


class Refused(RemoteError):
    """The other side understood and said no."""

    http_status = 403


class ConnectionFailed(WarrenError):
    """The path to the other side broke or never stood."""

    exit_code = 6
    http_status = 502


class DialFailed(ConnectionFailed):
    """No address could be dialled; `attempts` holds each address with the reason it failed."""

    def __init__(self, message: str, attempts: Iterable[tuple[str, str]] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.attempts = list(attempts)


class ConnectionClosed(ConnectionFailed):
    """The connection ended while it was in use."""


class Blocked(ConnectionFailed):
    """The user of this node wants no connection with that peer."""

    http_status = 403


class StreamReset(ConnectionFailed):
    """One stream was cut short; its connection may live on."""


class RequestTimeout(ConnectionFailed):
    """No answer came in time."""

    http_status = 504


class LimitReached(WarrenError):
    """A limit stands in the way; `limit` is its name in the configuration."""

    exit_code = 6
    http_status = 429

    def __init__(self, limit: str, message: str = "", *, hint: str = "") -> None:
        super().__init__(message or f"limit reached: {limit}", hint=hint)
        self.limit = limit


class IntegrityError(WarrenError):
    """Data does not match what it was promised to be."""

    exit_code = 7
    http_status = 502


class BadContent(IntegrityError):
    """A peer served bytes that do not hash to the content id asked for.

    `peer` and `cid` are text.
    """

    def __init__(self, peer: object, cid: object, *, hint: str = "") -> None:
        self.peer = str(peer)
        self.cid = str(cid)
        super().__init__(f"peer {self.peer} served bad data for {self.cid}", hint=hint)


class StorageError(WarrenError):
    """The disk, or a file on it, stands in the way."""

    exit_code = 8
    http_status = 507


class DiskFull(StorageError):
    """There is no room left."""


class ReadOnlyTarget(StorageError):
    """The target folder cannot be written."""


class StorageDamaged(StorageError):
    """A database is damaged, or no database at all."""


class SourceVanished(StorageError):
    """A shared file is gone."""


class SourceChanged(StorageError):
    """A shared file is no longer what was shared."""
