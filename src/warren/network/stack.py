"""What a network is built of, floor by floor: each part swaps behind its interface.

What passes the suites in `tests/network` (`conformance_link`, `conformance_security`, `conformance_mux`) may
stand here.  The order is the order of preference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from warren.network.noise_security import Noise
from warren.network.transports.tcp import TcpTransport
from warren.network.yamux.frames import PROTOCOL_ID as YAMUX_ID
from warren.network.yamux.session import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from warren.network.mux import MuxerFactory
    from warren.network.security import SecurityFactory
    from warren.network.transports.base import LinkTransport
    from warren.runtime.seam import Transport

TransportFactory: TypeAlias = "Callable[[Transport], LinkTransport]"


@dataclass(frozen=True, slots=True)
class Stack:
    """The parts of one network."""

    transports: tuple[TransportFactory, ...] = (TcpTransport,)
    """An address goes to the first that can dial it."""
    security: tuple[SecurityFactory, ...] = (Noise,)
    muxers: Mapping[str, MuxerFactory] = field(default_factory=lambda: {YAMUX_ID: open_session})
    """By protocol id."""
