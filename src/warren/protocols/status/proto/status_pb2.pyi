# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Question(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Facts(_message.Message):
    __slots__ = ("agent", "roles", "load_percent", "details")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    LOAD_PERCENT_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    agent: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    load_percent: int
    details: Details
    def __init__(self, agent: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., load_percent: _Optional[int] = ..., details: _Optional[_Union[Details, _Mapping]] = ...) -> None: ...

class Details(_message.Message):
    __slots__ = ("uptime_s", "peers_connected", "peers_known", "inbound", "outbound", "streams", "bytes_in", "bytes_out", "dht_mode", "dht_peers")
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    PEERS_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    PEERS_KNOWN_FIELD_NUMBER: _ClassVar[int]
    INBOUND_FIELD_NUMBER: _ClassVar[int]
    OUTBOUND_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    DHT_MODE_FIELD_NUMBER: _ClassVar[int]
    DHT_PEERS_FIELD_NUMBER: _ClassVar[int]
    uptime_s: int
    peers_connected: int
    peers_known: int
    inbound: int
    outbound: int
    streams: int
    bytes_in: int
    bytes_out: int
    dht_mode: str
    dht_peers: int
    def __init__(self, uptime_s: _Optional[int] = ..., peers_connected: _Optional[int] = ..., peers_known: _Optional[int] = ..., inbound: _Optional[int] = ..., outbound: _Optional[int] = ..., streams: _Optional[int] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ..., dht_mode: _Optional[str] = ..., dht_peers: _Optional[int] = ...) -> None: ...
