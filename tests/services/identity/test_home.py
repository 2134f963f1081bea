"""The data folder: claimed by one node, freed when it ends."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import run
from warren.core.errors import ReadOnlyTarget, StorageError
from warren.runtime.real.runtime import RealRuntime
from warren.services.identity.home import STATE_NAME, Home
from warren.services.identity.keyfile import FILE_NAME

HOLDER = """
import asyncio, sys
from pathlib import Path
from warren.runtime.real.runtime import RealRuntime
from warren.services.identity.home import Home

async def main():
    home = Home(Path(sys.argv[1]), RealRuntime())
    print((await home.open()).peer_id, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def test_the_folder_is_made_for_its_owner_and_keeps_the_identity(tmp_path: Path) -> None:
    async def main() -> None:
        runtime = RealRuntime()
        ids = []
        home = Home(tmp_path / "new" / "home", runtime)
        for _ in range(3):
            ids.append((await home.open()).peer_id)
            await home.close()
            await home.close()
        assert len(set(ids)) == 1
        assert home.place(STATE_NAME) == tmp_path / "new" / "home" / "state.db"
        await runtime.close()

    run(main())
    assert stat.S_IMODE((tmp_path / "new" / "home").stat().st_mode) == 0o700


def test_two_nodes_of_one_process_do_not_share_a_folder(tmp_path: Path) -> None:
    async def main() -> None:
        runtime = RealRuntime()
        for _ in range(2):  # the second time the lock file exists already
            first, second = Home(tmp_path, runtime), Home(tmp_path, runtime)
            key = await first.open()
            with pytest.raises(
                StorageError, match=rf"already runs on .* \(process {os.getpid()}\)"
            ) as caught:
                await second.open()
            assert "--home" in caught.value.hint
            await first.close()
            assert (await second.open()).peer_id == key.peer_id
            await second.close()
        await runtime.close()

    run(main())


def test_a_folder_that_another_process_uses_is_refused_until_that_is_killed(tmp_path: Path) -> None:
    source = str(Path(__file__).parents[3] / "src")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": source},
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    peer_id = holder.stdout.readline().strip()

    async def main() -> None:
        runtime = RealRuntime()
        home = Home(tmp_path, runtime)
        with pytest.raises(StorageError, match=f"process {holder.pid}"):
            await home.open()
        holder.kill()
        holder.wait()
        assert str((await home.open()).peer_id) == peer_id
        await home.close()
        await runtime.close()

    try:
        run(main())
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()


def test_a_refused_identity_frees_the_folder(tmp_path: Path) -> None:
    async def main() -> None:
        runtime = RealRuntime()
        (tmp_path / FILE_NAME).write_bytes(b"?")
        (tmp_path / FILE_NAME).chmod(0o600)
        for _ in range(2):
            with pytest.raises(StorageError):
                await Home(tmp_path, runtime).open()
        (tmp_path / FILE_NAME).unlink()
        home = Home(tmp_path, runtime)
        await home.open()
        await home.close()
        await runtime.close()

    run(main())


def test_what_stands_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        runtime = RealRuntime()
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(ReadOnlyTarget, match="cannot make the data folder"):
            await Home(tmp_path / "file" / "home", runtime).open()
        (tmp_path / "node.lock").mkdir()
        with pytest.raises(ReadOnlyTarget, match="cannot write to the data folder"):
            await Home(tmp_path, runtime).open()
        await runtime.close()

    run(main())


def test_without_a_folder_nothing_is_written() -> None:
    async def main() -> None:
        runtime = RealRuntime()
        one, other = Home(None, runtime), Home(None, runtime)
        assert (await one.open()).peer_id != (await other.open()).peer_id
        assert one.place(STATE_NAME) == ":memory:"
        await one.close()
        await runtime.close()

    run(main())


def test_reading_the_lock_file_does_not_free_the_folder(tmp_path: Path) -> None:
    """A share may hold it: whoever hashes it opens and closes it in this very process."""

    async def main() -> None:
        runtime = RealRuntime()
        first = Home(tmp_path, runtime)
        await first.open()
        for name in os.listdir(tmp_path):
            (tmp_path / name).read_bytes()
        with pytest.raises(StorageError, match="already runs"):
            await Home(tmp_path, runtime).open()
        await first.close()
        await runtime.close()

    run(main())


def test_folders_lie_in_the_data_folder_or_hidden_where_two_nodes_do_not_share_them(tmp_path: Path) -> None:
    async def main() -> None:
        runtime = RealRuntime()
        peers = [(await Home(None, runtime).open()).peer_id for _ in range(2)]
        assert Home(tmp_path, runtime).folder("streams", Path("/x"), peers[0]) == tmp_path / "streams"
        one, two = (Home(None, runtime).folder("streams", tmp_path, peer) for peer in peers)
        assert one != two
        assert {one.parent, two.parent} == {tmp_path}
        assert all(folder.name.startswith(".warren-streams-") for folder in (one, two))
        await runtime.close()

    run(main())
