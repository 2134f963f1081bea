from __future__ import annotations

import pytest

from warren.services.files.dag.murmur3 import murmur3_x64_64


# The first halves of MurmurHash3_x64_128 with seed 0, as its author's implementation prints them.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "0000000000000000"),
        (b"hello", "cbd8a7b341bd9b02"),
        (b"hello, world", "342fac623a5ebc8e"),
        (b"The quick brown fox jumps over the lazy dog.", "cd99481f9ee902c9"),
    ],
)
def test_known_hashes(data: bytes, expected: str) -> None:
    assert murmur3_x64_64(data).hex() == expected
