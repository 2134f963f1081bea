# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InviteCode(_message.Message):
    __slots__ = ("peer_id", "addresses", "relays", "secret")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    RELAYS_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    peer_id: bytes
    addresses: _containers.RepeatedScalarFieldContainer[bytes]
    relays: _containers.RepeatedScalarFieldContainer[bytes]
    secret: bytes
    def __init__(self, peer_id: _Optional[bytes] = ..., addresses: _Optional[_Iterable[bytes]] = ..., relays: _Optional[_Iterable[bytes]] = ..., secret: _Optional[bytes] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("token", "proof", "introduction")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    INTRODUCTION_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    proof: bytes
    introduction: Introduction
    def __init__(self, token: _Optional[bytes] = ..., proof: _Optional[bytes] = ..., introduction: _Optional[_Union[Introduction, _Mapping]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("welcome", "refusal")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    welcome: Introduction
    refusal: Refusal
    def __init__(self, welcome: _Optional[_Union[Introduction, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Introduction(_message.Message):
    __slots__ = ("name", "addresses")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    name: str
    addresses: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, name: _Optional[str] = ..., addresses: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("reason",)
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[Refusal.Reason]
        UNKNOWN: _ClassVar[Refusal.Reason]
        EXPIRED: _ClassVar[Refusal.Reason]
        USED_UP: _ClassVar[Refusal.Reason]
        REMOVED: _ClassVar[Refusal.Reason]
        TOO_MANY: _ClassVar[Refusal.Reason]
        NO_ROOM: _ClassVar[Refusal.Reason]
    UNSPECIFIED: Refusal.Reason
    UNKNOWN: Refusal.Reason
    EXPIRED: Refusal.Reason
    USED_UP: Refusal.Reason
    REMOVED: Refusal.Reason
    TOO_MANY: Refusal.Reason
    NO_ROOM: Refusal.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: Refusal.Reason
    def __init__(self, reason: _Optional[_Union[Refusal.Reason, str]] = ...) -> None: ...
