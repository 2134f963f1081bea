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
    CHANGED: _ClassVar[Status]
    VANISHED: _ClassVar[Status]
    UNREADABLE: _ClassVar[Status]
    BUSY: _ClassVar[Status]
    TURN: _ClassVar[Status]

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILE: _ClassVar[Kind]
    DIR: _ClassVar[Kind]
    SYMLINK: _ClassVar[Kind]
OK: Status
NOT_FOUND: Status
CHANGED: Status
VANISHED: Status
UNREADABLE: Status
BUSY: Status
TURN: Status
FILE: Kind
DIR: Kind
SYMLINK: Kind

class Request(_message.Message):
    __slots__ = ("id", "list", "tree", "chunks", "turn")
    ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    TREE_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    id: int
    list: List
    tree: Tree
    chunks: Chunks
    turn: Turn
    def __init__(self, id: _Optional[int] = ..., list: _Optional[_Union[List, _Mapping]] = ..., tree: _Optional[_Union[Tree, _Mapping]] = ..., chunks: _Optional[_Union[Chunks, _Mapping]] = ..., turn: _Optional[_Union[Turn, _Mapping]] = ...) -> None: ...

class List(_message.Message):
    __slots__ = ("path", "after", "limit")
    PATH_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    path: str
    after: str
    limit: int
    def __init__(self, path: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class Tree(_message.Message):
    __slots__ = ("cids",)
    CIDS_FIELD_NUMBER: _ClassVar[int]
    cids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, cids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Chunks(_message.Message):
    __slots__ = ("digests", "check")
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[bytes]
    check: bool
    def __init__(self, digests: _Optional[_Iterable[bytes]] = ..., check: _Optional[bool] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("give_back",)
    GIVE_BACK_FIELD_NUMBER: _ClassVar[int]
    give_back: bool
    def __init__(self, give_back: _Optional[bool] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("request", "status", "index", "lengths", "last", "waited_ms")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LENGTHS_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    WAITED_MS_FIELD_NUMBER: _ClassVar[int]
    request: int
    status: Status
    index: int
    lengths: _containers.RepeatedScalarFieldContainer[int]
    last: bool
    waited_ms: int
    def __init__(self, request: _Optional[int] = ..., status: _Optional[_Union[Status, str]] = ..., index: _Optional[int] = ..., lengths: _Optional[_Iterable[int]] = ..., last: _Optional[bool] = ..., waited_ms: _Optional[int] = ...) -> None: ...

class Listing(_message.Message):
    __slots__ = ("here", "entries", "more")
    HERE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    here: Entry
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    more: bool
    def __init__(self, here: _Optional[_Union[Entry, _Mapping]] = ..., entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("name", "kind", "size", "cid")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CID_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: Kind
    size: int
    cid: bytes
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., size: _Optional[int] = ..., cid: _Optional[bytes] = ...) -> None: ...
