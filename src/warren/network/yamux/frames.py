"""The twelve-byte header of a Yamux frame.

Spec: https://github.com/libp2p/specs/blob/master/yamux/README.md
"""

from __future__ import annotations

import struct
from typing import Final

PROTOCOL_ID: Final = "/yamux/1.0.0"
HEADER: Final = struct.Struct(">BBHII")
HEADER_BYTES: Final = HEADER.size

DATA: Final = 0
WINDOW_UPDATE: Final = 1
PING: Final = 2
GO_AWAY: Final = 3

SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8

GO_AWAY_NORMAL: Final = 0
GO_AWAY_PROTOCOL_ERROR: Final = 1
GO_AWAY_INTERNAL_ERROR: Final = 2

INITIAL_WINDOW_BYTES: Final = 256 * 1024
"""What either side may send on a new stream before the first window update."""
BODY_BYTES_MAX: Final = 65_507
"""Data that fills, with the header, exactly one Noise message."""
