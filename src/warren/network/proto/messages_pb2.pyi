# mypy: disable-error-code="type-arg"
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REQUEST: _ClassVar[Kind]
    RESPONSE: _ClassVar[Kind]
    ERROR: _ClassVar[Kind]
    MESSAGE: _ClassVar[Kind]
REQUEST: Kind
RESPONSE: Kind
ERROR: Kind
MESSAGE: Kind

class Message(_message.Message):
    __slots__ = ("id", "kind", "payload")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    id: int
    kind: Kind
    payload: bytes
    def __init__(self, id: _Optional[int] = ..., kind: _Optional[_Union[Kind, str]] = ..., payload: _Optional[bytes] = ...) -> None: ...
