"""A go-libp2p node (TCP, Noise, Yamux) driven from the command line, through its daemon's control socket.

Comes in:  a subcommand and, for all but `listen`, the multiaddr of the other side.
Goes out:  one JSON line a result on stdout; logs of the daemon on stderr.
Exit code: 0 = the line says ok:true, 1 = ok:false, 2 = usage.

  listen                print the address, then serve identify and ping (go's own) and the test protocol below
  identify ADDR         connect, and tell which peer go has proven and where it knows it
  ping ADDR N           N round trips on one ping stream
  echo ADDR BYTES       random bytes over /echo/1.0.0 in writes of --chunk, compared on return
  streams ADDR N        N echo streams open at once on one connection
  return ADDR           connect, wait until the other side has closed the connection, and connect once more to
                        wherever identify and identify/push have told that it listens

Test protocols: /echo/1.0.0 sends back what comes; /push/1.0.0 begins to serve /late/1.0.0, which go then
tells all who are connected by identify/push; `return` opens /ready/1.0.0 once go has identified the other
side. The daemon tells nothing of what it knows of others but where they are: what it took from a push shows
only in where it dials. It closes a stream in both directions at once, so nothing here half-closes, and
/perf/1.0.0, which needs that, cannot be spoken through it.
The control protocol: https://github.com/libp2p/go-libp2p-daemon/blob/master/specs/CONTROL.md
Standard library only; the daemon lies beside this file once install.py has fetched it.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import re
import secrets
import signal
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

IDENTIFY, CONNECT, STREAM_OPEN, STREAM_HANDLER, LIST_PEERS = 0, 1, 2, 3, 5
PING_ID, ECHO_ID = "/ipfs/ping/1.0.0", "/echo/1.0.0"
PUSH_ID, LATE_ID, READY_ID = "/push/1.0.0", "/late/1.0.0", "/ready/1.0.0"
CHUNK_BYTES = 65536
PR_SET_PDEATHSIG = 1
PROGRAM = str(Path(__file__).resolve().parent / "p2pd")
READY = b"Peer Addrs"
"""What the daemon prints once it serves its control socket."""
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
Fields = dict[int, list[Any]]


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | bytes) -> bytes:
    """One protobuf field: a varint, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def parse(data: bytes) -> Fields:
    """The fields of a protobuf message by number."""
    fields: Fields = {}
    at = 0

    def read() -> int:
        nonlocal at
        shift = value = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(data):
        key = read()
        if key & 7 == 0:
            fields.setdefault(key >> 3, []).append(read())
        else:
            size = read()
            fields.setdefault(key >> 3, []).append(data[at : at + size])
            at += size
    return fields


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def unbase58(text: str) -> bytes:
    number = 0
    for letter in text:
        number = number * 58 + ALPHABET.index(letter)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode_address(host: str, port: int) -> bytes:
    """/ip4/HOST/tcp/PORT in the binary form."""
    return b"\x04" + bytes(map(int, host.split("."))) + b"\x06" + port.to_bytes(2, "big")


def decode_address(raw: bytes) -> str:
    """The text of a binary /ip4/HOST/tcp/PORT; other addresses in hexadecimal."""
    if len(raw) >= 8 and raw[0] == 4 and raw[5] == 6:
        return f"/ip4/{'.'.join(map(str, raw[1:5]))}/tcp/{int.from_bytes(raw[6:8], 'big')}"
    return raw.hex()


async def read_message(reader: asyncio.StreamReader) -> Fields:
    shift = size = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return parse(await reader.readexactly(size))
        shift += 7


