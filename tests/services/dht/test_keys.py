from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.cid import DAG_PB, RAW, Cid
from warren.core.errors import InputError, InvalidCid
from warren.core.keys import PrivateKey
from warren.core.multihash import sha2_256
from warren.protocols.kad.records import KEY_BYTES_MAX
from warren.services.dht.keys import encoded, key_of, multihash_of, shown, text_of

PEER = PrivateKey.from_seed(bytes(32)).peer_id
IPNS = b"/ipns/" + PEER.to_bytes()


@pytest.mark.parametrize("peer", [str(PEER), PEER.to_cid_text(), shown(IPNS)[6:]])
def test_names_of_keys_are_read_in_each_form(peer: str) -> None:
    assert key_of(f"/ipns/{peer}") == IPNS
    assert key_of(f"/pk/{peer}") == b"/pk/" + PEER.to_bytes()


def test_bytes_are_a_key_already() -> None:
    assert key_of(IPNS) == IPNS
    assert text_of(IPNS) == shown(IPNS)
    assert text_of(b"no key") is None
    assert shown(IPNS).startswith("/ipns/k51")


@given(st.binary(max_size=64))
def test_what_is_shown_can_be_typed_again(name: bytes) -> None:
    key = b"/warren/%b/" % str(PEER).encode() + name
    assert key_of(key) == key
    try:
        text = name.decode()
    except UnicodeDecodeError:
        assert "\\x" in shown(key)
        assert text_of(key) is None
    else:
        assert shown(key).endswith(f"/{text}")
        assert text_of(key) == shown(key)


@pytest.mark.parametrize("key", ["", "name", "/", "/warren", "anna/name", b"\xff"])
def test_what_is_no_key_is_refused_with_a_cure(key: str | bytes) -> None:
    with pytest.raises(InputError, match="no key of the DHT") as caught:
        key_of(key)
    assert "/warren/PEER-ID/NAME" in caught.value.hint


def test_keys_have_a_bound() -> None:
    assert key_of("/any/".ljust(KEY_BYTES_MAX, "x"))
    with pytest.raises(InputError, match="1024 bytes at most"):
        key_of("/any/".ljust(KEY_BYTES_MAX + 1, "x"))


def test_text_that_was_no_utf_8_on_the_command_line_keeps_its_bytes() -> None:
    assert encoded(b"\xff\xfe".decode("utf-8", "surrogateescape")) == b"\xff\xfe"
    with pytest.raises(InputError):
        encoded("\ud800")


@given(st.binary(max_size=50))
def test_each_id_of_the_same_content_is_looked_up_alike(data: bytes) -> None:
    digest = hashlib.sha256(data).digest()
    wanted = sha2_256(data)
    forms = [Cid(0, DAG_PB, wanted), Cid(1, DAG_PB, wanted), Cid.raw_sha256(digest)]
    assert {multihash_of(form) for form in forms} == {multihash_of(str(form)) for form in forms} == {wanted}
    assert multihash_of(wanted) == wanted


@pytest.mark.parametrize("content", ["", "bafy", "a file", b"", b"\x12\x20short"])
def test_what_names_no_content_is_refused(content: str | bytes) -> None:
    with pytest.raises(InvalidCid):
        multihash_of(content)


def test_a_multihash_alone_is_shown_as_raw_content() -> None:
    assert Cid(1, RAW, sha2_256(b"")).multihash == sha2_256(b"")
