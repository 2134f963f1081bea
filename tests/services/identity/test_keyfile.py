"""The identity file: made once, kept private, never replaced."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from warren.core.errors import ReadOnlyTarget, StorageError
from warren.core.keys import PrivateKey
from warren.runtime.real.disk import RealDisk
from warren.runtime.real.runtime import RealEntropy
from warren.services.identity.keyfile import FILE_NAME, load_or_make


def load(home: Path) -> PrivateKey:
    return load_or_make(RealDisk(), home, RealEntropy())


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        key = load(tmp_path)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]
    assert PrivateKey.from_protobuf((tmp_path / FILE_NAME).read_bytes()).peer_id == key.peer_id


def test_a_restart_keeps_the_id_and_two_homes_differ(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert load(tmp_path / "a").peer_id == load(tmp_path / "a").peer_id
    assert load(tmp_path / "a").peer_id != load(tmp_path / "b").peer_id


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_key_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    load(tmp_path)
    file = tmp_path / FILE_NAME
    file.chmod(mode)
    with pytest.raises(StorageError, match="other users") as caught:
        load(tmp_path)
    assert caught.value.hint == f"run: chmod 600 {file}"
    file.chmod(0o400)
    load(tmp_path)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped seed", "flipped public half", "longer", "text"])
def test_a_damaged_key_is_refused_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    load(tmp_path)
    file = tmp_path / FILE_NAME
    good = file.read_bytes()
    bad = {
        "empty": b"",
        "cut": good[:-1],
        "flipped seed": good[:10] + bytes([good[10] ^ 1]) + good[11:],
        "flipped public half": good[:-1] + bytes([good[-1] ^ 1]),
        "longer": good + b"\0",
        "text": b"-----BEGIN OPENSSH PRIVATE KEY-----",
    }[damage]
    file.write_bytes(bad)
    with pytest.raises(StorageError, match="damaged") as caught:
        load(tmp_path)
    assert str(file) in str(caught.value)
    assert "backup" in caught.value.hint
    assert file.read_bytes() == bad


def test_a_link_or_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    load(tmp_path / "a")
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "a" / FILE_NAME)
    with pytest.raises(StorageError, match="cannot read"):
        load(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StorageError, match="cannot read"):
        load(tmp_path)


def test_where_no_key_can_be_kept_there_is_no_identity(tmp_path: Path) -> None:
    with pytest.raises(ReadOnlyTarget, match="cannot keep the identity"):
        load(tmp_path / "missing")


def test_a_key_that_kill_9_left_half_made_is_removed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from warren.runtime.real.disk import RealDisk\n"
        "from warren.runtime.real.runtime import RealEntropy\n"
        "from warren.services.identity.keyfile import load_or_make\n"
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "load_or_make(RealDisk(), Path(sys.argv[1]), RealEntropy())\n"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    killed = subprocess.run([sys.executable, "-c", program, tmp_path], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name != FILE_NAME
    load(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]
