"""The demo: the main job whole, real refusals, and no trace, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.frontends.support import environment
from warren.core.errors import InputError
from warren.frontends.cli.demo import material

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = (sys.executable, "-m", "warren.frontends.cli")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where the demo puts what it needs; must be empty afterwards, with nobody working in it."""
    folder = tmp_path / "place"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []
    assert [one for one in processes() if str(folder) in one] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as people have them: small and large, empty, hidden, a link out of it."""
    made = tmp_path / "Photos"
    (made / "2024" / "empty").mkdir(parents=True)
    (made / "large.bin").write_bytes(os.urandom(3_000_000))
    (made / "2024" / "ä ö.txt").write_text("hello")
    (made / "2024" / "nothing").write_bytes(b"")
    (made / ".hidden").write_text("not shared")
    (made / "out").symlink_to("/etc/hostname")
    return made


def processes() -> list[str]:
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(one.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return found


def start(place: Path, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "demo", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(place)),
    )


def test_the_main_job(place: Path, folder: Path) -> None:
    before = sorted(str(one) for one in folder.rglob("*"))
    with start(place, folder, "--json") as child:
        out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")
    facts = json.loads(out)
    assert facts["share"]["files"] == facts["fetch"]["files"] == 3
    assert facts["share"]["bytes"] == 3_000_005
    assert [one["path"] for one in facts["share"]["skipped"]] == ["out"]
    assert facts["verify"] == {"equal": True, "cid": facts["share"]["cid"]}
    assert f"alice (…{facts['start']['alice'][-8:]})" in facts["wrong_key"]["error"]
    assert f"alice (…{facts['start']['alice'][-8:]})" in facts["bad_data"]["error"]
    assert "letter.bin" in facts["bad_data"]["error"]
    assert facts["fetch"]["copy_seconds"] > 0
    assert sorted(str(one) for one in folder.rglob("*")) == before


def test_what_it_says(place: Path, folder: Path) -> None:
    with start(place, folder) as child:
        out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    steps = [line.split()[1] for line in out.splitlines() if line[:1].isdigit()]
    assert steps == ["start", "invite", "share", "fetch", "verify", "wrong", "bad", "check"]
    assert "of the same files" in out
    assert "ipfs init --profile=unixfs-v1-2025" in out
    assert "ipfs config" not in out, "nobody's settings are changed"
    assert "MB/s" in out
    assert "left out: out" in out


@pytest.mark.parametrize(("number", "step"), [(signal.SIGINT, 3), (signal.SIGTERM, 1)])
def test_however_it_ends_nothing_is_left(place: Path, folder: Path, number: int, step: int) -> None:
    with start(place, folder) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith(f"{step} "):
                break
        child.send_signal(number)
        child.communicate(timeout=20)
    assert child.returncode == 130


def test_a_folder_that_is_none(place: Path, tmp_path: Path) -> None:
    with start(place, tmp_path / "none") as child:
        _, err = child.communicate(timeout=20)
    assert child.returncode == 2
    assert "does not exist" in err


def test_an_empty_folder_has_no_rates(place: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with start(place, tmp_path / "empty") as child:
        out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")
    assert "0 files, 0 B" in out
    assert "/s)" not in out


def test_damage_does_not_show_and_can_be_undone(tmp_path: Path) -> None:
    letter = material.write_letter(tmp_path)
    before, data = letter.stat(), letter.read_bytes()
    damage = material.flip_a_byte(letter)
    after, damaged = letter.stat(), letter.read_bytes()
    same = ("st_size", "st_mtime_ns", "st_ino")
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    changed = [i for i, (a, b) in enumerate(zip(data, damaged, strict=True)) if a != b]
    assert [at // material.CHUNK_BYTES for at in changed] == [damage.number - 1]
    assert material.flip_a_byte(letter).cid != damage.cid
    assert letter.read_bytes() == data


def test_difference_finds_what_differs(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "2024").mkdir(parents=True)
    (copy / "large.bin").write_bytes((folder / "large.bin").read_bytes())
    (copy / "2024" / "ä ö.txt").write_text("hello")
    assert material.difference(folder, copy, set()) == "2024/nothing"
    (copy / "2024" / "nothing").write_bytes(b"")
    assert material.difference(folder, copy, set()) == ""
    (copy / "2024" / "ä ö.txt").write_text("hellO")
    assert material.difference(folder, copy, set()) == "2024/ä ö.txt"
    assert material.difference(folder, copy, {"2024/ä ö.txt"}) == "2024/ä ö.txt"
    (copy / "2024" / "ä ö.txt").unlink()
    assert material.difference(folder, copy, {"2024/ä ö.txt"}) == ""


def test_without_a_folder_it_takes_the_standard_library_or_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "os.py").write_text("import sys")
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(library))
    assert material.choose(None, tmp_path) == material.Folder(library, 1, 10)
    monkeypatch.setattr(material, "_OFFERED_BYTES_MAX", 1)
    made = material.choose(None, tmp_path)
    assert (made.is_sample, made.files) == (True, 1001)
    assert made.bytes > 32_000_000


def test_a_folder_that_does_not_fit_on_the_disk(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are free") as caught:
        material.check_room(material.Folder(tmp_path, 1, 10**18), tmp_path)
    assert "TMPDIR" in caught.value.hint
