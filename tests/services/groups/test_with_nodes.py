"""What is shared with a group, between whole nodes on real sockets: members see it, and nobody else."""

from __future__ import annotations

import contextlib
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.core.errors import ContentUnknown, NotFound
from warren.network.events import PeerDisconnected
from warren.node import Node
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)


class Friends:
    """Anna, who shares, and two contacts of hers."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> tuple[Node, Node, Node]:
        anna, ben, eve = [await self._start(name) for name in ("anna", "ben", "eve")]
        for other in (ben, eve):
            await other.add_contact(anna.addresses()[0])
            await anna.add_contact(other.peer_id)
        return anna, ben, eve

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self, name: str) -> Node:
        config = replace(QUIET, home=self._home / name, listen=LOOPBACK, name=name)
        return await self._stack.enter_async_context(Node(config))


async def sees(node: Node, owner: Node, cid: object, folder: Path) -> bool:
    """Whether all ways in are open: listings of the top and inside, nodes and chunks. None or all of them."""
    names = [one.name for one in await node.list_files(owner.peer_id)]
    ways = ["photos" in names]
    for try_it in (
        lambda: node.list_files(owner.peer_id, "photos"),
        lambda: node.get(str(cid), from_peer=owner.peer_id, output=folder / "by id").result(),
        lambda: node.get("photos", from_peer=owner.peer_id, output=folder / "by name").result(),
    ):
        try:
            await try_it()
        except ContentUnknown:
            ways.append(False)
        else:
            ways.append(True)
    assert len(set(ways)) == 1, ways
    return ways[0]


def test_a_member_sees_it_another_contact_does_not_nor_who_was_taken_out(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "sea.jpg").write_bytes(b"the sea" * 1000)

    async def main() -> None:
        async with Friends(tmp_path) as (anna, ben, eve):
            await anna.groups.add("family", [ben.peer_id])
            share = await anna.share(photos, "group:Family")
            assert str(share.audience) == "group:family"
            assert await sees(ben, anna, share.cid, tmp_path / "1")
            assert not await sees(eve, anna, share.cid, tmp_path / "2")

            await anna.groups.take_out("family", [ben.peer_id])
            await anna.groups.add("family", [eve.peer_id])
            assert not await sees(ben, anna, share.cid, tmp_path / "3")
            assert await sees(eve, anna, share.cid, tmp_path / "4")

            with contextlib.closing(eve.events()) as events:
                await anna.contacts.remove(eve.peer_id)
                while not isinstance(await anext(events), PeerDisconnected):
                    pass
            assert anna.groups.get("family").members == ()
            assert not await sees(eve, anna, share.cid, tmp_path / "5")

            await anna.groups.add("family", [ben.peer_id])
            await anna.groups.remove("family")
            assert not await sees(ben, anna, share.cid, tmp_path / "6")

    run(main())


def test_the_audience_is_there_after_a_restart(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "sea.jpg").write_bytes(b"the sea")

    async def main() -> None:
        async with Friends(tmp_path) as (anna, ben, _):
            await anna.groups.add("family", [ben.peer_id])
            await anna.share(photos, "group:family")
        async with Node(replace(QUIET, home=tmp_path / "anna", listen=LOOPBACK)) as again:
            assert [str(share.audience) for share in again.shares()] == ["group:family"]
            assert again.groups.get("family").members == (ben.peer_id,)

    run(main())


def test_nothing_is_shared_with_a_group_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")

    async def main() -> None:
        async with Node(replace(QUIET, home=tmp_path / "anna", listen=LOOPBACK)) as anna:
            with pytest.raises(NotFound, match="no group is called 'famly'"):
                await anna.share(tmp_path / "a.txt", "group:famly")
            assert anna.shares() == []

    run(main())
