# mypy: disable-error-code="type-arg"
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Lease(_message.Message):
    __slots__ = ("peer_id", "seq", "valid_s", "held_s", "super_peer")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    VALID_S_FIELD_NUMBER: _ClassVar[int]
    HELD_S_FIELD_NUMBER: _ClassVar[int]
    SUPER_PEER_FIELD_NUMBER: _ClassVar[int]
    peer_id: bytes
    seq: int
    valid_s: int
    held_s: int
    super_peer: bytes
    def __init__(self, peer_id: _Optional[bytes] = ..., seq: _Optional[int] = ..., valid_s: _Optional[int] = ..., held_s: _Optional[int] = ..., super_peer: _Optional[bytes] = ...) -> None: ...
