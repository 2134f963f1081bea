"""Content ids, binary and in text."""

from __future__ import annotations

from warren.core.cid import Cid
from warren.core.errors import InvalidCid

DOCUMENTED = (InvalidCid,)
SEEDS = (
    b"\x12\x20" + bytes(32),
    b"\x01\x55\x12\x20" + bytes(32),
    b"\x01\x70\x00\x03abc",
    b"QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
    b"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    b"zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",
)


def parse(data: bytes) -> Cid:
    try:
        cid = Cid.from_bytes(data)
    except InvalidCid:
        cid = Cid.parse(data.decode("utf-8", "surrogateescape"))
    cid.verify(b"content")
    return cid


def verify(_data: bytes, cid: Cid) -> None:
    assert Cid.parse(str(cid)) == Cid.from_bytes(cid.to_bytes()) == cid
    assert len(cid.digest) <= 128
