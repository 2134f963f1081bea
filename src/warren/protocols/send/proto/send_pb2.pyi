# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hello(_message.Message):
    __slots__ = ("channel", "share")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    channel: int
    share: bytes
    def __init__(self, channel: _Optional[int] = ..., share: _Optional[bytes] = ...) -> None: ...

class Challenge(_message.Message):
    __slots__ = ("share", "refusal")
    SHARE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    share: bytes
    refusal: Refusal
    def __init__(self, share: _Optional[bytes] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Proof(_message.Message):
    __slots__ = ("confirmation",)
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    confirmation: bytes
    def __init__(self, confirmation: _Optional[bytes] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("granted", "refusal")
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    granted: Granted
    refusal: Refusal
    def __init__(self, granted: _Optional[_Union[Granted, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Granted(_message.Message):
    __slots__ = ("confirmation", "offer")
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    confirmation: bytes
    offer: bytes
    def __init__(self, confirmation: _Optional[bytes] = ..., offer: _Optional[bytes] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("items", "name")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    name: str
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., name: _Optional[str] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("root", "name", "size", "files", "folder", "ticket")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    root: bytes
    name: str
    size: int
    files: int
    folder: bool
    ticket: bytes
    def __init__(self, root: _Optional[bytes] = ..., name: _Optional[str] = ..., size: _Optional[int] = ..., files: _Optional[int] = ..., folder: _Optional[bool] = ..., ticket: _Optional[bytes] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("state", "done_bytes", "name")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[Report.State]
        ASKING: _ClassVar[Report.State]
        FETCHING: _ClassVar[Report.State]
        DONE: _ClassVar[Report.State]
        DECLINED: _ClassVar[Report.State]
        FAILED: _ClassVar[Report.State]
    UNSPECIFIED: Report.State
    ASKING: Report.State
    FETCHING: Report.State
    DONE: Report.State
    DECLINED: Report.State
    FAILED: Report.State
    STATE_FIELD_NUMBER: _ClassVar[int]
    DONE_BYTES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    state: Report.State
    done_bytes: int
    name: str
    def __init__(self, state: _Optional[_Union[Report.State, str]] = ..., done_bytes: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("reason",)
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[Refusal.Reason]
        UNKNOWN: _ClassVar[Refusal.Reason]
        WRONG: _ClassVar[Refusal.Reason]
        TOO_MANY: _ClassVar[Refusal.Reason]
        WITHDRAWN: _ClassVar[Refusal.Reason]
        ENDED: _ClassVar[Refusal.Reason]
    UNSPECIFIED: Refusal.Reason
    UNKNOWN: Refusal.Reason
    WRONG: Refusal.Reason
    TOO_MANY: Refusal.Reason
    WITHDRAWN: Refusal.Reason
    ENDED: Refusal.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: Refusal.Reason
    def __init__(self, reason: _Optional[_Union[Refusal.Reason, str]] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("place", "leave", "seek", "wanted")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    SEEK_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    place: Place
    leave: int
    seek: Place
    wanted: Wanted
    def __init__(self, place: _Optional[_Union[Place, _Mapping]] = ..., leave: _Optional[int] = ..., seek: _Optional[_Union[Place, _Mapping]] = ..., wanted: _Optional[_Union[Wanted, _Mapping]] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("channel", "addresses")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    channel: int
    addresses: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, channel: _Optional[int] = ..., addresses: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Wanted(_message.Message):
    __slots__ = ("channel", "who")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    channel: int
    who: Found
    def __init__(self, channel: _Optional[int] = ..., who: _Optional[_Union[Found, _Mapping]] = ...) -> None: ...

class Told(_message.Message):
    __slots__ = ("lease_s", "found")
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    lease_s: int
    found: _containers.RepeatedCompositeFieldContainer[Found]
    def __init__(self, lease_s: _Optional[int] = ..., found: _Optional[_Iterable[_Union[Found, _Mapping]]] = ...) -> None: ...

class Found(_message.Message):
    __slots__ = ("peer_id", "addresses")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    peer_id: bytes
    addresses: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, peer_id: _Optional[bytes] = ..., addresses: _Optional[_Iterable[bytes]] = ...) -> None: ...
