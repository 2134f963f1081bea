"""Which cipher this machine is said to be faster with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warren.runtime.real import RealRuntime, processor

if TYPE_CHECKING:
    from collections.abc import Iterator

now = [0.0]


def cipher_taking(*seconds: float) -> type:
    """A cipher that takes so long for one message after the other."""
    turns = iter(seconds)

    class Timed:
        def __init__(self, key: bytes) -> None:
            assert len(key) == 32

        def encrypt(self, nonce: bytes, _data: bytes, _associated: None) -> bytes:
            assert len(nonce) == 12
            now[0] += next(turns)
            return b""

    return Timed


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """What is said of this machine must not stay for other tests."""
    processor.aes_is_fast.cache_clear()
    yield
    processor.aes_is_fast.cache_clear()


@pytest.mark.parametrize(
    ("aes", "chacha", "fast"),
    [
        ((9, 9, 9, 9, 1, 9, 9, 9), (2,) * 8, True),  # other work held seven of its eight turns up
        ((3,) * 8, (9, 2, 9, 9, 9, 9, 9, 9), False),
        ((2,) * 8, (2,) * 8, False),
    ],
)
def test_the_quickest_of_eight_turns_counts(
    monkeypatch: pytest.MonkeyPatch, aes: tuple[float, ...], chacha: tuple[float, ...], fast: bool
) -> None:
    monkeypatch.setattr(processor, "perf_counter", lambda: now[0])
    monkeypatch.setattr(processor, "AESGCM", cipher_taking(*aes))
    monkeypatch.setattr(processor, "ChaCha20Poly1305", cipher_taking(*chacha))
    assert processor.aes_is_fast() is fast
    assert processor.aes_is_fast() is fast  # measured once: the turns are used up


@pytest.mark.parametrize("fast", [True, False])
def test_the_runtime_says_it(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    times = ((1,) * 8, (2,) * 8)
    aes, chacha = times if fast else times[::-1]
    monkeypatch.setattr(processor, "perf_counter", lambda: now[0])
    monkeypatch.setattr(processor, "AESGCM", cipher_taking(*aes))
    monkeypatch.setattr(processor, "ChaCha20Poly1305", cipher_taking(*chacha))
    assert RealRuntime().fast_aes is fast


def test_this_machine_has_an_answer() -> None:
    assert processor.aes_is_fast() in (True, False)
