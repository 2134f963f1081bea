"""identify messages: what is kept of them is bounded, also where one is joined to another."""

from __future__ import annotations

from warren.core.errors import ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.core.peer_record import PeerRecord
from warren.protocols import identify
from warren.protocols.proto.identify_pb2 import Identify

_KEY = PrivateKey.from_seed(bytes(32))
_ADDR = Multiaddr.parse("/ip4/192.0.2.1/tcp/4101")

DOCUMENTED = (ProtocolViolation,)
SEEDS = (
    Identify(
        publicKey=_KEY.public_key.to_protobuf(),
        listenAddrs=[_ADDR.to_bytes(), b"\xbc\x03"],
        protocols=["/ipfs/ping/1.0.0", "/perf/1.0.0"],
        protocolVersion="ipfs/0.1.0",
        agentVersion="agent/1",
        observedAddr=_ADDR.to_bytes(),
    ).SerializeToString(),
    Identify(signedPeerRecord=PeerRecord(_KEY.peer_id, 7, (_ADDR,)).seal(_KEY)).SerializeToString(),
)


def parse(data: bytes) -> identify.IdentifyInfo:
    return identify.parse(data, _KEY.peer_id)


_KNOWN = parse(SEEDS[1])


def verify(_data: bytes, info: identify.IdentifyInfo) -> None:
    assert info.updated(info) == info
    for one in (info, info.updated(_KNOWN), _KNOWN.updated(info)):
        _is_bounded(one)
    assert _KNOWN.updated(info).record_seq >= _KNOWN.record_seq


def _is_bounded(info: identify.IdentifyInfo) -> None:
    assert isinstance(info.is_warren, bool)
    assert len(info.listen_addrs) <= identify.ADDRESSES_MAX
    assert len(info.protocols) <= identify.PROTOCOLS_MAX
    for text in (info.agent, info.protocol_version, *info.protocols):
        assert isinstance(text, str)
        assert len(text) <= identify.TEXT_CHARS_MAX
