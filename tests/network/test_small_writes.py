"""A link that is behind and keeps what it is given keeps no more than that."""

from __future__ import annotations

import pytest

from tests.network.test_link import HEADER, Bench
from tests.support import run
from warren.network.link import COPIED_BYTES_MAX
from warren.network.scratch import SEALED_BYTES


@pytest.mark.parametrize("size", [0, 100, 4000])
def test_a_link_that_is_behind_pins_no_buffer_for_each_small_write(size: int) -> None:
    async def main() -> None:
        bench = Bench()
        bench.transport.keeps = True
        buffer = bench.scratch.sealed
        for _ in range(100):
            bench.writer.put(HEADER, bytes(size))
            bench.writer.flush()
        assert len(bench.messages()) == 100
        assert bench.scratch.sealed is buffer
        assert not any(isinstance(write, memoryview) for write in bench.transport.writes)

    run(main())


def test_what_is_kept_of_a_large_write_is_never_overwritten() -> None:
    async def main() -> None:
        bench = Bench()
        bench.transport.keeps = True
        for fill in b"abc":
            bench.writer.put(HEADER, bytes([fill]) * 60_000)
            bench.writer.flush()
        assert bench.messages() == [HEADER + bytes([fill]) * 60_000 for fill in b"abc"]
        assert COPIED_BYTES_MAX < 60_000 < SEALED_BYTES

    run(main())
