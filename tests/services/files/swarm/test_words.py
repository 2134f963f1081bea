from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.protocols.transfer.fakes import PEER
from tests.support import run
from warren.core.cid import Cid
from warren.runtime.real import RealRuntime
from warren.services.files.swarm.words import Words
from warren.services.files.types import Audience

if TYPE_CHECKING:
    from pathlib import Path

ROOT = Cid.raw_sha256(bytes(32))
PUBLIC, ORIGIN = Audience("public"), Audience("origin", (PEER,))


def after(folder: Path, *words: Audience | None, resumed: bool) -> Audience | None:
    """For whom it is once this came."""

    async def main() -> Audience | None:
        runtime = RealRuntime()
        made = Words(runtime, ROOT, str(folder), resumed=resumed)
        await asyncio.gather(*(made.use(word) for word in words))
        await runtime.close()
        return made.partial.audience

    return run(main())


@pytest.mark.parametrize("word", [PUBLIC, ORIGIN, None])
def test_the_next_attempt_knows_for_whom_it_is(tmp_path: Path, word: Audience | None) -> None:
    assert after(tmp_path, word, word, resumed=False) == word
    assert after(tmp_path, resumed=True) == word
    assert after(tmp_path, PUBLIC, resumed=True) == word
    assert after(tmp_path, PUBLIC, resumed=False) == PUBLIC  # a new one begins anew


def test_what_is_for_fewer_stays_so(tmp_path: Path) -> None:
    assert after(tmp_path, PUBLIC, ORIGIN, PUBLIC, resumed=False) == ORIGIN
    assert after(tmp_path, None, resumed=True) is None
    assert after(tmp_path, PUBLIC, resumed=True) is None


@pytest.mark.parametrize("data", [None, b"", b"\xff", b"everybody"])
def test_what_nobody_can_read_is_for_nobody(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "audience").write_bytes(data)
    assert after(tmp_path, PUBLIC, resumed=True) is None


def test_a_symlink_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("public")
    (tmp_path / "audience").symlink_to("elsewhere")
    assert after(tmp_path, resumed=True) is None
    assert after(tmp_path, ORIGIN, resumed=False) == ORIGIN
    assert (tmp_path / "elsewhere").read_text() == "public"
