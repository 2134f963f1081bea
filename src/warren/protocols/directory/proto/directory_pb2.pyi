# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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

class Entry(_message.Message):
    __slots__ = ("path", "kind", "size", "cid", "metadata", "audience")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FILE: _ClassVar[Entry.Kind]
        DIR: _ClassVar[Entry.Kind]
    FILE: Entry.Kind
    DIR: Entry.Kind
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: Entry.Kind
    size: int
    cid: bytes
    metadata: Metadata
    audience: int
    def __init__(self, path: _Optional[str] = ..., kind: _Optional[_Union[Entry.Kind, str]] = ..., size: _Optional[int] = ..., cid: _Optional[bytes] = ..., metadata: _Optional[_Union[Metadata, _Mapping]] = ..., audience: _Optional[int] = ...) -> None: ...

class Audience(_message.Message):
    __slots__ = ("number", "members")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    number: int
    members: bytes
    def __init__(self, number: _Optional[int] = ..., members: _Optional[bytes] = ...) -> None: ...

class Audiences(_message.Message):
    __slots__ = ("salt", "audiences")
    SALT_FIELD_NUMBER: _ClassVar[int]
    AUDIENCES_FIELD_NUMBER: _ClassVar[int]
    salt: bytes
    audiences: _containers.RepeatedCompositeFieldContainer[Audience]
    def __init__(self, salt: _Optional[bytes] = ..., audiences: _Optional[_Iterable[_Union[Audience, _Mapping]]] = ...) -> None: ...

class Registration(_message.Message):
    __slots__ = ("epoch", "from_seq", "to_seq", "snapshot", "more", "added", "removed", "audiences", "anew")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    TO_SEQ_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    AUDIENCES_FIELD_NUMBER: _ClassVar[int]
    ANEW_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    from_seq: int
    to_seq: int
    snapshot: bool
    more: bool
    added: _containers.RepeatedCompositeFieldContainer[Entry]
    removed: _containers.RepeatedScalarFieldContainer[str]
    audiences: Audiences
    anew: bool
    def __init__(self, epoch: _Optional[int] = ..., from_seq: _Optional[int] = ..., to_seq: _Optional[int] = ..., snapshot: _Optional[bool] = ..., more: _Optional[bool] = ..., added: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., removed: _Optional[_Iterable[str]] = ..., audiences: _Optional[_Union[Audiences, _Mapping]] = ..., anew: _Optional[bool] = ...) -> None: ...

class Term(_message.Message):
    __slots__ = ("word", "whole")
    WORD_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    word: str
    whole: bool
    def __init__(self, word: _Optional[str] = ..., whole: _Optional[bool] = ...) -> None: ...

