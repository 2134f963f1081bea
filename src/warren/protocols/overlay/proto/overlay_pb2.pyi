# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Message(_message.Message):
    __slots__ = ("join", "ask", "hits", "done", "summary", "again")
    JOIN_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    join: Join
    ask: Ask
    hits: Hits
    done: Done
    summary: Summary
    again: Again
    def __init__(self, join: _Optional[_Union[Join, _Mapping]] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ..., hits: _Optional[_Union[Hits, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., summary: _Optional[_Union[Summary, _Mapping]] = ..., again: _Optional[_Union[Again, _Mapping]] = ...) -> None: ...

class Join(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Ask(_message.Message):
    __slots__ = ("id", "round", "ttl", "breadth", "wanted", "left_ms", "search", "proof")
    ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    BREADTH_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    LEFT_MS_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    round: int
    ttl: int
    breadth: int
    wanted: int
    left_ms: int
    search: Search
    proof: bytes
    def __init__(self, id: _Optional[bytes] = ..., round: _Optional[int] = ..., ttl: _Optional[int] = ..., breadth: _Optional[int] = ..., wanted: _Optional[int] = ..., left_ms: _Optional[int] = ..., search: _Optional[_Union[Search, _Mapping]] = ..., proof: _Optional[bytes] = ...) -> None: ...

class Search(_message.Message):
    __slots__ = ("terms", "suffixes", "size_min", "size_max", "author", "domain", "online")
    TERMS_FIELD_NUMBER: _ClassVar[int]
    SUFFIXES_FIELD_NUMBER: _ClassVar[int]
    SIZE_MIN_FIELD_NUMBER: _ClassVar[int]
    SIZE_MAX_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    terms: _containers.RepeatedCompositeFieldContainer[Term]
    suffixes: _containers.RepeatedScalarFieldContainer[str]
    size_min: int
    size_max: int
    author: str
    domain: str
    online: bool
    def __init__(self, terms: _Optional[_Iterable[_Union[Term, _Mapping]]] = ..., suffixes: _Optional[_Iterable[str]] = ..., size_min: _Optional[int] = ..., size_max: _Optional[int] = ..., author: _Optional[str] = ..., domain: _Optional[str] = ..., online: _Optional[bool] = ...) -> None: ...

class Term(_message.Message):
    __slots__ = ("word", "whole")
    WORD_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    word: str
    whole: bool
    def __init__(self, word: _Optional[str] = ..., whole: _Optional[bool] = ...) -> None: ...

class Hits(_message.Message):
    __slots__ = ("id", "responder", "hits")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESPONDER_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    responder: bytes
    hits: _containers.RepeatedCompositeFieldContainer[Hit]
    def __init__(self, id: _Optional[bytes] = ..., responder: _Optional[bytes] = ..., hits: _Optional[_Iterable[_Union[Hit, _Mapping]]] = ...) -> None: ...

class Hit(_message.Message):
    __slots__ = ("owner", "path", "dir", "size", "cid", "score", "online", "metadata")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DIR_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    path: str
    dir: bool
    size: int
    cid: bytes
    score: float
    online: bool
    metadata: Metadata
    def __init__(self, owner: _Optional[bytes] = ..., path: _Optional[str] = ..., dir: _Optional[bool] = ..., size: _Optional[int] = ..., cid: _Optional[bytes] = ..., score: _Optional[float] = ..., online: _Optional[bool] = ..., metadata: _Optional[_Union[Metadata, _Mapping]] = ...) -> None: ...

class Metadata(_message.Message):
    __slots__ = ("title", "abstract", "authors", "domains", "tags", "licence")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ABSTRACT_FIELD_NUMBER: _ClassVar[int]
    AUTHORS_FIELD_NUMBER: _ClassVar[int]
    DOMAINS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    title: str
    abstract: str
    authors: _containers.RepeatedScalarFieldContainer[str]
    domains: _containers.RepeatedScalarFieldContainer[str]
    tags: _containers.RepeatedScalarFieldContainer[str]
    licence: str
    def __init__(self, title: _Optional[str] = ..., abstract: _Optional[str] = ..., authors: _Optional[_Iterable[str]] = ..., domains: _Optional[_Iterable[str]] = ..., tags: _Optional[_Iterable[str]] = ..., licence: _Optional[str] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("id", "round", "asked", "skipped", "ring", "refused")
    ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    RING_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    round: int
    asked: int
    skipped: int
    ring: int
    refused: bool
    def __init__(self, id: _Optional[bytes] = ..., round: _Optional[int] = ..., asked: _Optional[int] = ..., skipped: _Optional[int] = ..., ring: _Optional[int] = ..., refused: _Optional[bool] = ...) -> None: ...

class Summary(_message.Message):
    __slots__ = ("level", "epoch", "number", "full", "bits_log2", "form", "flips")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    BITS_LOG2_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    FLIPS_FIELD_NUMBER: _ClassVar[int]
    level: int
    epoch: int
    number: int
    full: bool
    bits_log2: int
    form: int
    flips: bytes
    def __init__(self, level: _Optional[int] = ..., epoch: _Optional[int] = ..., number: _Optional[int] = ..., full: _Optional[bool] = ..., bits_log2: _Optional[int] = ..., form: _Optional[int] = ..., flips: _Optional[bytes] = ...) -> None: ...

class Again(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
