# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Call(_message.Message):
    __slots__ = ("ask", "news")
    ASK_FIELD_NUMBER: _ClassVar[int]
    NEWS_FIELD_NUMBER: _ClassVar[int]
    ask: Ask
    news: News
    def __init__(self, ask: _Optional[_Union[Ask, _Mapping]] = ..., news: _Optional[_Union[News, _Mapping]] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("salt", "known", "limit")
    SALT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    salt: bytes
    known: bytes
    limit: int
    def __init__(self, salt: _Optional[bytes] = ..., known: _Optional[bytes] = ..., limit: _Optional[int] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("entries", "more")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    more: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class News(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("record", "metadata", "told_from")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TOLD_FROM_FIELD_NUMBER: _ClassVar[int]
    record: bytes
    metadata: bytes
    told_from: int
    def __init__(self, record: _Optional[bytes] = ..., metadata: _Optional[bytes] = ..., told_from: _Optional[int] = ...) -> None: ...
