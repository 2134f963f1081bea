"""Asking peers what they say of their files: only who may see a file hears, and nobody speaks for another."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren.core.cid import Cid
from warren.core.entry import Metadata
from warren.core.errors import ContentUnknown, ProtocolViolation, Refused
from warren.core.keys import PrivateKey
from warren.core.resource import Resource
from warren.network.allowance import Rate
from warren.node import Node
from warren.protocols import resource
from warren.protocols.resource import PATH_BYTES_MAX, PROTOCOL
from warren.testing.nodes import QUIET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OTHER = PrivateKey.from_seed(b"o" * 32)


@asynccontextmanager
async def two(tmp_path: Path) -> AsyncIterator[tuple[Node, Node]]:
    """Anna, who shares a file with contacts and says what it is, and Ben, who is connected and no contact."""
    listen = ("/ip4/127.0.0.1/tcp/0",)
    homes = (tmp_path / "anna", tmp_path / "ben")
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "a.txt").write_text("a")
    (papers / "silent.txt").write_text("b")
    async with (
        Node(replace(QUIET, home=homes[0], listen=listen)) as anna,
        Node(replace(QUIET, home=homes[1], listen=listen)) as ben,
    ):
        await anna.share(papers)
        await anna.resources.edit("papers/a.txt", title="A")
        await ben.connect(anna.addresses()[0])
        yield anna, ben


class Liar:
    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def word_for(self, *_: object) -> bytes:
        return self._answer


def test_who_may_see_a_file_hears_what_is_said_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with two(tmp_path) as (anna, ben):
            with pytest.raises(ContentUnknown, match="says nothing"):
                await ben.resource_of(anna.peer_id, "papers/a.txt")
            await anna.add_contact(ben.peer_id)
            heard = await ben.resource_of(anna.peer_id, "papers/a.txt")
            (word,) = heard.others
            assert (word.publisher, word.metadata, word.cid) == (anna.peer_id, Metadata("A"), heard.cid)
            assert heard.metadata == Metadata()
            for path in ("papers/silent.txt", "papers", "papers/none", "none", "", "/", "papers/../../etc"):
                with pytest.raises(ContentUnknown, match="says nothing"):
                    await ben.resource_of(anna.peer_id, path)
            await anna.resources.edit("papers/a.txt", title="B")
            assert (await ben.resource_of(anna.peer_id, "papers/a.txt")).others[0].metadata.title == "B"
            await anna.resources.clear("papers/a.txt")
            assert (await ben.resource_of(anna.peer_id, "papers/a.txt")).others == ()

    run(main())


def test_who_asks_without_end_is_refused_and_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "ANSWERS", Rate(5, 0.001))

    async def main() -> None:
        async with two(tmp_path) as (anna, ben):
            for _ in range(5):
                assert await ben.request(anna.peer_id, PROTOCOL, b"none") == b""
            for _ in range(20):
                with pytest.raises(Refused, match="too often"):
                    await ben.request(anna.peer_id, PROTOCOL, b"none")
            assert caplog.text.count(f"{ben.peer_id} asks too often") == 1

    run(main())


def test_the_word_stays_with_the_content_that_was_fetched(tmp_path: Path) -> None:
    async def main() -> None:
        async with two(tmp_path) as (anna, ben):
            await anna.add_contact(ben.peer_id)
            await ben.resource_of(anna.peer_id, "papers/a.txt")
            got = ben.get("papers/a.txt", from_peer=anna.peer_id, output=tmp_path / "got")
            await ben.share(await got.result())
            shown = await ben.resources.show("a.txt")
            assert [word.metadata.title for word in shown.others] == ["A"]
            assert shown.metadata == Metadata()  # it is not Ben's word
            with pytest.raises(ContentUnknown):
                await anna.resource_of(ben.peer_id, "a.txt")

    run(main())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"no envelope", "malformed"),
        (Resource(OTHER.peer_id, Cid.raw_sha256(bytes(32)), 1, Metadata("x")).seal(OTHER), "passes on"),
    ],
)
def test_a_liar_is_named_and_nothing_kept(tmp_path: Path, answer: bytes, message: str) -> None:
    async def main() -> None:
        async with two(tmp_path) as (anna, ben):
            assert anna._parts is not None
            anna._parts.resource_protocol._speaker = Liar(answer)
            with pytest.raises(ProtocolViolation, match=message):
                await ben.resource_of(anna.peer_id, "papers/a.txt")
            with pytest.raises(ContentUnknown):
                await ben.resources.show(Cid.raw_sha256(bytes(32)))

    run(main())


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"a" * (PATH_BYTES_MAX + 1)])
def test_what_is_no_path_is_refused(tmp_path: Path, payload: bytes) -> None:
    async def main() -> None:
        async with two(tmp_path) as (anna, ben):
            with pytest.raises(Refused):
                await ben.request(anna.peer_id, PROTOCOL, payload)

    run(main())
