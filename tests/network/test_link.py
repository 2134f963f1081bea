"""`SealedWriter` over a transport that notes what it is given: batching, order, buffers, backpressure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import run
from warren.network.ciphers import MESSAGE_BYTES_MAX, TAG_BYTES, Opener, Sealer
from warren.network.link import BACKLOG_BYTES_MAX, SMALL_BYTES_MAX, SealedWriter
from warren.network.scratch import SEALED_BYTES, Scratch
from warren.network.yamux.frames import BODY_BYTES_MAX, HEADER_BYTES

HEADER = b"h" * HEADER_BYTES


class FakeTransport:
    """Takes everything at once, or keeps `keeps` bytes of each write as a full link does."""

    def __init__(self) -> None:
        self.writes: list[Any] = []
        self.keeps = False
        self.reading = True

    def write(self, data: memoryview) -> None:
        # What was taken at once may be overwritten afterwards, what is kept may not.
        self.writes.append(data if self.keeps else bytes(data))

    def get_write_buffer_size(self) -> int:
        return sum(len(data) for data in self.writes) if self.keeps else 0

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True


class Bench:
    """A writer with its transport, and the reading end of its cipher."""

    def __init__(self, scratch: Scratch | None = None) -> None:
        self.in_turn = False
        self.scratch = scratch or Scratch(65536)
        owner: Any = self
        transport: Any = FakeTransport()
        self.transport = transport
        self.writer = SealedWriter(owner, transport, self.scratch, asyncio.get_running_loop())
        self.writer.secure(Sealer(b"k" * 32))
        self._opener = Opener(b"k" * 32)

    def messages(self) -> list[bytes]:
        """The plaintext of each Noise message that was written."""
        data = b"".join(bytes(write) for write in self.transport.writes)
        found, pos = [], 0
        while pos < len(data):
            out = memoryview(bytearray(MESSAGE_BYTES_MAX))
            pos, plaintext = self._opener.open_next(memoryview(data), pos, out)
            found.append(bytes(plaintext))
        assert self.writer.bytes_out == len(data)
        return found


def test_small_frames_of_one_turn_share_one_message_and_one_write() -> None:
    async def main() -> None:
        bench = Bench()
        for n in range(5):
            bench.writer.put(HEADER, bytes([n]) * 10)
        assert not bench.transport.writes
        await asyncio.sleep(0)
        assert len(bench.transport.writes) == 1
        assert bench.messages() == [b"".join(HEADER + bytes([n]) * 10 for n in range(5))]

    run(main())


def test_a_full_frame_is_one_message_and_four_are_one_write() -> None:
    async def main() -> None:
        bench = Bench()
        for n in range(6):
            bench.writer.put(HEADER, bytes([n]) * BODY_BYTES_MAX)
        assert [len(write) for write in bench.transport.writes] == [4 * (2 + MESSAGE_BYTES_MAX)]
        bench.writer.flush_bulk()
        assert bench.messages() == [HEADER + bytes([n]) * BODY_BYTES_MAX for n in range(6)]

    run(main())


def test_a_frame_of_many_messages_is_sealed_from_where_its_data_lies() -> None:
    async def main() -> None:
        bench = Bench()
        payload = bytes(range(256)) * 1024
        payload = payload[: bench.writer.frame_bytes_max - HEADER_BYTES]
        bench.writer.put(HEADER, payload)
        bench.writer.put(HEADER, b"after")
        bench.writer.flush()
        messages = bench.messages()
        assert [len(message) for message in messages[:4]] == [BODY_BYTES_MAX + HEADER_BYTES] * 4
        assert b"".join(messages) == HEADER + payload + HEADER + b"after"

    run(main())


def test_a_frame_fills_what_the_link_took_at_once() -> None:
    async def main() -> None:
        bench = Bench()
        full, message = BODY_BYTES_MAX + HEADER_BYTES, 2 + MESSAGE_BYTES_MAX
        sizes = [bench.writer.frame_bytes_max]
        for waiting in (2 * message, 2 * message, 0):
            bench.transport.get_write_buffer_size = lambda kept=waiting: kept
            bench.writer.put(HEADER, bytes(bench.writer.frame_bytes_max - HEADER_BYTES))
            bench.writer.flush()
            sizes.append(bench.writer.frame_bytes_max)
        assert [len(write) // message for write in bench.transport.writes] == [4, 2, 1]
        assert sizes == [4 * full, 2 * full, full, 4 * full]

    run(main())


def test_frames_keep_their_order_whatever_their_size() -> None:
    async def main() -> None:
        bench = Bench()
        sizes = [5, 5000, 0, SMALL_BYTES_MAX, SMALL_BYTES_MAX + 1, 1, BODY_BYTES_MAX, 7]
        for n, size in enumerate(sizes):
            bench.writer.put(HEADER, bytes([n]) * size)
        bench.writer.flush()
        expected = b"".join(HEADER + bytes([n]) * size for n, size in enumerate(sizes))
        assert b"".join(bench.messages()) == expected

    run(main())


def test_small_frames_beyond_a_full_message_begin_the_next() -> None:
    async def main() -> None:
        bench = Bench()
        for _ in range(40):
            bench.writer.put(HEADER, bytes(SMALL_BYTES_MAX))
        bench.writer.flush()
        messages = bench.messages()
        assert len(messages) == 3
        assert all(len(message) <= MESSAGE_BYTES_MAX - TAG_BYTES for message in messages)

    run(main())


def test_within_a_turn_everything_waits_for_its_end() -> None:
    async def main() -> None:
        bench = Bench()
        bench.in_turn = True
        bench.writer.put(HEADER, b"small")
        bench.writer.put(HEADER, bytes(10_000))
        bench.writer.flush_bulk()
        await asyncio.sleep(0)
        assert not bench.transport.writes
        bench.in_turn = False
        bench.writer.flush()
        assert len(bench.transport.writes) == 1
        bench.writer.flush()
        assert len(bench.transport.writes) == 1

    run(main())


def test_handshake_bytes_go_out_as_they_are_and_share_a_write_with_what_follows() -> None:
    async def main() -> None:
        bench = Bench()
        bench.writer.put_raw(b"hello")
        bench.writer.put(b"sealed", b"")
        bench.writer.flush()
        [write] = bench.transport.writes
        assert write[:5] == b"hello"
        assert len(write) == 5 + 2 + 6 + TAG_BYTES

    run(main())


def test_nothing_is_ever_sent_unsealed_but_the_handshake() -> None:
    async def main() -> None:
        bench = Bench()
        bench.writer._sealer = None
        bench.writer.put(HEADER, b"secret")
        bench.writer.put(HEADER, bytes(10_000))
        bench.writer.flush()
        assert not bench.transport.writes

    run(main())


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2 * SMALL_BYTES_MAX)), max_size=30))
def test_two_sockets_share_the_buffers_without_mixing(script: list[tuple[int, int]]) -> None:
    async def main() -> None:
        scratch = Scratch(65536)
        benches = [Bench(scratch), Bench(scratch)]
        expected = [b"", b""]
        for n, (which, size) in enumerate(script):
            benches[which].writer.put(HEADER, bytes([n]) * size)
            expected[which] += HEADER + bytes([n]) * size
        for bench in benches:
            bench.writer.flush()
        assert [b"".join(bench.messages()) for bench in benches] == expected

    run(main())


def test_what_the_link_keeps_is_not_overwritten() -> None:
    async def main() -> None:
        bench = Bench()
        bench.transport.keeps = True
        for n in range(12):
            bench.writer.put(HEADER, bytes([n]) * BODY_BYTES_MAX)
        bench.writer.flush()
        assert bench.messages() == [HEADER + bytes([n]) * BODY_BYTES_MAX for n in range(12)]

    run(main())


def test_a_link_that_is_behind_gets_one_message_at_a_time() -> None:
    async def main() -> None:
        bench = Bench()
        bench.transport.keeps = True
        for _ in range(8):
            bench.writer.put(HEADER, bytes(BODY_BYTES_MAX))
        bench.writer.flush()
        sizes = [len(write) for write in bench.transport.writes]
        assert sizes[0] == SEALED_BYTES
        assert set(sizes[1:]) == {2 + MESSAGE_BYTES_MAX}

    run(main())


def test_a_peer_that_does_not_take_its_answers_is_read_no_further() -> None:
    async def main() -> None:
        bench = Bench()
        bench.transport.keeps = True
        while bench.transport.reading:
            assert bench.transport.get_write_buffer_size() <= BACKLOG_BYTES_MAX
            bench.writer.put(HEADER, bytes(BODY_BYTES_MAX))
            bench.writer.flush()
        bench.writer.put(HEADER, bytes(BODY_BYTES_MAX))
        bench.writer.flush()
        bench.writer.resume()
        assert bench.transport.reading

    run(main())


def test_pause_and_resume_reach_the_muxer() -> None:
    async def main() -> None:
        bench = Bench()
        pumps: list[int] = []
        bench.writer.resume()
        bench.writer.on_pump(lambda: pumps.append(1))
        bench.writer.pause()
        paused = not bench.writer.writable
        bench.writer.resume()
        assert paused
        assert bench.writer.writable
        assert pumps == [1]
        bench.writer.schedule_pump()
        bench.writer.schedule_pump()
        await asyncio.sleep(0)
        assert pumps == [1, 1]

    run(main())


@pytest.mark.parametrize("owns", [True, False])
def test_a_dropped_writer_sends_nothing_more_and_leaves_the_buffers_to_others(owns: bool) -> None:
    async def main() -> None:
        scratch = Scratch(65536)
        gone, other = Bench(scratch), Bench(scratch)
        pumps: list[int] = []
        gone.writer.on_pump(lambda: pumps.append(1))
        gone.writer.put(HEADER, b"small")
        gone.in_turn = owns
        if owns:
            gone.writer.put(HEADER, bytes(10_000))
        gone.writer.schedule_pump()
        gone.writer.drop()
        gone.writer.resume()
        await asyncio.sleep(0)
        assert gone.transport.writes == []
        assert pumps == []
        other.writer.put(HEADER, bytes(10_000))
        other.writer.flush()
        assert other.messages() == [HEADER + bytes(10_000)]

    run(main())


def test_a_dropped_writer_does_not_take_the_bytes_of_another() -> None:
    async def main() -> None:
        scratch = Scratch(65536)
        gone, other = Bench(scratch), Bench(scratch)
        other.in_turn = True
        other.writer.put(HEADER, bytes(10_000))
        gone.writer.drop()
        other.in_turn = False
        other.writer.flush()
        assert other.messages() == [HEADER + bytes(10_000)]

    run(main())
