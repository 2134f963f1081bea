from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warren.core.errors import InvalidRecord
from warren.core.keys import PrivateKey
from warren.protocols.kad import ipns, pk
from warren.protocols.kad.namespaces import namespaces_of
from warren.protocols.kad.records import KEY_BYTES_MAX, VALUE_BYTES_MAX, Namespaces
from warren.protocols.kad.signed import SignedRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = PrivateKey.from_seed(bytes(32))
SIGNED = SignedRecord(KEY.peer_id, b"a/name with\nall \0 kinds", 1, b"value")
IPNS = ipns.IpnsRecord(b"/ipfs/bafkqaaa", 1, 2**62)


class Any:
    """A namespace that takes all, and prefers the longest."""

    def validate(self, key: bytes, value: bytes) -> None:
        pass

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return max(range(len(values)), key=lambda at: len(values[at]))


def test_a_key_goes_to_the_validator_of_its_namespace() -> None:
    namespaces = Namespaces({"any": Any()})
    namespaces.validate(b"/any/x/y", b"value")
    assert namespaces.knows(b"/any/x/y")
    assert not namespaces.knows(b"/other/x/y")
    namespaces.validate(b"/any/", b"")
    assert namespaces.select(b"/any/x", [b"a", b"aaa", b"aa"]) == 1


@pytest.mark.parametrize("key", [b"", b"/", b"any", b"/any", b"any/x", b"//any/x", b"/Any/x", b"/other/x"])
def test_keys_of_no_namespace_are_refused(key: bytes) -> None:
    with pytest.raises(InvalidRecord, match="in no namespace that is kept here: /any/"):
        Namespaces({"any": Any()}).validate(key, b"value")
    with pytest.raises(InvalidRecord):
        Namespaces({"any": Any()}).select(key, [b"value"])


def test_what_is_too_large_is_refused_before_it_is_looked_at() -> None:
    namespaces = Namespaces({"any": Any()})
    namespaces.validate(b"/any/".ljust(KEY_BYTES_MAX, b"x"), bytes(VALUE_BYTES_MAX))
    with pytest.raises(InvalidRecord, match="key of 1025 bytes"):
        namespaces.validate(b"/any/".ljust(KEY_BYTES_MAX + 1, b"x"), b"")
    with pytest.raises(InvalidRecord, match="value of 65537 bytes"):
        namespaces.validate(b"/any/x", bytes(VALUE_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("protocol", "names"),
    [("/warren/kad/1.0.0", ("pk", "ipns", "warren")), ("/ipfs/kad/1.0.0", ("pk", "ipns"))],
)
def test_the_public_dht_keeps_no_names_of_ours(protocol: str, names: tuple[str, ...]) -> None:
    namespaces = namespaces_of(protocol, lambda: 0.0)
    assert namespaces.names == names
    namespaces.validate(pk.PREFIX + KEY.peer_id.to_bytes(), KEY.public_key.to_protobuf())
    namespaces.validate(ipns.key_of(KEY.peer_id), IPNS.seal(KEY))
    if "warren" in names:
        namespaces.validate(SIGNED.key, SIGNED.seal(KEY))
    else:
        with pytest.raises(InvalidRecord):
            namespaces.validate(SIGNED.key, SIGNED.seal(KEY))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (b"/none/caf\xc3\xa9", "/none/caf\u00e9"),
        (b"/none/\xff\x1b[2J\n", r"/none/\xff\x1b[2J\n"),
        ("/none/\u202e".encode(), r"/none/\u202e"),
        (b"/none/" + b"x" * 500, "/none/" + "x" * 74),
    ],
)
def test_a_key_is_told_as_text_that_a_terminal_bears(key: bytes, told: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        namespaces_of("/warren/kad/1.0.0", lambda: 0.0).validate(key, b"v")
    assert str(caught.value).startswith(f"key '{told}' is in no namespace that is kept here: /pk/")
