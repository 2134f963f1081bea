from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import ProtocolViolation
from warren.services.files.dag import pb
from warren.services.files.dag.pb import NODE_CID_PREFIX, RAW_CID_PREFIX, Link

CIDS = st.tuples(st.sampled_from([RAW_CID_PREFIX, NODE_CID_PREFIX]), st.binary(min_size=32, max_size=32)).map(
    b"".join
)
LINKS = st.builds(Link, CIDS, st.text(), st.integers(0, 2**63 - 1))
A_LINK = Link(RAW_CID_PREFIX + bytes(32), "a", 5)


@given(st.lists(LINKS), st.binary())
def test_round_trip(links: list[Link], data: bytes) -> None:
    encoded = pb.encode(links, data)
    assert pb.decode(encoded) == (links, data)
    assert len(encoded) == sum(map(pb.encoded_size, links)) + len(pb.encode([], data))


@given(
    st.binary(max_size=200)
    | st.tuples(st.lists(LINKS, max_size=2), st.binary(), st.data()).map(lambda t: mutate(*t))
)
def test_foreign_bytes_are_refused_or_canonical(raw: bytes) -> None:
    try:
        links, data = pb.decode(raw)
    except ProtocolViolation:
        return
    # An empty data field is the one thing beside the canonical form that is let through.
    assert pb.encode(links, data) in {raw, raw.removesuffix(b"\x0a\x00")}


def mutate(links: list[Link], data: bytes, draw: st.DataObject) -> bytes:
    raw = bytearray(pb.encode(links, data) or b"\x0a\x00")
    place = draw.draw(st.integers(0, len(raw) - 1))
    action = draw.draw(st.sampled_from(["flip", "cut", "insert"]))
    if action == "flip":
        raw[place] ^= draw.draw(st.integers(1, 255))
    elif action == "cut":
        del raw[place:]
    else:
        raw.insert(place, draw.draw(st.integers(0, 255)))
    return bytes(raw)


def test_known_encoding() -> None:
    block = pb.encode([A_LINK], b"xyz")
    assert block.hex() == "122b0a2401551220" + "00" * 32 + "12016118050a0378797a"
    made = pb.encode_block([A_LINK], b"xyz")
    assert made == (NODE_CID_PREFIX + hashlib.sha256(block).digest(), block, len(block) + 5)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x0a\x01a" + pb.encode([A_LINK], b""), "not where"),
        (b"\x0a\x01a\x0a\x01b", "not where"),
        (b"\x18\x01", "not where"),
        (b"\x0a\x05ab", "cut short"),
        (b"\x12", "cut short"),
        (b"\x0a\x81\x00a", "longer than it needs"),
        (pb.encode([Link(b"\x01\x71\x12\x20" + bytes(32), "a", 1)], b""), "version 1"),
        (pb.encode([Link(b"\x12\x20" + bytes(32), "a", 1)], b""), "version 1"),
        (pb.encode([A_LINK], b"").replace(b"\x12\x01a", b"\x12\x01\xff"), "UTF-8"),
        (b"\x12\x28" + pb.encode([A_LINK], b"")[2:-3], "lacks its name|cut short|lacks its size"),
        (b"\x12\x26" + pb.encode([A_LINK], b"")[2:40], "lacks its name"),
        (b"\x12\x29" + pb.encode([A_LINK], b"")[2:43], "lacks its size"),
        (b"\x12\x2c" + pb.encode([A_LINK], b"")[2:] + b"\x00", "does not allow"),
        (b"\x12\x2a" + pb.encode([A_LINK], b"")[2:-1], "does not allow"),
    ],
)
def test_refusals(raw: bytes, reason: str) -> None:
    with pytest.raises(ProtocolViolation, match=reason):
        pb.decode(raw)


def test_an_oversized_node_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolViolation, match="exceeds the limit"):
        pb.decode(memoryview(bytes(pb.NODE_BYTES_MAX + 1)))
