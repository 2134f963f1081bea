"""DAG-CBOR: whatever is read is in the one form there is."""

from __future__ import annotations

from warren.core.errors import ProtocolViolation
from warren.protocols.kad import dag_cbor
from warren.protocols.kad.dag_cbor import Link

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    dag_cbor.encode({"a": [1, -1, 2.5, None, True], "bb": b"bytes", "ccc": {"link": Link(b"\1\x55\0\0")}}),
    dag_cbor.encode([2**64 - 1, -(2**64), 256, 65536, 2**32, ""]),
)


def parse(data: bytes) -> dag_cbor.Value:
    return dag_cbor.decode(data)


def verify(data: bytes, value: dag_cbor.Value) -> None:
    assert dag_cbor.encode(value) == data
