"""A py-libp2p node (TCP, Noise, Yamux) driven from the command line, which Warren does not share a line with.

Comes in:  a subcommand and, for all but `listen`, the multiaddr of the other side.
Goes out:  one JSON line a result on stdout; logs on stderr.
Exit code: 0 = the line says ok:true, 1 = ok:false, 2 = usage.

  listen                print the address, then serve identify, ping, perf and the test protocols below
  identify ADDR         what identify told us about the other side
  ping ADDR N           N round trips on one ping stream
  perf ADDR UP DOWN     /perf/1.0.0; the clock stops when the last byte is acknowledged (up) or read (down)
  beside ADDR UP        round trips of pings on the connection that carries an upload of UP bytes
  echo ADDR BYTES       random bytes over /echo/1.0.0 in writes of --chunk, compared on return
  streams ADDR N        N echo streams open at once on one connection
  reset ADDR            reset an echo stream, ask /resets/1.0.0 whether it arrived, have one reset by the
                        other side, then echo again on the same connection
  conns ADDR N          N times in sequence: dial, secure, multiplex, one ping, close
  idle ADDR N           N connections, each from its own peer id, held until stdin closes
  linger ADDR           ask identify, never end the own half, and wait until the other side resets the stream

Test protocols: /echo/1.0.0 sends back what comes, then ends; /reset/1.0.0 resets the stream at its first
byte; /resets/1.0.0 answers one byte with the number of echo streams that were reset by the other side;
/push/1.0.0 begins to serve /late/1.0.0 and tells the other side by identify/push; /knows/1.0.0 answers one
byte with the protocols that the other side is known to speak, one a line; /open/1.0.0 echoes and never ends
its half.

Runs under the interpreter of `.peers/py` (see tests/interop/install.py), never under Warren's own.
"""

# mypy: ignore-errors
# (the libraries that it speaks to are in an environment of their own, which is not type-checked)

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import statistics
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

STARTED = time.perf_counter()

import trio  # noqa: E402
from libp2p import new_host  # noqa: E402
from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: E402
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair  # noqa: E402
from libp2p.host.ping import ID as PING  # noqa: E402
from libp2p.host.ping import PingService  # noqa: E402
from libp2p.identity.identify.identify import ID as IDENTIFY  # noqa: E402
from libp2p.identity.identify_push.identify_push import push_identify_to_peer  # noqa: E402
from libp2p.io.utils import read_exactly  # noqa: E402
from libp2p.network.stream.exceptions import StreamEOF, StreamReset  # noqa: E402
from libp2p.peer.peerinfo import info_from_p2p_addr  # noqa: E402
from libp2p.perf import PerfService  # noqa: E402
from libp2p.perf.constants import PROTOCOL_NAME as PERF  # noqa: E402
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE  # noqa: E402
from libp2p.security.noise.transport import Transport as NoiseTransport  # noqa: E402
from multiaddr import Multiaddr  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

ECHO = "/echo/1.0.0"
RESET = "/reset/1.0.0"
RESETS = "/resets/1.0.0"
PUSH, LATE, KNOWS, OPEN = "/push/1.0.0", "/late/1.0.0", "/knows/1.0.0", "/open/1.0.0"
BLOCK_BYTES = 65536


def emit(command: str, ok: bool = True, **fields: Any) -> None:
    print(json.dumps({"cmd": command, "ok": ok, **fields}), flush=True)


def make_host(listen: list[Multiaddr] | None = None) -> Any:
    keys = create_new_key_pair(secrets.token_bytes(32))
    noise = NoiseTransport(keys, noise_privkey=create_noise_key_pair().private_key)
    return new_host(key_pair=keys, sec_opt={NOISE: noise}, listen_addrs=listen)


async def open_stream(host: Any, address: str, protocol: str) -> Any:
    info = info_from_p2p_addr(Multiaddr(address))
    await host.connect(info)
    return await host.new_stream(info.peer_id, [protocol])


async def read_some(stream: Any) -> bytes:
    """The next bytes, or b"" at the end."""
    try:
        return await stream.read(BLOCK_BYTES)
    except StreamEOF:
        return b""


def was_reset(stream: Any) -> bool:
    """Whether the other side reset the stream: py-libp2p tells a waiting reader of it as of an end."""
    return bool(stream.muxed_stream.reset_received)


async def read_all(stream: Any) -> bytes:
    parts = []
    while part := await read_some(stream):
        parts.append(part)
    return b"".join(parts)


async def send_zeros(stream: Any, count: int) -> None:
    block = bytes(BLOCK_BYTES)
    while count > 0:
        await stream.write(block[:count])
        count -= BLOCK_BYTES


# -- what the listener serves -----------------------------------------------------------------------------


