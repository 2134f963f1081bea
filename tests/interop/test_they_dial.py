"""Nodes of other libp2p libraries dial Warren."""

from __future__ import annotations

import pytest

from tests.interop.foreign import Foreign, ForeignError
from tests.interop.node import AGENT, ECHO_ID, Node
from tests.support import run
from warren.core.peer_id import PeerId

MIB = 1 << 20


def test_identify(foreign: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            told = await foreign.run("identify", node.address)
            assert told["peer"] == str(node.network.peer_id)
            assert {"/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/perf/1.0.0", ECHO_ID} <= set(told["protocols"])
            addresses = [address.removesuffix(f"/p2p/{told['peer']}") for address in told["listen_addrs"]]
            assert str(node.network.listen_addrs[0]) in addresses

    run(main())


@pytest.mark.interop_js
def test_identify_tells_agent_record_and_observed_address() -> None:
    """What py-libp2p keeps to itself, js-libp2p tells of our identify message."""

    async def main() -> None:
        js = Foreign.need("js")
        async with Node() as node:
            told = await js.run("identify", node.address)
            assert told["agent"] == AGENT
            assert told["protocol_version"] == "ipfs/0.1.0"
            assert told["signed_record"]
            assert told["observed_addr"].startswith("/ip4/127.0.0.1/tcp/")

    run(main())


def test_ping(foreign: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            assert (await foreign.run("ping", node.address, 50))["n"] == 50

    run(main())


@pytest.mark.parametrize(("up", "down"), [(64 * MIB, 0), (0, 64 * MIB), (1, 1)])
def test_perf(foreign: Foreign, up: int, down: int) -> None:
    """Warren answers once it has seen the end of their half, and they read on after it."""

    async def main() -> None:
        async with Node() as node:
            assert (await foreign.run("perf", node.address, up, down))["up"] == up

    run(main())


@pytest.mark.slow
def test_gigabyte_download(foreign: Foreign) -> None:
    """Long enough for window updates by the ten thousand: flow control must not look like a flood."""

    async def main() -> None:
        async with Node() as node:
            await foreign.run("perf", node.address, 0, 1024 * MIB)

    run(main(), timeout_s=90)


@pytest.mark.parametrize(("total", "chunk"), [(1, 1), (3000, 1), (5 * MIB, MIB), (MIB, 4097)])
def test_echo_in_pieces(foreign: Foreign, total: int, chunk: int) -> None:
    async def main() -> None:
        async with Node() as node:
            assert (await foreign.run("echo", node.address, total, "--chunk", chunk))["bytes"] == total

    run(main())


def test_hundred_streams_at_once(foreign: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            assert (await foreign.run("streams", node.address, 100))["n"] == 100

    run(main())


def test_resets_in_both_directions(foreign: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            told = await foreign.run("reset", node.address)
            assert told["seen"] == 1
            assert "Reset" in told["error"]
            assert node.resets == 1

    run(main())


def test_connections_in_sequence(foreign: Foreign) -> None:
    async def main() -> None:
        async with Node() as node:
            assert (await foreign.run("conns", node.address, 4))["n"] == 4

    run(main())


def test_other_key_than_expected(foreign: Foreign) -> None:
    """The foreign node expects somebody else behind our address and must not be able to talk to us."""

    async def main() -> None:
        async with Node() as node, Node() as other:
            wrong = node.network.listen_addrs[0].with_peer(other.network.peer_id)
            with pytest.raises((ForeignError, TimeoutError)):
                await foreign.run("ping", wrong, 1)
            assert node.network.peers() == []

    run(main())


@pytest.mark.interop_js
@pytest.mark.parametrize(
    ("options", "early"), [((), True), (("--late-muxer",), False)], ids=["in the handshake", "by multistream"]
)
def test_muxer_negotiation(options: tuple[str, ...], early: bool) -> None:
    """js-libp2p takes our muxers from the Noise handshake; when it sends none both negotiate inside."""

    async def main() -> None:
        js = Foreign.need("js")
        async with Node() as node:
            told = await js.run("echo", node.address, 100_000, *options)
            assert told["muxer"] == "/yamux/1.0.0"
            assert told["early_muxer"] is early
            assert PeerId.parse(told["peer"]) == node.network.peer_id

    run(main())
