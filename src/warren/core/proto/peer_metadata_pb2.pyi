# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PeerMetadata(_message.Message):
    __slots__ = ("peer_id", "seq", "entries")
    class Entry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    peer_id: bytes
    seq: int
    entries: _containers.RepeatedCompositeFieldContainer[PeerMetadata.Entry]
    def __init__(self, peer_id: _Optional[bytes] = ..., seq: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[PeerMetadata.Entry, _Mapping]]] = ...) -> None: ...
