# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OK: _ClassVar[Status]
    NOT_FOUND: _ClassVar[Status]
    BUSY: _ClassVar[Status]
OK: Status
NOT_FOUND: Status
BUSY: Status

class Ask(_message.Message):
    __slots__ = ("root", "tickets", "mine", "known", "turn")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    TICKETS_FIELD_NUMBER: _ClassVar[int]
    MINE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    root: bytes
    tickets: _containers.RepeatedScalarFieldContainer[bytes]
    mine: Holding
    known: Version
    turn: bool
    def __init__(self, root: _Optional[bytes] = ..., tickets: _Optional[_Iterable[bytes]] = ..., mine: _Optional[_Union[Holding, _Mapping]] = ..., known: _Optional[_Union[Version, _Mapping]] = ..., turn: _Optional[bool] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("status", "public", "ticket", "origin", "holding", "known", "fellows", "lead")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HOLDING_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    FELLOWS_FIELD_NUMBER: _ClassVar[int]
    LEAD_FIELD_NUMBER: _ClassVar[int]
    status: Status
    public: bool
    ticket: bytes
    origin: bytes
    holding: Holding
    known: Version
    fellows: _containers.RepeatedCompositeFieldContainer[Fellow]
    lead: int
    def __init__(self, status: _Optional[_Union[Status, str]] = ..., public: _Optional[bool] = ..., ticket: _Optional[bytes] = ..., origin: _Optional[bytes] = ..., holding: _Optional[_Union[Holding, _Mapping]] = ..., known: _Optional[_Union[Version, _Mapping]] = ..., fellows: _Optional[_Iterable[_Union[Fellow, _Mapping]]] = ..., lead: _Optional[int] = ...) -> None: ...

class Version(_message.Message):
    __slots__ = ("epoch", "number")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    number: int
    def __init__(self, epoch: _Optional[int] = ..., number: _Optional[int] = ...) -> None: ...

class Holding(_message.Message):
    __slots__ = ("complete", "version", "since", "segments")
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    version: Version
    since: int
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    def __init__(self, complete: _Optional[bool] = ..., version: _Optional[_Union[Version, _Mapping]] = ..., since: _Optional[int] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("at", "leaves")
    AT_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    at: int
    leaves: bytes
    def __init__(self, at: _Optional[int] = ..., leaves: _Optional[bytes] = ...) -> None: ...

class Fellow(_message.Message):
    __slots__ = ("peer_id", "record", "told_from")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    TOLD_FROM_FIELD_NUMBER: _ClassVar[int]
    peer_id: bytes
    record: bytes
    told_from: int
    def __init__(self, peer_id: _Optional[bytes] = ..., record: _Optional[bytes] = ..., told_from: _Optional[int] = ...) -> None: ...
