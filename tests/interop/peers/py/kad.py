"""A py-libp2p node with a Kademlia DHT, which serves and does as it is told line by line.

Comes in:  kad.py PROTOCOL [ADDR]: the protocol id of the DHT (it knows /ipfs/kad/1.0.0 only), and whom to
connect to at the start; then one JSON object a line on stdin. Goes out: one JSON line when it listens, then
one for each line that came in. What can be asked for is written in the header of ../js/kad.mjs.

Runs under the interpreter of `.peers/py` (see tests/interop/install.py), never under Warren's own.
"""

# mypy: ignore-errors
# (the libraries that it speaks to are in an environment of their own, which is not type-checked)

from __future__ import annotations

import json
import secrets
import sys
from typing import Any

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.kad_dht.kad_dht import DHTMode, KadDHT
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.records.pubkey import PublicKeyValidator
from libp2p.records.validator import BlankValidator, NamespacedValidator
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.tools.anyio_service.context import background_trio_service
from multiaddr import Multiaddr

TIMEOUT_S = 20
PROTOCOL = "/ipfs/kad/1.0.0"


def emit(ok: bool = True, **fields: Any) -> None:
    print(json.dumps({"ok": ok, **fields}), flush=True)


class Operations:
    def __init__(self, host: Any, dht: Any) -> None:
        self.host = host
        self.dht = dht

    async def meet(self, addr: str) -> dict[str, Any]:
        info = info_from_p2p_addr(Multiaddr(addr))
        await self.host.connect(info)
        await self.dht.add_peer(info.peer_id, skip_server_mode_check=True)
        return {}

    async def size(self) -> dict[str, Any]:
        return {"size": self.dht.get_routing_table_size()}

    async def put(self, key: str, value: str) -> dict[str, Any]:
        await self.dht.put_value(bytes.fromhex(key).decode(), bytes.fromhex(value))
        return {}

    async def get(self, key: str) -> dict[str, Any]:
        value = await self.dht.get_value(bytes.fromhex(key).decode())
        if value is None:
            raise LookupError("no value")
        return {"value": value.hex()}

    async def provide(self, key: str) -> dict[str, Any]:
        if not await self.dht.provide(key):
            raise LookupError("nobody took it")
        return {}

    async def providers(self, key: str) -> dict[str, Any]:
        found = await self.dht.find_providers(key)
        return {"peers": [{"id": str(one.peer_id), "addrs": [str(a) for a in one.addrs]} for one in found]}

    async def find(self, peer: str) -> dict[str, Any]:
        found = await self.dht.find_peer(ID.from_base58(peer))
        if found is None:
            raise LookupError("not found")
        return {"addrs": [str(address) for address in found.addrs]}


async def main(protocol: str, *known: str) -> None:
    if protocol != PROTOCOL:
        emit(False, error=f"this library speaks {PROTOCOL} only")
        return
    listen = [Multiaddr("/ip4/127.0.0.1/tcp/0")]
    keys = create_new_key_pair(secrets.token_bytes(32))
    noise = NoiseTransport(keys, noise_privkey=create_noise_key_pair().private_key)
    host = new_host(key_pair=keys, sec_opt={NOISE: noise}, listen_addrs=listen)
    validator = NamespacedValidator({"pk": PublicKeyValidator(), "v": BlankValidator()})
    async with host.run(listen_addrs=listen):
        dht = KadDHT(
            host,
            DHTMode.SERVER,
            validator=validator,
            validator_changed=True,
            max_peers_per_subnet=0,
        )
        async with background_trio_service(dht):
            operations = Operations(host, dht)
            for address in known:
                await operations.meet(address)
            emit(addr=str(host.get_addrs()[0]))
            await serve(operations)


async def serve(operations: Operations) -> None:
    async for line in trio.wrap_file(sys.stdin):
        asked = json.loads(line)
        operation = getattr(operations, asked.pop("op"))
        try:
            with trio.fail_after(TIMEOUT_S):
                emit(**await operation(**asked))
        except Exception as error:  # noqa: BLE001  whatever it is, the test shall see it
            emit(False, error=repr(error)[:400])


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
