from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import run
from warren.core.errors import LimitReached
from warren.network.partial import longest_incomplete
from warren.network.scratch import Scratch
from warren.network.socket import Socket
from warren.network.states import SocketState
from warren.network.yamux.budget import TotalBudget, WindowLimits


@dataclass
class Holder:
    partial_bytes: int
    partial_since: float


@pytest.mark.parametrize(("bytes_over", "expected"), [(0, []), (1, [2.0]), (10, [2.0]), (11, [2.0, 3.0])])
def test_who_has_waited_longest_goes_first_and_no_more_than_need_be(
    bytes_over: int, expected: list[float]
) -> None:
    sockets: Any = [Holder(10, 5.0), Holder(10, 2.0), Holder(0, 1.0), Holder(10, 3.0)]
    assert [s.partial_since for s in longest_incomplete(sockets, bytes_over)] == expected


def test_all_go_where_all_are_not_enough() -> None:
    sockets: Any = [Holder(10, 5.0)]
    assert longest_incomplete(sockets, 100) == sockets


def test_many_are_given_up_one_after_the_other_and_not_one_within_the_other() -> None:
    """Who is aborted gives its part up, and that must not ask for further victims: there may be thousands."""

    class Link:
        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: 0

    class Host:
        def __init__(self) -> None:
            self.window_total = TotalBudget(WindowLimits(partial_total_bytes_max=100_000))
            self.scratch = Scratch(65_536)
            self.all: list[Socket] = []
            self.asked = 0

        def clock(self) -> float:
            return 0.0

        def on_link(self, *_: object) -> None: ...

        def on_socket_moved(self, *_: object) -> None: ...

        def on_partial_excess(self, bytes_over: int) -> None:
            self.asked += 1
            for socket in longest_incomplete(self.all, bytes_over):
                socket.abort(LimitReached("partial_total_bytes_max"))

        def add(self, since: float, kept: bytes) -> None:
            socket = Socket(self, outbound=False, remote_addr=None)  # type: ignore[arg-type]
            self.all.append(socket)
            socket.connection_made(Link())  # type: ignore[arg-type]
            socket.partial_since = since
            socket._keep_partial(kept)

    async def main() -> None:
        host = Host()
        for number in range(2000):
            host.add(float(number), b"xx")
        host.add(1e6, bytes(60_000))
        assert host.asked == 0
        host.add(2e6, bytes(60_000))
        assert host.asked == 1
        assert {socket.state for socket in host.all[:-1]} <= {SocketState.CLOSING, SocketState.CLOSED}
        assert host.all[-1].partial_bytes == 60_000

    run(main())
