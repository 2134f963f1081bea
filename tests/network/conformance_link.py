"""What every `LinkTransport` must do. Subclass `LinkConformance`, give it a transport and a loop.

A link carries bytes between two `asyncio.BufferedProtocol`s, as `Socket` is one; how such a link behaves in
all detail is shown by the conformance suite of the runtime's seam. This one is about multiaddrs: which are
dialled, where a listener says that it is, and what fails how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.settings import Door, Recorder
from warren.core.errors import InvalidMultiaddr
from warren.core.multiaddr import Multiaddr

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from warren.network.transports.base import LinkListener, LinkTransport

TIMEOUT_S = 5.0
FOREIGN = [
    "/ip4/127.0.0.1/udp/4101/quic-v1",
    "/ip4/127.0.0.1/tcp/4101/ws",
    "/unix/tmp/socket",
    "/ip4/127.0.0.1",
]
"""Addresses that a plain transport leaves alone."""


class Links:
    """A listener and the protocols at both ends of the links that were dialled to it."""

    def __init__(self, transport: LinkTransport, listener: LinkListener, door: Door) -> None:
        self.transport = transport
        self.listener = listener
        self.door = door

    async def dial(self, address: Multiaddr | None = None) -> tuple[Recorder, Recorder]:
        """A new link to the listener; the near and the far end."""
        near = await self.transport.dial(address or self.listener.address, Recorder, TIMEOUT_S)
        assert isinstance(near, Recorder)
        return near, await self.door.guest()


class LinkConformance:
    """The suite. `listen_addresses` are of the transport's kind, with a port that is free for the asking."""

    listen_addresses: Sequence[str]
    names: Sequence[str] = ()
    """Addresses that name a host by DNS; the host is the listener's."""

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a test on the loop that the transport needs."""
        raise NotImplementedError

    def dialler(self) -> LinkTransport:
        """The transport of the dialling side."""
        raise NotImplementedError

    def acceptor(self) -> LinkTransport:
        """The transport of the listening side."""
        raise NotImplementedError

    async def links(self, address: str, admit: Any = None) -> Links:
        door = Door()
        listener = await self.acceptor().listen(Multiaddr.parse(address), door.factory, admit)
        return Links(self.dialler(), listener, door)

    def test_bytes_go_both_ways(self) -> None:
        async def main() -> None:
            for address in self.listen_addresses:
                links = await self.links(address)
                near, far = await links.dial()
                near.transport.write(b"there")
                far.transport.write(b"and back")
                await far.until_received(5)
                await near.until_received(8)
                assert far.received == b"there"
                assert near.received == b"and back"
                await end(near, far)
                links.listener.close()

        self.run(main())

    def test_a_listener_says_where_it_really_is(self) -> None:
        async def main() -> None:
            for text in self.listen_addresses:
                links = await self.links(text)
                wanted, actual = Multiaddr.parse(text), links.listener.address
                assert wanted.port == 0
                assert actual.port
                assert actual.host == wanted.host
                assert self.dialler().can_dial(actual)
                links.listener.close()

        self.run(main())

    def test_a_peer_id_at_the_end_of_an_address_is_for_others(self) -> None:
        async def main() -> None:
            links = await self.links(self.listen_addresses[0])
            peer = "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
            address = Multiaddr.parse(f"{links.listener.address}/p2p/{peer}")
            assert links.transport.can_dial(address)
            [resolved] = await links.transport.resolve(address)
            assert resolved == links.listener.address
            await end(*await links.dial(address))
            links.listener.close()

        self.run(main())

    def test_several_links_do_not_mix(self) -> None:
        async def main() -> None:
            links = await self.links(self.listen_addresses[0])
            ends = [await links.dial() for _ in range(5)]
            for number, (near, _) in enumerate(ends):
                near.transport.write(bytes([number]) * 10)
            for number, (_, far) in enumerate(ends):
                await far.until_received(10)
                assert far.received == bytes([number]) * 10
            for near, far in ends:
                await end(near, far)
            links.listener.close()

        self.run(main())

    def test_a_closed_listener_takes_no_more_links_and_keeps_those_it_has(self) -> None:
        async def main() -> None:
            links = await self.links(self.listen_addresses[0])
            near, far = await links.dial()
            links.listener.close()
            links.listener.close()
            with pytest.raises(ConnectionRefusedError):
                await links.transport.dial(links.listener.address, Recorder, TIMEOUT_S)
            near.transport.write(b"still here")
            await far.until_received(10)
            await end(near, far)

        self.run(main())

    def test_hosts_that_are_not_admitted_get_no_protocol(self) -> None:
        async def main() -> None:
            asked: list[str] = []

            def admit(host: str) -> bool:
                asked.append(host)
                return False

            links = await self.links(self.listen_addresses[0], admit)
            near = await links.transport.dial(links.listener.address, Recorder, TIMEOUT_S)
            assert isinstance(near, Recorder)
            await near.until_called("lost")
            assert links.door.guests.empty()
            assert asked == [near.transport.get_extra_info("sockname")[0]]
            links.listener.close()

        self.run(main())

    def test_a_port_that_is_taken_cannot_be_listened_on(self) -> None:
        async def main() -> None:
            links = await self.links(self.listen_addresses[0])
            with pytest.raises(OSError, match="in use"):
                await self.links(str(links.listener.address))
            links.listener.close()

        self.run(main())

    def test_names_are_resolved_to_addresses_that_can_be_dialled(self) -> None:
        async def main() -> None:
            for name in self.names:
                address = Multiaddr.parse(name)
                assert self.dialler().can_dial(address)
                found = await self.dialler().resolve(address)
                assert found
                for numeric in found:
                    assert numeric.port == address.port
                    assert await self.dialler().resolve(numeric) == [numeric]
                    family = "ip6" if name.startswith("/dns6") else "ip4"
                    assert numeric.components[0][0] == family or name.startswith("/dns/")
            with pytest.raises(OSError, match=r"."):
                await self.dialler().resolve(Multiaddr.parse("/dns4/no-such-host.invalid/tcp/1"))

        self.run(main())

    @pytest.mark.parametrize("foreign", FOREIGN)
    def test_addresses_of_other_kinds_are_left_alone(self, foreign: str) -> None:
        async def main() -> None:
            address = Multiaddr.parse(foreign)
            assert not self.dialler().can_dial(address)
            with pytest.raises(InvalidMultiaddr):
                await self.acceptor().listen(address, Recorder)

        self.run(main())

    def test_a_name_is_resolved_before_it_is_listened_on(self) -> None:
        async def main() -> None:
            with pytest.raises(InvalidMultiaddr, match="cannot be listened on") as caught:
                await self.acceptor().listen(Multiaddr.parse("/dns4/localhost/tcp/0"), Recorder)
            assert "/ip4/" in caught.value.hint

        self.run(main())


async def end(*ends: Recorder) -> None:
    """Close a link and wait until both ends know."""
    ends[0].transport.close()
    for one in ends:
        await one.until_called("lost")
