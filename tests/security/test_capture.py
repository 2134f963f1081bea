"""What someone who records the wire can read: that libp2p and Noise are spoken, and nothing else."""

from __future__ import annotations

import os

from tests.interop.node import AGENT, Node
from tests.security.proxy import TO_DIALLER, TO_LISTENER, Middle
from tests.support import run

MARKER = b"PLAINTEXT-MARKER-%s" % os.urandom(8).hex().encode()


def test_captured_bytes_hold_no_plaintext() -> None:
    async def main() -> None:
        async with Node() as listener, Node() as dialler:

            async def answer(_peer: object, payload: bytes) -> bytes:
                return payload[::-1]

            protocol = "/secret-protocol/1.0.0"
            listener.network.handle_request(protocol, answer)
            async with Middle(listener.address).open() as middle:
                socket = await dialler.dial(middle.address)
                await socket.wait_open()
                assert await dialler.echo(socket, MARKER * 5000)
                peer = listener.network.peer_id
                assert await dialler.network.request(peer, protocol, MARKER) == MARKER[::-1]
                await dialler.ping.ping(socket)
                await socket.close()
            secrets = [
                MARKER,
                MARKER[::-1],
                MARKER[:16],
                protocol.encode(),
                AGENT.encode(),
                b"/echo/1.0.0",
                b"/ipfs/id/1.0.0",
                b"/yamux/1.0.0",
                *(node.network.peer_id.to_bytes() for node in (listener, dialler)),
                *(node.network.key.public_key.data for node in (listener, dialler)),
            ]
            for way in (TO_LISTENER, TO_DIALLER):
                captured = bytes(middle.passed[way])
                assert captured.startswith(b"\x13/multistream/1.0.0\n\x07/noise\n")
                assert len(captured) > len(MARKER) * 5000
                assert [secret for secret in secrets if secret in captured] == []

    run(main())
