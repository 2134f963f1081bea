# mypy: disable-error-code="type-arg"
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Ticket(_message.Message):
    __slots__ = ("origin", "root", "grantee", "expires_at")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    GRANTEE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    origin: bytes
    root: bytes
    grantee: bytes
    expires_at: int
    def __init__(self, origin: _Optional[bytes] = ..., root: _Optional[bytes] = ..., grantee: _Optional[bytes] = ..., expires_at: _Optional[int] = ...) -> None: ...
