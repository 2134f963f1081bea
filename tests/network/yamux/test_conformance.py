from __future__ import annotations

from typing import TYPE_CHECKING

from tests.network.conformance_mux import STREAMS_MAX, MuxConformance
from tests.network.fakes import YamuxPair
from warren.network.yamux.session import YamuxLimits

if TYPE_CHECKING:
    from warren.network.mux import MuxedConnection


class Pair:
    def __init__(self) -> None:
        limits = YamuxLimits(streams_inbound_max=STREAMS_MAX, streams_outbound_max=STREAMS_MAX)
        self._pair = YamuxPair(limits=limits)
        self.client: MuxedConnection = self._pair.a.session
        self.server: MuxedConnection = self._pair.b.session
        self.client_accept, self.server_accept = self._pair.a.accept, self._pair.b.accept

    def carry(self) -> None:
        self._pair.carry()


class TestYamux(MuxConformance):
    def pair(self) -> Pair:
        return Pair()
