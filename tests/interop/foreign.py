"""Drives the foreign libp2p nodes of `peers/` from tests.

In: the name of a library.  Out: its node as a listening process, or the result line of one of its commands.
What the test protocols do is written in the headers of `peers/js/peer.mjs` and `peers/py/peer.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.interop.install import command, how_to_get
from tests.support import require
from warren.core.multiaddr import Multiaddr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


READY_TIMEOUT_S = 30
RUN_TIMEOUT_S = 60


class ForeignError(Exception):
    """The foreign node said that it failed, or nothing at all."""


@dataclass(frozen=True)
class Foreign:
    """One library, as installed by `install.py`."""

    name: str
    argv: tuple[str, ...]

    @classmethod
    def need(cls, name: str) -> Foreign:
        """The library `name`; where it is not installed the test is skipped, or fails in CI."""
        argv = command(name)
        require(argv, f"{name}-libp2p; get it with `{how_to_get(name)}`")
        assert argv is not None
        return cls(name, tuple(argv))

    @asynccontextmanager
    async def listening(self, *options: str) -> AsyncIterator[Multiaddr]:
        """A node of the library that serves all protocols, until the block ends."""
        async with self._process("listen", *options) as process:
            yield Multiaddr.parse((await _result(process, READY_TIMEOUT_S))["addr"])

    @contextmanager
    def serving(self) -> Iterator[Multiaddr]:
        """The same for tests that share one node, each with an event loop of its own."""
        with subprocess.Popen(
            [*self.argv, "listen"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        ) as process:
            try:
                assert process.stdout is not None
                yield Multiaddr.parse(json.loads(process.stdout.readline())["addr"])
            finally:
                process.kill()

    async def run(self, subcommand: str, address: Multiaddr, *arguments: object) -> dict[str, Any]:
        """Let the library dial `address` and do one thing; raises ForeignError when it tells of a failure."""
        async with self._process(subcommand, str(address), *map(str, arguments)) as process:
            return await _result(process, RUN_TIMEOUT_S)

    @asynccontextmanager
    async def _process(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            *self.argv,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def environment() -> dict[str, str]:
    """Foreign Pythons find their own packages only."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


async def _result(process: asyncio.subprocess.Process, timeout_s: float) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(timeout_s):
        line = await process.stdout.readline()
    if not line:
        raise ForeignError(f"no answer; exit code {await process.wait()}")
    result: dict[str, Any] = json.loads(line)
    if not result["ok"]:
        raise ForeignError(result["error"])
    return result