class Daemon:
    """A running daemon and its control socket."""

    def __init__(self, control: str) -> None:
        self._control = control

    async def call(
        self, kind: int, body: bytes = b""
    ) -> tuple[Fields, asyncio.StreamReader, asyncio.StreamWriter]:
        """One request on a control connection of its own; a stream that it opens is that connection."""
        reader, writer = await asyncio.open_unix_connection(self._control)
        message = field(1, kind) + body
        writer.write(varint(len(message)) + message)
        answer = await read_message(reader)
        if answer[1][0] != 0:
            raise RuntimeError(parse(answer[2][0])[1][0].decode())
        return answer, reader, writer

    async def identify(self) -> tuple[bytes, list[str]]:
        """Its peer id and its addresses."""
        answer, _, writer = await self.call(IDENTIFY)
        writer.close()
        told = parse(answer[4][0])
        return told[1][0], [decode_address(raw) for raw in told.get(2, [])]

    async def connect(self, address: str) -> bytes:
        """Dial; returns the peer id. Of an address that is nothing but /p2p/… the daemon knows the rest."""
        match = re.fullmatch(r"/p2p/(\w+)", address)
        if match is not None:
            _, _, writer = await self.call(CONNECT, field(2, field(1, unbase58(match[1]))))
            writer.close()
            return unbase58(match[1])
        match = re.fullmatch(r"/ip4/([\d.]+)/tcp/(\d+)/p2p/(\w+)", address)
        if match is None:
            raise ValueError(f"not /ip4/…/tcp/…/p2p/…: {address}")
        peer = unbase58(match[3])
        raw = encode_address(match[1], int(match[2]))
        _, _, writer = await self.call(CONNECT, field(2, field(1, peer) + field(2, raw)))
        writer.close()
        return peer

    async def peers(self) -> dict[str, list[str]]:
        """The connected peers and their addresses."""
        answer, _, writer = await self.call(LIST_PEERS)
        writer.close()
        found = (parse(raw) for raw in answer.get(6, []))
        return {base58(peer[1][0]): [decode_address(raw) for raw in peer.get(2, [])] for peer in found}

    async def open(self, peer: bytes, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A stream to a connected peer."""
        _, reader, writer = await self.call(
            STREAM_OPEN, field(3, field(1, peer) + field(2, protocol.encode()))
        )
        return reader, writer

    async def serve(self, protocol: str, handler: Any) -> None:
        """Hand inbound streams of `protocol` to `handler(reader, writer)`."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_message(reader)
            await handler(reader, writer)
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        raw = encode_address(*server.sockets[0].getsockname())
        body = field(1, raw) + field(2, protocol.encode()) + field(3, 0)
        _, _, writer = await self.call(STREAM_HANDLER, field(4, body))
        writer.close()


def die_with_parent() -> None:
    """Ask Linux to end the daemon with this process, however that ends: tests kill it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@asynccontextmanager
async def daemon(listen: str) -> AsyncIterator[Daemon]:
    """A daemon on loopback that talks to nobody by itself, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="p2pd.") as folder:
        control = f"{folder}/control"
        switches = [
            "-noise",
            "-tls=false",
            "-quic=false",
            "-relay=false",
            "-relayService=false",
            "-natPortMap=false",
        ]
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            f"-listen=/unix{control}",
            *switches,
            *listen.split(),
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(10):
                while not (await process.stdout.readline()).startswith(READY):
                    pass
            yield Daemon(control)
        finally:
            process.kill()
            await process.wait()


async def echo_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


async def listen(_: argparse.Namespace) -> dict[str, Any]:
    async with daemon("-hostAddrs=/ip4/127.0.0.1/tcp/0") as node:

        async def push(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            await node.serve(LATE_ID, echo_all)
            writer.write(b"served")
            await writer.drain()

        await node.serve(ECHO_ID, echo_all)
        await node.serve(PUSH_ID, push)
        peer, addresses = await node.identify()
        print(json.dumps({"ok": True, "addr": f"{addresses[0]}/p2p/{base58(peer)}"}), flush=True)
        await asyncio.Event().wait()
        return {}


async def identify(options: argparse.Namespace) -> dict[str, Any]:
    async with daemon("-noListenAddrs") as node:
        peer = await node.connect(options.addr)
        return {"peer": base58(peer), "addresses": (await node.peers())[base58(peer)]}


async def return_(options: argparse.Namespace) -> dict[str, Any]:
    async with daemon("-noListenAddrs") as node:
        peer = base58(await node.connect(options.addr))  # go waits until it has identified whom it dialled
        await node.open(unbase58(peer), READY_ID)
        while await node.peers():  # noqa: ASYNC110 - the daemon tells of no disconnection
            await asyncio.sleep(0.02)
        await node.connect(f"/p2p/{peer}")
        return {"peer": peer, "addresses": (await node.peers())[peer]}


async def ping(options: argparse.Namespace) -> dict[str, Any]:
    async with daemon("-noListenAddrs") as node:
        reader, writer = await node.open(await node.connect(options.addr), PING_ID)
        for _ in range(options.n):
            sent = secrets.token_bytes(32)
            writer.write(sent)
            if await reader.readexactly(32) != sent:
                raise RuntimeError("the echo differs")
        return {"n": options.n}


async def echo_once(node: Daemon, peer: bytes, total: int, chunk: int) -> None:
    reader, writer = await node.open(peer, ECHO_ID)
    sent = secrets.token_bytes(total)

    async def write() -> None:
        for at in range(0, total, chunk):
            writer.write(sent[at : at + chunk])
            await writer.drain()

    writing = asyncio.ensure_future(write())
    if await reader.readexactly(total) != sent:
        raise RuntimeError("the echo differs")
    await writing
    writer.close()


async def echo(options: argparse.Namespace) -> dict[str, Any]:
    async with daemon("-noListenAddrs") as node:
        await echo_once(node, await node.connect(options.addr), options.n, options.chunk)
        return {"bytes": options.n}


async def streams(options: argparse.Namespace) -> dict[str, Any]:
    async with daemon("-noListenAddrs") as node:
        peer = await node.connect(options.addr)
        await asyncio.gather(*(echo_once(node, peer, 10_000, 4096) for _ in range(options.n)))
        return {"n": options.n}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("listen").set_defaults(run=listen)
    for name, run in (
        ("identify", identify),
        ("return", return_),
        ("ping", ping),
        ("echo", echo),
        ("streams", streams),
    ):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("addr")
        if name not in ("identify", "return"):
            command.add_argument("n", type=int)
        command.add_argument("--chunk", type=int, default=CHUNK_BYTES)
    options = parser.parse_args()
    try:
        result = asyncio.run(options.run(options))
    except (RuntimeError, OSError, ValueError, EOFError, TimeoutError) as error:
        print(json.dumps({"ok": False, "error": repr(error)}), flush=True)
        return 1
    print(json.dumps({"ok": True, **result}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
