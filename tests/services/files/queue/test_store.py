"""What is committed is there again, also after `kill -9` in the middle of writing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.files.queue.scene import ANNA, BEN, cid, want
from warren.runtime.migrations import numbered_scripts
from warren.runtime.real import RealRuntime
from warren.runtime.sqlite import SqliteFile
from warren.services.files.queue import store
from warren.services.files.queue.model import DroppedSource, QueuedTransfer
from warren.services.files.queue.selection import Selection
from warren.services.files.queue.window import Window
from warren.services.files.types import Progress

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[4]
WRITER = """
import asyncio, sys
from tests.services.files.queue.test_store import write
asyncio.run(write(sys.argv[1]))
"""
ONE = QueuedTransfer(
    0,
    want(
        peers=(ANNA, BEN),
        only=True,
        name="n",
        selection=Selection(("*.a",), ("b/c",)),
        keep=False,
        window=Window(1, 2),
        cap_bytes_per_s=3,
        priority=4,
    ),
    "n",
    "paused",
    root=cid(1),
    cause="user",
    reason="r",
    hint="h",
    error="E",
    progress=Progress(1, 2, 3, 4, "c", "fetching"),
    dropped=(DroppedSource(BEN, "lied", 5.0),),
    path="/p",
    added_at=6.0,
    ended_at=7.0,
)


@pytest.fixture
def db() -> Iterator[SqliteFile]:
    with closing(SqliteFile(":memory:")) as file:
        file.migrate(numbered_scripts("warren.services.files"), durable=True)
        yield file


def test_all_of_it_is_there_again(db: SqliteFile) -> None:
    number = db.run(lambda one: store.add(one, ONE))
    assert db.run(store.load) == [replace(ONE, number=number)]
    other = replace(
        ONE, number=number, want=want(path="x", cid=None), root=None, state="failed", cause="", ended_at=None
    )
    db.run(lambda one: store.save(one, other))
    assert db.run(store.load)[0].want.cid == cid(1), "what is wanted stays"
    db.run(lambda one: store.save_want(one, other))
    assert db.run(store.load) == [other]


@pytest.mark.parametrize(
    ("state", "cause"), [("running", ""), ("waiting", ""), ("paused", "hours"), ("queued", "")]
)
def test_what_a_restart_ends_is_queued_again(db: SqliteFile, state: str, cause: str) -> None:
    db.run(lambda one: store.add(one, replace(ONE, state=state, cause=cause)))  # type: ignore[arg-type]
    (found,) = db.run(store.load)
    assert (found.state, found.cause) == ("queued", "")


def test_numbers_are_never_given_twice(db: SqliteFile) -> None:
    first = db.run(lambda one: store.add(one, ONE))
    db.run(lambda one: store.remove(one, [first]))
    db.run(lambda one: store.save(one, replace(ONE, number=first)))
    assert db.run(store.load) == []
    assert db.run(lambda one: store.add(one, ONE)) > first


@pytest.mark.parametrize(
    "damage", ["state = 'x'", "want = '{'", "want = '{}'", "root = x'00'", "dropped = '[1]'", "hours = 'x'"]
)
def test_a_row_that_cannot_be_read_costs_itself_alone(db: SqliteFile, damage: str) -> None:
    for _ in range(2):
        db.run(lambda one: store.add(one, ONE))

    def harm(one: sqlite3.Connection) -> None:
        one.execute(f"UPDATE transfer SET {damage} WHERE number = 1")  # noqa: S608

    db.run(harm)
    assert [one.number for one in db.run(store.load)] == [2]


async def write(path: str) -> None:
    """Add and change without an end, and say so once it is committed."""
    runtime = RealRuntime()
    state = await runtime.open_database(path, numbered_scripts("warren.services.files"))
    while True:
        number = await state.run(lambda db: store.add(db, replace(ONE, state="queued", cause="")))
        print("added", number, flush=True)
        await state.run(partial(store.save, one=replace(ONE, number=number)))
        print("paused", number, flush=True)


def test_what_was_acknowledged_before_kill_9_is_there(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    said: list[list[str]] = []
    for lines in (1, 4, 11):
        words = [sys.executable, "-c", WRITER, str(tmp_path / "state.db")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as writer:
            assert writer.stdout is not None
            said += [writer.stdout.readline().split() for _ in range(lines)]
            writer.send_signal(signal.SIGKILL)
            said += [line.split() for line in writer.stdout if line.endswith("\n")]

    async def read() -> dict[int, str]:
        runtime = RealRuntime()
        state = await runtime.open_database(tmp_path / "state.db", numbered_scripts("warren.services.files"))
        found = {one.number: str(one.state) for one in await state.run(store.load)}
        await state.close()
        await runtime.close()
        return found

    found = asyncio.run(read())
    assert {int(number) for _, number in said} <= found.keys()
    assert all(found[int(number)] == "paused" for what, number in said if what == "paused")