class Query(_message.Message):
    __slots__ = ("terms", "suffixes", "size_min", "size_max", "author", "domain", "online", "limit", "after", "ttl", "cid")
    TERMS_FIELD_NUMBER: _ClassVar[int]
    SUFFIXES_FIELD_NUMBER: _ClassVar[int]
    SIZE_MIN_FIELD_NUMBER: _ClassVar[int]
    SIZE_MAX_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    CID_FIELD_NUMBER: _ClassVar[int]
    terms: _containers.RepeatedCompositeFieldContainer[Term]
    suffixes: _containers.RepeatedScalarFieldContainer[str]
    size_min: int
    size_max: int
    author: str
    domain: str
    online: bool
    limit: int
    after: int
    ttl: int
    cid: bytes
    def __init__(self, terms: _Optional[_Iterable[_Union[Term, _Mapping]]] = ..., suffixes: _Optional[_Iterable[str]] = ..., size_min: _Optional[int] = ..., size_max: _Optional[int] = ..., author: _Optional[str] = ..., domain: _Optional[str] = ..., online: _Optional[bool] = ..., limit: _Optional[int] = ..., after: _Optional[int] = ..., ttl: _Optional[int] = ..., cid: _Optional[bytes] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ("peers",)
    PEERS_FIELD_NUMBER: _ClassVar[int]
    peers: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, peers: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Bye(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Standing(_message.Message):
    __slots__ = ("willing", "reach", "rtt_us")
    WILLING_FIELD_NUMBER: _ClassVar[int]
    REACH_FIELD_NUMBER: _ClassVar[int]
    RTT_US_FIELD_NUMBER: _ClassVar[int]
    willing: bool
    reach: int
    rtt_us: int
    def __init__(self, willing: _Optional[bool] = ..., reach: _Optional[int] = ..., rtt_us: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("query", "registration", "lease", "bye", "presence", "standing")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    BYE_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    query: Query
    registration: bytes
    lease: bytes
    bye: Bye
    presence: Presence
    standing: Standing
    def __init__(self, query: _Optional[_Union[Query, _Mapping]] = ..., registration: _Optional[bytes] = ..., lease: _Optional[bytes] = ..., bye: _Optional[_Union[Bye, _Mapping]] = ..., presence: _Optional[_Union[Presence, _Mapping]] = ..., standing: _Optional[_Union[Standing, _Mapping]] = ...) -> None: ...

class Hit(_message.Message):
    __slots__ = ("owner", "entry", "score", "online")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    entry: Entry
    score: float
    online: bool
    def __init__(self, owner: _Optional[bytes] = ..., entry: _Optional[_Union[Entry, _Mapping]] = ..., score: _Optional[float] = ..., online: _Optional[bool] = ...) -> None: ...

class Hits(_message.Message):
    __slots__ = ("hits",)
    HITS_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[Hit]
    def __init__(self, hits: _Optional[_Iterable[_Union[Hit, _Mapping]]] = ...) -> None: ...

class Counts(_message.Message):
    __slots__ = ("asked", "about")
    ASKED_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    asked: int
    about: int
    def __init__(self, asked: _Optional[int] = ..., about: _Optional[int] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ("total", "exact", "asked", "about")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    total: int
    exact: bool
    asked: int
    about: int
    def __init__(self, total: _Optional[int] = ..., exact: _Optional[bool] = ..., asked: _Optional[int] = ..., about: _Optional[int] = ...) -> None: ...

class Held(_message.Message):
    __slots__ = ("epoch", "seq", "audiences", "entries_max")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AUDIENCES_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_MAX_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    seq: int
    audiences: bytes
    entries_max: int
    def __init__(self, epoch: _Optional[int] = ..., seq: _Optional[int] = ..., audiences: _Optional[bytes] = ..., entries_max: _Optional[int] = ...) -> None: ...

class Online(_message.Message):
    __slots__ = ("online",)
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    online: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, online: _Optional[_Iterable[bool]] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("reason", "why", "epoch", "seq", "lease_seq")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[Refused.Reason]
        NO_SUPER_PEER: _ClassVar[Refused.Reason]
        FULL: _ClassVar[Refused.Reason]
        BUSY: _ClassVar[Refused.Reason]
        TOO_OFTEN: _ClassVar[Refused.Reason]
        BAD: _ClassVar[Refused.Reason]
        GAP: _ClassVar[Refused.Reason]
        STALE: _ClassVar[Refused.Reason]
        NOT_KEPT: _ClassVar[Refused.Reason]
    UNSPECIFIED: Refused.Reason
    NO_SUPER_PEER: Refused.Reason
    FULL: Refused.Reason
    BUSY: Refused.Reason
    TOO_OFTEN: Refused.Reason
    BAD: Refused.Reason
    GAP: Refused.Reason
    STALE: Refused.Reason
    NOT_KEPT: Refused.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    LEASE_SEQ_FIELD_NUMBER: _ClassVar[int]
    reason: Refused.Reason
    why: str
    epoch: int
    seq: int
    lease_seq: int
    def __init__(self, reason: _Optional[_Union[Refused.Reason, str]] = ..., why: _Optional[str] = ..., epoch: _Optional[int] = ..., seq: _Optional[int] = ..., lease_seq: _Optional[int] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("hits", "counts", "end", "held", "online", "refused", "standing")
    HITS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    hits: Hits
    counts: Counts
    end: End
    held: Held
    online: Online
    refused: Refused
    standing: Standing
    def __init__(self, hits: _Optional[_Union[Hits, _Mapping]] = ..., counts: _Optional[_Union[Counts, _Mapping]] = ..., end: _Optional[_Union[End, _Mapping]] = ..., held: _Optional[_Union[Held, _Mapping]] = ..., online: _Optional[_Union[Online, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., standing: _Optional[_Union[Standing, _Mapping]] = ...) -> None: ...
