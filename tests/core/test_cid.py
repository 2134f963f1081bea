from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core import multibase, multihash
from warren.core.cid import DAG_PB, LIBP2P_KEY, RAW, Cid
from warren.core.errors import InvalidCid

EMPTY_RAW = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"  # ipfs add --raw-leaves of nothing
EMPTY_DIR_V0 = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
EMPTY_DIR_V1 = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
EMPTY_DIR = bytes.fromhex("0a020801")

CIDS = st.builds(
    Cid,
    st.just(1),
    st.sampled_from([RAW, DAG_PB, LIBP2P_KEY, 0x71, 0x0129]),
    st.builds(multihash.sha2_256, st.binary(max_size=8))
    | st.builds(multihash.encode, st.just(multihash.IDENTITY), st.binary(max_size=40)),
) | st.builds(Cid, st.just(0), st.just(DAG_PB), st.builds(multihash.sha2_256, st.binary(max_size=8)))


def test_vectors() -> None:
    empty = Cid.raw_sha256(hashlib.sha256(b"").digest())
    assert str(empty) == EMPTY_RAW
    assert (empty.version, empty.codec, empty.digest) == (1, RAW, hashlib.sha256(b"").digest())
    folder = Cid.parse(EMPTY_DIR_V0)
    assert (folder.version, folder.codec, str(folder)) == (0, DAG_PB, EMPTY_DIR_V0)
    assert str(Cid(1, DAG_PB, folder.multihash)) == EMPTY_DIR_V1
    assert Cid.parse(EMPTY_DIR_V1) != folder
    assert folder.verify(EMPTY_DIR)
    assert not folder.verify(EMPTY_DIR + b"x")
    assert Cid.parse("zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA") == Cid.parse(
        "bafkreidon73zkcrwdb5iafqtijxildoonbwnpv7dyd6ef3qdgads2jc4su"
    )


@given(CIDS)
def test_round_trips(cid: Cid) -> None:
    assert Cid.from_bytes(cid.to_bytes()) == cid
    assert Cid.parse(str(cid)) == cid
    assert hash(Cid.parse(str(cid))) == hash(cid)
    if cid.version:
        for prefix, encode in (("k", multibase.base36_encode), ("z", multibase.base58btc_encode)):
            assert Cid.parse(prefix + encode(cid.to_bytes())) == cid


@given(st.lists(CIDS, max_size=5))
def test_order_is_that_of_the_bytes(cids: list[Cid]) -> None:
    assert [cid.to_bytes() for cid in sorted(cids)] == sorted(cid.to_bytes() for cid in cids)


def test_equality_and_representation() -> None:
    cid = Cid.parse(EMPTY_RAW)
    assert repr(cid) == f"Cid('{EMPTY_RAW}')"
    assert cid != EMPTY_RAW
    assert cid == cid  # noqa: PLR0124
    assert cid <= Cid.parse(EMPTY_RAW)


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: b"\x01" + tail))
def test_bytes_raise_only_what_is_documented(raw: bytes) -> None:
    try:
        cid = Cid.from_bytes(raw)
    except InvalidCid:
        return
    assert cid.to_bytes() == raw


@given(st.text(max_size=60) | st.from_regex(r"\A[bkzuQ][0-9A-Za-z]{0,60}\Z"))
def test_text_raises_only_what_is_documented(text: str) -> None:
    with contextlib.suppress(InvalidCid):
        Cid.parse(text)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "01",
        "0180",
        "018000",
        "0155",
        "02551200",
        "00701220" + "00" * 32,
        "01551220" + "00" * 31,
        "1220" + "00" * 33,
    ],
)
def test_malformed_bytes(raw: str) -> None:
    with pytest.raises(InvalidCid):
        Cid.from_bytes(bytes.fromhex(raw))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm",
        "hello",
        "b",
        "Qm" + "0" * 44,
        "z" + EMPTY_DIR_V0,  # version 0 has no multibase form
        EMPTY_RAW[:-1],
        EMPTY_RAW + "a",
        "Qm" + "1" * 44,
    ],
)
def test_malformed_text(text: str) -> None:
    with pytest.raises(InvalidCid):
        Cid.parse(text)


@pytest.mark.parametrize("version", [2, -1])
def test_unknown_versions(version: int) -> None:
    with pytest.raises(InvalidCid):
        Cid(version, RAW, multihash.sha2_256(b""))


def test_version_0_has_one_form_only() -> None:
    with pytest.raises(InvalidCid):
        Cid(0, RAW, multihash.sha2_256(b""))
    with pytest.raises(InvalidCid):
        Cid(0, DAG_PB, multihash.encode(multihash.IDENTITY, b"x"))


def test_a_hash_we_cannot_compute_blames_nobody() -> None:
    with pytest.raises(InvalidCid, match="cannot verify"):
        Cid(1, RAW, multihash.encode(0xB220, bytes(32))).verify(b"")
