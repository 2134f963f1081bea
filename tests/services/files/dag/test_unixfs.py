from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import ProtocolViolation
from warren.services.files.dag import unixfs
from warren.services.files.dag.unixfs import NodeType, UnixFsData


@given(st.lists(st.integers(0, 2**50), max_size=30))
def test_file_round_trip(sizes: list[int]) -> None:
    assert unixfs.decode(unixfs.encode_file(sizes)) == UnixFsData(
        NodeType.FILE, b"", sum(sizes), tuple(sizes)
    )


@given(st.text())
def test_symlink_round_trip(target: str) -> None:
    assert unixfs.decode(unixfs.encode_symlink(target)) == UnixFsData(NodeType.SYMLINK, target.encode())


@given(st.integers(1, 2**256 - 1))
def test_shard_round_trip(bits: int) -> None:
    data = unixfs.decode(unixfs.encode_shard(bits))
    assert int.from_bytes(data.data) == bits
    assert (data.type, data.hash_type, data.fanout) == (NodeType.HAMT_SHARD, 0x22, 256)


@given(st.binary())
def test_foreign_bytes(raw: bytes) -> None:
    with contextlib.suppress(ProtocolViolation):
        assert isinstance(unixfs.decode(raw), UnixFsData)


def test_mode_and_time_are_passed_over() -> None:
    assert unixfs.decode(b"\x08\x01\x38\xed\x03\x42\x02\x08\x05") == UnixFsData(NodeType.DIRECTORY)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "type None"),
        (b"\x08\x00", "type 0"),
        (b"\x08\x03", "type 3"),
        (b"\x08\x06", "type 6"),
        (b"\x08\x01\x08\x01", "field 1"),
        (b"\x18\x00\x08\x02", "field 1"),
        (b"\x08\x01\x48\x00", "field 9"),
        (b"\x00\x01", "field 0"),
        (b"\x08\x01\x10\x01", "form"),
        (b"\x0a\x01a", "form"),
        (b"\x08\x02\x22\x01\x05", "form"),
        (b"\x08\x04\x12\x05ab", "cut short"),
        (b"\x08", "cut short"),
        (b"\x08\x02\x18\x00" + b"\x20\x01" * 8193, "8192 blocks"),
    ],
)
def test_refusals(raw: bytes, reason: str) -> None:
    with pytest.raises(ProtocolViolation, match=reason):
        unixfs.decode(raw)
