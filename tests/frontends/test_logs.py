from __future__ import annotations

import logging
import stat
from typing import TYPE_CHECKING, Any

import pytest

from warren.frontends.logs import logging_to

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Any, **options: Any) -> None:
    with logging_to(path, **{"debug": False, "also_stderr": True, **options}):
        log = logging.getLogger("warren.test")
        log.debug("hidden %s", "one")
        log.info("said %s", "two")
        logging.getLogger("elsewhere").info("not ours")
        try:
            raise ValueError("inside")
        except ValueError:
            log.exception("it broke")


@pytest.fixture(autouse=True)
def levels_as_before() -> Any:
    yield
    logging.getLogger("warren").setLevel(logging.NOTSET)


def test_the_file_has_all_and_stderr_what_matters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "warren.log"
    write(path)
    text = path.read_text()
    assert "INFO warren.test: said two" in text
    assert "ValueError: inside" in text
    assert "hidden" not in text
    assert "not ours" not in text
    assert capsys.readouterr().err == "error: it broke\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_debug_shows_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "warren.log"
    write(path, debug=True)
    assert "DEBUG warren.test: hidden one" in path.read_text()
    assert "ValueError: inside" in capsys.readouterr().err


def test_in_the_background_stderr_stays_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "warren.log", also_stderr=False)
    assert capsys.readouterr().err == ""


def test_it_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warren.frontends.logs.FILE_BYTES_MAX", 1000)
    with logging_to(tmp_path / "warren.log", debug=False, also_stderr=False):
        for number in range(200):
            logging.getLogger("warren.test").info("line %d", number)
    files = sorted(one.name for one in tmp_path.iterdir())
    assert files == ["warren.log", "warren.log.1", "warren.log.2", "warren.log.3"]
    assert "line 199" in (tmp_path / "warren.log").read_text()


def test_nothing_stays_behind(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:]
    write(tmp_path / "warren.log")
    assert logging.getLogger().handlers == before
