"""What only real sockets can show: their options, and running out of file descriptors."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.settings import Door, Recorder
from tests.support import run
from warren.runtime.real import RealTransport
from warren.runtime.real import transport as module

if TYPE_CHECKING:
    from collections.abc import Callable


def test_both_ends_send_at_once_and_keep_little_unsent() -> None:
    async def main() -> None:
        transport, door = RealTransport(notsent_lowat_bytes=50_000), Door()
        listener = await transport.listen(door.factory, "127.0.0.1", 0)
        link, near = await transport.connect(Recorder, "127.0.0.1", listener.port)
        far = await door.guest()
        for end in (link, far.transport):
            sock = end.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            if module._NOTSENT_LOWAT is not None:
                assert sock.getsockopt(socket.IPPROTO_TCP, module._NOTSENT_LOWAT) == 50_000
        link.abort()
        for recorder in (near, far):
            await recorder.until_called("lost")
        listener.close()

    run(main())


class Clogged:
    """A listening socket that finds no file descriptor a few times."""

    def __init__(self, sock: socket.socket, error: int, times: int) -> None:
        self._sock = sock
        self.error = error
        self.times = times

    def accept(self) -> Any:
        if self.times:
            self.times -= 1
            raise OSError(self.error, "no")
        return self._sock.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EPROTO])
def test_running_out_of_descriptors_pauses_and_is_said_once(
    error: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "ACCEPT_PAUSE_S", 0.01)

    async def main() -> None:
        transport, door = RealTransport(), Door()
        listener = await transport.listen(door.factory, "127.0.0.1", 0)
        clogged = Clogged(listener.sock, error, times=5)
        listener.sock = clogged  # type: ignore[assignment]
        link, _ = await transport.connect(Recorder, "127.0.0.1", listener.port)
        guest = await door.guest()
        assert clogged.times == 0
        link.abort()
        await guest.until_called("lost")
        listener.close()

    with caplog.at_level(logging.WARNING):
        run(main())
    assert len(caplog.records) == 1


def test_a_listener_may_close_while_it_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACCEPT_PAUSE_S", 0.01)

    async def main() -> None:
        listener = await RealTransport().listen(Recorder, "127.0.0.1", 0)
        listener._pause(OSError(errno.EMFILE, "no"))
        listener.close()
        await asyncio.sleep(0.02)

    run(main())


def test_loops_without_readers_use_asyncios_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def refuse(*_: object) -> None:
            raise NotImplementedError

        original: Callable[..., Any] = loop.add_reader
        monkeypatch.setattr(loop, "add_reader", refuse)
        transport, door = RealTransport(), Door()
        listener = await transport.listen(door.factory, "127.0.0.1", 0)
        monkeypatch.setattr(loop, "add_reader", original)
        link, _ = await transport.connect(Recorder, "127.0.0.1", listener.port)
        guest = await door.guest()
        link.abort()
        await guest.until_called("lost")
        listener.close()

    run(main())


def test_a_foreign_listener_is_not_dialled_from() -> None:
    async def main() -> None:
        with pytest.raises(TypeError):
            await RealTransport().connect(Recorder, "127.0.0.1", 1, from_listener=object())  # type: ignore[arg-type]

    run(main())


def test_an_address_with_a_zone_names_its_interface() -> None:
    family, address = module._numeric("fe80::1%1", 80)
    assert (family, address) == (socket.AF_INET6, ("fe80::1", 80, 0, 1))
    name = socket.if_indextoname(1)
    assert module._numeric(f"fe80::1%{name}", 80)[1][3] == 1
