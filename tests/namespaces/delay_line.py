"""A wire of a given length between two network cards, in user space: `delay_line.py CARD CARD SECONDS`.

In:  frames on one card. Out: the same frames on the other, so many seconds later, in order, both ways.
Prints "carrying" once it does; runs until it is killed. Frames keep the header with which a virtual card says
what is left to the hardware (checksums, cutting), so a frame may be as large as the kernel makes them.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
import time
from collections import deque

# From linux/if_ether.h, linux/if_packet.h and linux/socket.h; Python's socket module lacks them.
ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_OUTGOING = 4
FRAME_BYTES_MAX = 1 << 17
# What waits on the wire at most: a second of 200 Mbit/s. Beyond that frames are lost, as on a real one.
WIRE_FRAMES_MAX = 1 << 14
SOCKET_BYTES = 1 << 24


def card(name: str) -> socket.socket:
    """Everything that comes in on a card, and the way out of it."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        opened.setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BYTES)
    opened.bind((name, ETH_P_ALL))
    opened.setblocking(False)
    return opened


class Way:
    """One direction."""

    def __init__(self, source: socket.socket, target: socket.socket, delay_s: float) -> None:
        self.source = source
        self._target = target
        self._delay_s = delay_s
        self._wire: deque[tuple[float, bytes]] = deque()

    def take(self) -> None:
        """Put what has come in onto the wire."""
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, address = self.source.recvfrom(FRAME_BYTES_MAX)
                if address[2] != PACKET_OUTGOING and len(self._wire) < WIRE_FRAMES_MAX:
                    self._wire.append((time.monotonic() + self._delay_s, frame))

    def give(self) -> float | None:
        """Send what is through; return the seconds until more is, None if nothing is under way."""
        while self._wire:
            wait_s = self._wire[0][0] - time.monotonic()
            if wait_s > 0:
                return wait_s
            with contextlib.suppress(OSError):  # the far card is down or full: the frame is lost
                self._target.send(self._wire.popleft()[1])
        return None


def main(one: str, other: str, delay_s: float) -> None:
    """Carry for ever. A wire does not wait for a processor: where the system allows it, this comes first."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    left, right = card(one), card(other)
    ways = (Way(left, right, delay_s), Way(right, left, delay_s))
    selector = selectors.DefaultSelector()
    for way in ways:
        selector.register(way.source, selectors.EVENT_READ, way)
    print("carrying", flush=True)
    while True:
        waits = [wait_s for way in ways if (wait_s := way.give()) is not None]
        for key, _ in selector.select(min(waits, default=None)):
            key.data.take()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
