# mypy: disable-error-code="type-arg"
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class FailVote(_message.Message):
    __slots__ = ("peer_id", "seq", "valid_s", "cast_at", "accused", "against")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    VALID_S_FIELD_NUMBER: _ClassVar[int]
    CAST_AT_FIELD_NUMBER: _ClassVar[int]
    ACCUSED_FIELD_NUMBER: _ClassVar[int]
    AGAINST_FIELD_NUMBER: _ClassVar[int]
    peer_id: bytes
    seq: int
    valid_s: int
    cast_at: int
    accused: bytes
    against: int
    def __init__(self, peer_id: _Optional[bytes] = ..., seq: _Optional[int] = ..., valid_s: _Optional[int] = ..., cast_at: _Optional[int] = ..., accused: _Optional[bytes] = ..., against: _Optional[int] = ...) -> None: ...
