"""A py-libp2p node that finds and is found by multicast DNS, on the machine's own network.

Comes in:  the numeric address of this machine.
Goes out:  one JSON line each on stdout: {"listen": PEER ID}, then {"found": PEER ID, "addrs": [...]} for each
peer that its discovery names, once it could be dialled at what was found.

Runs under the interpreter of `.peers/py` (see tests/interop/install.py), never under Warren's own.
"""

# mypy: ignore-errors
# (the libraries that it speaks to are in an environment of their own, which is not type-checked)

from __future__ import annotations

import json
import secrets
import sys

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.discovery.events.peerDiscovery import peerDiscovery
from libp2p.discovery.mdns import create_mdns_discovery
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from multiaddr import Multiaddr

PORT = 4105


def emit(**fields):
    print(json.dumps(fields), flush=True)


async def main(address: str) -> None:
    keys = create_new_key_pair(secrets.token_bytes(32))
    noise = NoiseTransport(keys, noise_privkey=create_noise_key_pair().private_key)
    listen = [Multiaddr(f"/ip4/{address}/tcp/{PORT}")]
    host = new_host(key_pair=keys, sec_opt={NOISE: noise}, listen_addrs=listen)
    send, receive = trio.open_memory_channel(100)
    token = trio.lowlevel.current_trio_token()
    # Discovery calls from a thread of its own.
    peerDiscovery.register_peer_discovered_handler(lambda info: token.run_sync_soon(send.send_nowait, info))
    async with host.run(listen_addrs=listen):
        discovery = create_mdns_discovery(host.get_network(), port=PORT, host=host)
        discovery.start()
        emit(listen=str(host.get_id()))
        async for info in receive:
            try:
                await host.connect(info)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test waits for a peer that can be dialled
                print(info.peer_id, repr(error), file=sys.stderr)
            else:
                emit(found=str(info.peer_id), addrs=[str(one) for one in info.addrs])


trio.run(main, sys.argv[1])