class TestProtocols:
    """The test protocols, and how many echo streams the other side has reset."""

    def __init__(self, host: Any) -> None:
        self.resets = 0
        self.host = host

    def register(self) -> None:
        host = self.host
        host.set_stream_handler(ECHO, self.echo)
        host.set_stream_handler(RESET, self.reset)
        host.set_stream_handler(RESETS, self.count)
        host.set_stream_handler(PUSH, self.push)
        host.set_stream_handler(KNOWS, self.knows)
        host.set_stream_handler(OPEN, self.open)

    async def echo(self, stream: Any) -> None:
        with contextlib.suppress(StreamReset):
            while part := await read_some(stream):
                await stream.write(part)
        if was_reset(stream):
            self.resets += 1
        else:
            await stream.close()

    async def reset(self, stream: Any) -> None:
        await read_some(stream)
        await stream.reset()

    async def count(self, stream: Any) -> None:
        await self.answer(stream, str(self.resets))

    async def push(self, stream: Any) -> None:
        self.host.set_stream_handler(LATE, self.echo)
        await self.answer(stream, "served")
        await push_identify_to_peer(self.host, stream.muxed_conn.peer_id)

    async def knows(self, stream: Any) -> None:
        # what a handler raises ends the whole node, and it may be asked before it has written anything down
        data = self.host.get_peerstore().peer_data_map.get(stream.muxed_conn.peer_id)
        await self.answer(stream, "\n".join(map(str, data.protocols if data else ())))

    async def open(self, stream: Any) -> None:
        while part := await read_some(stream):
            await stream.write(part)

    async def answer(self, stream: Any, text: str) -> None:
        await read_some(stream)
        await stream.write(text.encode())
        await stream.close()


async def listen(args: argparse.Namespace) -> None:
    addresses = [Multiaddr(f"/ip4/127.0.0.1/tcp/{args.port}")]
    host = make_host(addresses)
    async with host.run(listen_addrs=addresses):
        host.set_stream_handler(PING, PingService(host).handle_ping)
        await PerfService(host).start()
        TestProtocols(host).register()
        address = str(host.get_addrs()[0])
        emit("listen", addr=address, pid=os.getpid(), start_s=round(time.perf_counter() - STARTED, 4))
        await trio.sleep_forever()


# -- what the dialler asks --------------------------------------------------------------------------------


async def ping_once(stream: Any) -> float:
    """One round trip in microseconds."""
    payload = secrets.token_bytes(32)
    start = time.perf_counter()
    await stream.write(payload)
    answer = await read_exactly(stream, 32)
    took_us = (time.perf_counter() - start) * 1e6
    if answer != payload:
        raise ValueError("the ping came back changed")
    return took_us


async def ping_while(stream: Any, more: Callable[[int], bool]) -> dict[str, float]:
    took_us: list[float] = []
    while more(len(took_us)):
        took_us.append(await ping_once(stream))
    await stream.close()
    took_us.sort()
    p99 = took_us[min(len(took_us) - 1, int(len(took_us) * 0.99))]
    return {
        "n": len(took_us),
        "rtt_us_median": round(statistics.median(took_us), 1),
        "rtt_us_p99": round(p99, 1),
    }


async def run_perf(stream: Any, up: int, down: int) -> dict[str, float]:
    want = max(down, 1)  # at least one byte back, so that an upload is acknowledged
    cpu, start = time.process_time(), time.perf_counter()
    await stream.write(struct.pack(">Q", want))
    await send_zeros(stream, up)
    await stream.close_write()
    got = 0
    while got < want and (part := await read_some(stream)):
        got += len(part)
    took_s = time.perf_counter() - start
    if got != want:
        raise ValueError(f"got {got} bytes back of {want}")
    return {
        "up": up,
        "down": down,
        "s": round(took_s, 4),
        "MBps": round((up + down) / took_s / 1e6, 1),
        "cpu_s": round(time.process_time() - cpu, 4),
    }


async def run_echo(stream: Any, total: int, chunk: int) -> None:
    sent = secrets.token_bytes(total)

    async def write() -> None:
        for at in range(0, total, chunk):
            await stream.write(sent[at : at + chunk])
        await stream.close_write()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        back = await read_all(stream)
    if back != sent:
        raise ValueError("the echo came back changed")


