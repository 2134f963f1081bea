# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TAKEN: _ClassVar[Verdict]
    OLD: _ClassVar[Verdict]
    FULL: _ClassVar[Verdict]
    NOT_ONLINE: _ClassVar[Verdict]
    UNKNOWN: _ClassVar[Verdict]
    REFUTED: _ClassVar[Verdict]
    NOT_HERE: _ClassVar[Verdict]

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ABSENT: _ClassVar[State]
    ONLINE: _ClassVar[State]
    HELD_OFFLINE: _ClassVar[State]
TAKEN: Verdict
OLD: Verdict
FULL: Verdict
NOT_ONLINE: Verdict
UNKNOWN: Verdict
REFUTED: Verdict
NOT_HERE: Verdict
ABSENT: State
ONLINE: State
HELD_OFFLINE: State

class Call(_message.Message):
    __slots__ = ("vote", "ask", "accused", "doubt")
    VOTE_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    ACCUSED_FIELD_NUMBER: _ClassVar[int]
    DOUBT_FIELD_NUMBER: _ClassVar[int]
    vote: bytes
    ask: Ask
    accused: Accused
    doubt: Doubt
    def __init__(self, vote: _Optional[bytes] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ..., accused: _Optional[_Union[Accused, _Mapping]] = ..., doubt: _Optional[_Union[Doubt, _Mapping]] = ...) -> None: ...

class Accused(_message.Message):
    __slots__ = ("at",)
    AT_FIELD_NUMBER: _ClassVar[int]
    at: bytes
    def __init__(self, at: _Optional[bytes] = ...) -> None: ...

class Doubt(_message.Message):
    __slots__ = ("peer_id",)
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    peer_id: bytes
    def __init__(self, peer_id: _Optional[bytes] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("peers", "held")
    PEERS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    peers: _containers.RepeatedScalarFieldContainer[bytes]
    held: bool
    def __init__(self, peers: _Optional[_Iterable[bytes]] = ..., held: _Optional[bool] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("verdict", "standings", "lease")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    STANDINGS_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    standings: _containers.RepeatedCompositeFieldContainer[Standing]
    lease: bytes
    def __init__(self, verdict: _Optional[_Union[Verdict, str]] = ..., standings: _Optional[_Iterable[_Union[Standing, _Mapping]]] = ..., lease: _Optional[bytes] = ...) -> None: ...

class Standing(_message.Message):
    __slots__ = ("peer_id", "state", "lease", "accusers", "online")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    ACCUSERS_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    peer_id: bytes
    state: State
    lease: int
    accusers: int
    online: int
    def __init__(self, peer_id: _Optional[bytes] = ..., state: _Optional[_Union[State, str]] = ..., lease: _Optional[int] = ..., accusers: _Optional[int] = ..., online: _Optional[int] = ...) -> None: ...
