"""The buffers of an event loop: one set, whoever asks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.network.nodes import key
from warren.network.config import NetworkConfig
from warren.network.network import Network
from warren.network.scratch import shared_scratch
from warren.runtime.real.runtime import RealRuntime

if TYPE_CHECKING:
    from warren.network.scratch import Scratch


def test_all_networks_of_a_loop_share_one_set() -> None:
    async def main() -> None:
        runtime = RealRuntime()
        one, other = (Network(runtime, key(number)) for number in (1, 2))
        assert one.scratch is other.scratch
        small = Network(runtime, key(3), NetworkConfig(read_bytes=65_536))
        assert small.scratch is not one.scratch
        assert small.scratch.read_bytes == 65_536
        await runtime.close()

    asyncio.run(main())


def test_another_loop_has_a_set_of_its_own() -> None:
    async def ask() -> Scratch:
        return shared_scratch(65_536)

    assert asyncio.run(ask()) is not asyncio.run(ask())


def test_without_a_loop_there_is_none() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        shared_scratch(65_536)
