"""Conformance of `seam.Transport`: the same promises on real sockets and on the simulated network."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.settings import Door, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runtime.settings import Setting
    from warren.runtime.seam import Listener


class Pair:
    """A link between a client's and a server's recorder."""

    def __init__(self, client: Recorder, server: Recorder, listener: Listener) -> None:
        self.client = client
        self.server = server
        self.listener = listener

    async def close(self) -> None:
        for end in (self.client, self.server):
            # asyncio's transport fails on abort() after a close() that had bytes to flush.
            if "lost" not in end.calls:
                end.transport.abort()
            await end.until_called("lost")
        self.listener.close()


async def connected(
    setting: Setting,
    *,
    host: str = "",
    client: Callable[[], Recorder] = Recorder,
    server: Callable[[], Recorder] = Recorder,
) -> Pair:
    host = host or setting.host4
    door = Door(server)
    listener = await setting.server.transport.listen(door.factory, host, 0)
    _, near = await setting.client.transport.connect(client, host, listener.port)
    return Pair(near, await door.guest(), listener)


@pytest.mark.parametrize("family", [4, 6])
def test_bytes_go_both_ways_and_ends_know_their_addresses(setting: Setting, family: int) -> None:
    async def main() -> None:
        host = setting.host4 if family == 4 else setting.host6
        pair = await connected(setting, host=host)
        assert pair.listener.host == host
        pair.client.transport.write(b"ping")
        await pair.server.until_received(4)
        pair.server.transport.write(bytearray(b"po"))
        pair.server.transport.write(memoryview(b"ng"))
        await pair.client.until_received(4)
        assert (bytes(pair.server.received), bytes(pair.client.received)) == (b"ping", b"pong")
        near, far = pair.client.transport, pair.server.transport
        assert near.get_extra_info("peername")[:2] == (host, pair.listener.port)
        assert near.get_extra_info("peername") == far.get_extra_info("sockname")
        assert near.get_extra_info("sockname") == far.get_extra_info("peername")
        assert near.get_extra_info("no such thing", 7) == 7
        await pair.close()

    setting.run(main())


def test_what_was_written_may_be_overwritten_at_once(setting: Setting) -> None:
    async def main() -> None:
        pair = await connected(setting)
        scratch = bytearray(b"first")
        pair.client.transport.write(memoryview(scratch))
        assert pair.client.transport.get_write_buffer_size() == 0
        scratch[:] = b"later"
        await pair.server.until_received(5)
        assert pair.server.received == b"first"
        await pair.close()

    setting.run(main())


def test_much_arrives_whole_through_a_small_buffer(setting: Setting) -> None:
    data = bytes(range(256)) * 4096

    async def main() -> None:
        pair = await connected(setting, server=lambda: Recorder(buffer_bytes=1000))
        pair.client.transport.write(data)
        pair.client.transport.close()
        await pair.server.until_called("eof")
        assert pair.server.received == data
        await pair.close()

    setting.run(main())


def test_a_slow_reader_stops_the_writer_and_a_reading_one_releases_it(setting: Setting) -> None:
    piece = bytes(256 * 1024)

    async def main() -> None:
        pair = await connected(setting)
        pair.server.transport.pause_reading()
        assert not pair.server.transport.is_reading()
        pair.client.transport.set_write_buffer_limits(high=100_000, low=10_000)
        assert pair.client.transport.get_write_buffer_limits() == (10_000, 100_000)
        written = 0
        while "pause" not in pair.client.calls:
            pair.client.transport.write(piece)
            written += len(piece)
            assert written < 64 * 1024 * 1024, "nothing pushes back"
            await asyncio.sleep(0)
        assert pair.client.transport.get_write_buffer_size() > 100_000
        assert pair.server.received == b""
        pair.server.transport.resume_reading()
        await pair.client.until_called("resume")
        assert pair.client.transport.get_write_buffer_size() <= 10_000
        await pair.server.until_received(written)
        assert len(pair.server.received) == written
        await pair.close()

    setting.run(main())


def test_pausing_inside_the_callback_takes_effect_at_once(setting: Setting) -> None:
    class OneBite(Recorder):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            self.transport.pause_reading()

    async def main() -> None:
        pair = await connected(setting, server=lambda: OneBite(buffer_bytes=10))
        pair.client.transport.write(bytes(25))
        for size in (10, 20, 25):
            await pair.server.until_received(size)
            assert len(pair.server.received) == size
            pair.server.transport.resume_reading()
        await pair.close()

    setting.run(main())


def test_half_close_leaves_the_other_way_open(setting: Setting) -> None:
    async def main() -> None:
        pair = await connected(setting, server=lambda: Recorder(keep_open=True))
        assert pair.client.transport.can_write_eof()
        pair.client.transport.write(b"question")
        pair.client.transport.write_eof()
        pair.client.transport.write_eof()
        await pair.server.until_called("eof")
        assert pair.server.received == b"question"
        with pytest.raises(RuntimeError):
            pair.client.transport.write(b"more")
        pair.server.transport.write(b"answer")
        pair.server.transport.close()
        await pair.client.until_called("lost")
        assert pair.client.received == b"answer"
        assert pair.client.calls == ["made", "data", "eof", "lost"]
        assert pair.client.error is None
        await pair.server.until_called("lost")
        assert pair.server.calls == ["made", "data", "eof", "lost"]
        pair.listener.close()

    setting.run(main())


def test_the_end_of_the_stream_closes_who_does_not_mind(setting: Setting) -> None:
    async def main() -> None:
        pair = await connected(setting)
        pair.client.transport.close()
        assert pair.client.transport.is_closing()
        pair.client.transport.close()
        pair.client.transport.write(b"ignored")
        await pair.client.until_called("lost")
        await pair.server.until_called("lost")
        assert pair.client.calls == ["made", "lost"]
        assert pair.server.calls == ["made", "eof", "lost"]
        assert pair.server.received == b""
        assert pair.client.error is pair.server.error is None
        pair.listener.close()

    setting.run(main())


def test_close_sends_what_was_written_before(setting: Setting) -> None:
    data = bytes(3_000_000)

    async def main() -> None:
        pair = await connected(setting)
        pair.server.transport.pause_reading()
        pair.client.transport.write(data)
        pair.client.transport.write(data)
        pair.client.transport.close()
        pair.server.transport.resume_reading()
        await pair.server.until_called("eof")
        assert len(pair.server.received) == 2 * len(data)
        await pair.client.until_called("lost")
        await pair.close()

    setting.run(main())


def test_abort_throws_away_what_was_not_sent(setting: Setting) -> None:
    async def main() -> None:
        pair = await connected(setting)
        pair.server.transport.pause_reading()
        for _ in range(100):
            pair.client.transport.write(bytes(1024 * 1024))
        assert pair.client.transport.get_write_buffer_size() > 0
        pair.client.transport.abort()
        assert pair.client.transport.get_write_buffer_size() == 0
        await pair.client.until_called("lost")
        assert pair.client.error is None
        pair.server.transport.resume_reading()
        await pair.server.until_called("lost")
        assert len(pair.server.received) < 100 * 1024 * 1024
        pair.listener.close()

    setting.run(main())


def test_writing_to_who_has_left_ends_in_a_reset(setting: Setting) -> None:
    async def main() -> None:
        pair = await connected(setting, client=lambda: Recorder(keep_open=True))
        pair.server.transport.abort()
        await pair.client.until_called("eof")
        while "lost" not in pair.client.calls:
            pair.client.transport.write(b"anyone there?")
            await asyncio.sleep(0.005)
        assert isinstance(pair.client.error, ConnectionError)
        await pair.close()

    setting.run(main())


def test_a_closed_listener_refuses_and_its_links_live_on(setting: Setting) -> None:
    async def main() -> None:
        pair = await connected(setting)
        pair.listener.close()
        pair.listener.close()
        with pytest.raises(ConnectionRefusedError):
            await setting.client.transport.connect(Recorder, setting.host4, pair.listener.port)
        pair.client.transport.write(b"still here")
        await pair.server.until_received(10)
        await pair.close()

    setting.run(main())


def test_a_port_belongs_to_one_listener(setting: Setting) -> None:
    async def main() -> None:
        transport = setting.server.transport
        first = await transport.listen(Recorder, setting.host4, 0)
        with pytest.raises(OSError) as caught:
            await transport.listen(Recorder, setting.host4, first.port)
        assert caught.value.errno == errno.EADDRINUSE
        first.close()
        (await transport.listen(Recorder, setting.host4, first.port)).close()

    setting.run(main())


def test_ipv4_and_ipv6_share_a_port_number(setting: Setting) -> None:
    async def main() -> None:
        doors = Door(), Door()
        transport = setting.server.transport
        first = await transport.listen(doors[0].factory, "0.0.0.0", 0)
        second = await transport.listen(doors[1].factory, "::", first.port)
        for door, host in zip(doors, (setting.host4, setting.host6), strict=True):
            link, near = await setting.client.transport.connect(Recorder, host, first.port)
            far = await door.guest()
            link.abort()
            await near.until_called("lost")
            await far.until_called("lost")
        first.close()
        second.close()

    setting.run(main())


def test_a_name_or_a_wrong_port_is_no_address(setting: Setting) -> None:
    async def main() -> None:
        for host, port in (("localhost", 80), (setting.host4, 65536), (setting.host4, -1)):
            with pytest.raises(OSError, match="not a"):
                await setting.client.transport.connect(Recorder, host, port)
            with pytest.raises(OSError, match="not a"):
                await setting.server.transport.listen(Recorder, host, port)

    setting.run(main())


def test_only_own_addresses_can_be_listened_on(setting: Setting) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as caught:
            await setting.server.transport.listen(Recorder, "203.0.113.1", 0)
        assert caught.value.errno == errno.EADDRNOTAVAIL

    setting.run(main())


def test_names_resolve_to_numeric_addresses(setting: Setting) -> None:
    async def main() -> None:
        resolve = setting.client.transport.resolve
        assert "127.0.0.1" in await resolve("localhost", 4)
        assert await resolve("127.0.0.1") == ["127.0.0.1"]
        assert await resolve("::1", 6) == ["::1"]
        with pytest.raises(OSError):
            await resolve("x" * 70 + ".example")
        with pytest.raises(OSError):
            await resolve("::1", 4)

    setting.run(main())


def test_dialling_from_the_listening_port(setting: Setting) -> None:
    async def main() -> None:
        door, own_door = Door(), Door()
        listener = await setting.server.transport.listen(door.factory, setting.host4, 0)
        own_host = setting.host4 if setting.kind == "real" else "0.0.0.0"
        own = await setting.client.transport.listen(own_door.factory, own_host, 0)
        connect = setting.client.transport.connect
        link, _ = await connect(Recorder, setting.host4, listener.port, from_listener=own)
        guest = await door.guest()
        assert link.get_extra_info("sockname")[1] == own.port
        assert guest.transport.get_extra_info("peername")[1] == own.port
        # The listener is none the worse for it, and still the only one on its port.
        with pytest.raises(OSError):
            await setting.client.transport.listen(Recorder, own_host, own.port)
        back_host = guest.transport.get_extra_info("peername")[0]
        back, near = await setting.server.transport.connect(Recorder, back_host, own.port)
        far = await own_door.guest()
        with pytest.raises(OSError):
            await connect(Recorder, setting.host4, listener.port, from_listener=own)
        for transport in (link, back):
            transport.abort()
        for end in (guest, near, far):
            await end.until_called("lost")
        listener.close()
        own.close()

    setting.run(main())


def test_a_burst_of_links_is_accepted(setting: Setting) -> None:
    async def main() -> None:
        door = Door()
        listener = await setting.server.transport.listen(door.factory, setting.host4, 0)
        async with asyncio.TaskGroup() as tasks:
            dials = [
                tasks.create_task(setting.client.transport.connect(Recorder, setting.host4, listener.port))
                for _ in range(200)
            ]
        for dial in dials:
            dial.result()[0].abort()
        for _ in dials:
            await (await door.guest()).until_called("lost")
        listener.close()

    setting.run(main())


def test_a_cancelled_dial_leaves_nothing_behind(setting: Setting) -> None:
    async def main() -> None:
        listener = await setting.server.transport.listen(Recorder, setting.host4, 0)
        dial = asyncio.create_task(setting.client.transport.connect(Recorder, setting.host4, listener.port))
        await asyncio.sleep(0)
        dial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dial
        listener.close()

    setting.run(main())


def test_write_limits_that_make_no_sense_are_refused(setting: Setting) -> None:
    async def main() -> None:
        pair = await connected(setting)
        limits: list[dict[str, Any]] = [{"high": 1, "low": 2}, {"low": -1}]
        for wrong in limits:
            with pytest.raises(ValueError, match="must be >="):
                pair.client.transport.set_write_buffer_limits(**wrong)
        await pair.close()

    setting.run(main())