async def identify(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    info = info_from_p2p_addr(Multiaddr(args.addr))
    await host.connect(info)
    store = host.get_peerstore()

    def known() -> list[str]:
        return sorted(str(protocol) for protocol in store.peer_data_map[info.peer_id].protocols)

    while not known():  # py-libp2p says nothing when identify is done  # noqa: ASYNC110
        await trio.sleep(0.02)
    return {
        "peer": str(info.peer_id),
        "protocols": known(),
        "listen_addrs": [str(address) for address in store.addrs(info.peer_id)],
    }


async def ping(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    stream = await open_stream(host, args.addr, PING)
    cpu = time.process_time()
    trips = await ping_while(stream, lambda done: done < args.n)
    return {**trips, "cpu_s": round(time.process_time() - cpu, 4)}


async def perf(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    return await run_perf(await open_stream(host, args.addr, PERF), args.up, args.down)


async def beside(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    pings = await open_stream(host, args.addr, PING)
    bulk = await open_stream(host, args.addr, PERF)
    figures: dict[str, float] = {}

    async def transfer() -> None:
        figures.update(await run_perf(bulk, args.up, 0))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(transfer)
        trips = await ping_while(pings, lambda _: not figures)
    return {**figures, **trips}


async def echo(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    await run_echo(await open_stream(host, args.addr, ECHO), args.bytes, args.chunk)
    return {"bytes": args.bytes}


async def streams(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    opened = [await open_stream(host, args.addr, ECHO) for _ in range(args.n)]
    sent = [secrets.token_bytes(1000) for _ in opened]
    for stream, payload in zip(opened, sent, strict=True):
        await stream.write(payload)
    for stream, payload in zip(opened, sent, strict=True):
        if await read_exactly(stream, len(payload)) != payload:
            raise ValueError("the echo came back changed")
    for stream in opened:
        await stream.close()
    return {"n": args.n}


async def reset(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    ours = await open_stream(host, args.addr, ECHO)
    await ours.write(bytes(10))
    await read_exactly(ours, 10)
    await ours.reset()
    question = await open_stream(host, args.addr, RESETS)
    await question.write(b"?")
    seen = await read_all(question)
    theirs = await open_stream(host, args.addr, RESET)
    await theirs.write(b"x")
    with contextlib.suppress(StreamReset):
        await read_some(theirs)
    error = "StreamReset" if was_reset(theirs) else None
    await run_echo(await open_stream(host, args.addr, ECHO), 1000, 1000)
    return {"seen": int(seen), "error": error}


async def linger(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    stream = await open_stream(host, args.addr, IDENTIFY)
    told = await read_all(stream)
    while not was_reset(stream):  # py-libp2p tells nobody who does not read  # noqa: ASYNC110
        await trio.sleep(0.02)
    return {"bytes": len(told), "error": "StreamReset"}


async def conns(host: Any, args: argparse.Namespace) -> dict[str, Any]:
    info = info_from_p2p_addr(Multiaddr(args.addr))
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(args.n):
        stream = await open_stream(host, args.addr, PING)
        await ping_once(stream)
        await host.disconnect(info.peer_id)
    took_s = time.perf_counter() - start
    return {
        "n": args.n,
        "s": round(took_s, 4),
        "per_s": round(args.n / took_s, 2),
        "cpu_s": round(time.process_time() - cpu, 4),
    }


async def idle(args: argparse.Namespace) -> None:
    held = 0
    errors: list[str] = []

    async def hold(settled: trio.Event) -> None:
        nonlocal held
        try:
            host = make_host()
            async with host.run(listen_addrs=[]):
                stream = await open_stream(host, args.addr, PING)
                await ping_once(stream)
                await stream.close()
                held += 1
                settled.set()
                await trio.sleep_forever()
        except Exception as error:  # noqa: BLE001 - whatever one host meets, the others are held and the error is reported
            errors.append(repr(error)[:200])
            settled.set()

    async with trio.open_nursery() as nursery:
        for _ in range(args.n):
            settled = trio.Event()
            nursery.start_soon(hold, settled)
            await settled.wait()
        emit("idle", held == args.n, held=held, errors=errors[:3])
        await trio.to_thread.run_sync(sys.stdin.read)
        os._exit(0)


# -- command line -----------------------------------------------------------------------------------------

DIALLERS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "identify": (identify, ()),
    "ping": (ping, ("n",)),
    "perf": (perf, ("up", "down")),
    "beside": (beside, ("up",)),
    "echo": (echo, ("bytes",)),
    "streams": (streams, ("n",)),
    "reset": (reset, ()),
    "conns": (conns, ("n",)),
    "linger": (linger, ()),
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--timeout", type=float, default=120, help="seconds for the whole command")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("listen").add_argument("--port", type=int, default=0)
    for name, numbers in {**{name: fields for name, (_, fields) in DIALLERS.items()}, "idle": ("n",)}.items():
        command = commands.add_parser(name)
        command.add_argument("addr")
        for field in numbers:
            command.add_argument(field, type=int)
        if name == "echo":
            command.add_argument("--chunk", type=int, default=BLOCK_BYTES)
    return parser.parse_args()


async def run(args: argparse.Namespace) -> None:
    if args.command in ("listen", "idle"):
        await {"listen": listen, "idle": idle}[args.command](args)
        return
    host = make_host()
    with trio.fail_after(args.timeout):
        async with host.run(listen_addrs=[]):
            emit(args.command, **await DIALLERS[args.command][0](host, args))
            os._exit(0)  # py-libp2p's own way out takes seconds


def main() -> None:
    args = parse()
    try:
        trio.run(run, args)
    except KeyboardInterrupt:
        pass
    except BaseException as error:  # noqa: BLE001 - the caller wants a line, whatever happened
        emit(args.command, False, error=repr(error)[:400])
        os._exit(1)


main()
