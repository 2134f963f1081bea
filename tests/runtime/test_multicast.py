"""Conformance of `seam.Multicast`: real packets on loopback, and the simulated link."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.runtime.settings import LIMIT_S
from warren.runtime.seam import Heard, LocalService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.runtime.settings import Setting
    from warren.runtime.seam import LocalLinks


class Listener:
    """What somebody heard so far."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._changed = asyncio.Event()

    def hear(self, what: Heard) -> None:
        self.heard.append(what)
        self._changed.set()

    async def until(self, condition: Callable[[list[Heard]], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition(self.heard):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def on_the_link(setting: Setting) -> AsyncIterator[tuple[LocalLinks, LocalLinks, Listener]]:
    """A place of the server, one of the client, and what the client hears."""
    listener = Listener()
    server = await setting.server.multicast.join(setting.server_links, lambda _: None)
    client = await setting.client.multicast.join(setting.client_links, listener.hear)
    yield server, client, listener
    await server.close()
    await client.close()


def service(kind: str, name: str = "instance", texts: tuple[bytes, ...] = (b"a=b",)) -> LocalService:
    return LocalService(kind, name, 4101, texts, ("127.0.0.1", "::1"))


def random_kind() -> str:
    """One that no other test on this machine speaks of."""
    return f"_t{secrets.token_hex(6)}._udp.local"


def test_who_is_there_answers_whoever_asks(setting: Setting) -> None:
    async def main() -> None:
        kind, texts = random_kind(), (b"dnsaddr=one", b"dnsaddr=two", bytes(200))
        async with on_the_link(setting) as (server, client, listener):
            await server.announce(service(kind, "instance", texts))
            client.ask(kind)
            await listener.until(bool)
            assert listener.heard[0] == Heard(kind, "instance", texts)

    setting.run(main())


def test_who_asked_hears_of_newcomers_and_of_changes_unasked(setting: Setting) -> None:
    async def main() -> None:
        kind = random_kind()
        async with on_the_link(setting) as (server, client, listener):
            client.ask(kind)
            await server.announce(service(kind, texts=(b"first",)))
            await listener.until(lambda heard: heard[-1:] == [Heard(kind, "instance", (b"first",))])
            await server.announce(service(kind, texts=(b"second",)))
            await listener.until(lambda heard: heard[-1:] == [Heard(kind, "instance", (b"second",))])

    setting.run(main())


def test_who_answered_before_answers_again(setting: Setting) -> None:
    async def main() -> None:
        kind = random_kind()
        async with on_the_link(setting) as (server, client, listener):
            await server.announce(service(kind))
            client.ask(kind)
            await listener.until(bool)
            await asyncio.sleep(2.0)  # the announcements are over, and the rate of RFC 6762 lets it answer
            before = len(listener.heard)
            client.ask(kind)
            await listener.until(lambda heard: len(heard) > before)
            assert set(listener.heard) == {Heard(kind, "instance", (b"a=b",))}

    setting.run(main())


@pytest.mark.parametrize("how", ["withdraw", "close"])
def test_who_leaves_says_goodbye(setting: Setting, how: str) -> None:
    async def main() -> None:
        kind = random_kind()
        async with on_the_link(setting) as (server, client, listener):
            client.ask(kind)
            await server.announce(service(kind))
            await listener.until(bool)
            await (server.withdraw(kind, "instance") if how == "withdraw" else server.close())
            await listener.until(lambda heard: Heard(kind, "instance", (), gone=True) in heard)

    setting.run(main())


def test_only_kinds_that_were_asked_for_are_heard(setting: Setting) -> None:
    async def main() -> None:
        kind, other = random_kind(), random_kind()
        async with on_the_link(setting) as (server, client, listener):
            client.ask(kind)
            await server.announce(service(other))
            await server.announce(service(kind))
            await listener.until(bool)
            assert {one.kind for one in listener.heard} == {kind}

    setting.run(main())


def test_one_hears_oneself(setting: Setting) -> None:
    async def main() -> None:
        kind = random_kind()
        async with on_the_link(setting) as (_, client, listener):
            client.ask(kind)
            await client.announce(service(kind))
            await listener.until(bool)

    setting.run(main())


def test_an_address_that_is_not_ours_is_an_os_error(setting: Setting) -> None:
    async def main() -> None:
        for addresses in ([], ["2001:db8::77"]):
            with pytest.raises(OSError):
                await setting.client.multicast.join(addresses, lambda _: None)

    setting.run(main())


def test_leaving_twice_and_withdrawing_what_never_was_are_harmless(setting: Setting) -> None:
    async def main() -> None:
        links = await setting.client.multicast.join(setting.client_links, lambda _: None)
        await links.withdraw(random_kind(), "nobody")
        await links.close()
        await links.close()

    setting.run(main())
