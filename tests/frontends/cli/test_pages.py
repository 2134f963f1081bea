"""The pages of the command line, the settings and the API name everything that there is, and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from tests.frontends.cli.test_main import every_command
from warren.core import errors
from warren.frontends.cli.base import EXITS
from warren.frontends.settings import settings

if TYPE_CHECKING:
    from tests.frontends.support import RunningApi

DOCS = Path(__file__).resolve().parents[3] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("words", "command"), every_command())
def test_the_cli_page_has_every_command_with_its_options(words: list[str], command: Any) -> None:
    (row,) = [line for line in page("cli.md").splitlines() if re.match(rf"\| `{' '.join(words)}[ `]", line)]
    for option in command.params:
        if (
            isinstance(option, click.Option)
            and not option.hidden
            and option.name not in {"home", "as_json", "debug"}
        ):
            for name in option.opts:
                assert f"`{name}" in row or f"{name}`" in row, (name, row)


def test_the_cli_page_has_every_exit_code() -> None:
    for code, meaning in EXITS.items():
        assert f"| {code} | {meaning} |" in page("cli.md")


def test_the_cli_page_has_every_error_beside_its_code() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| .*? \| (.*) \|$", page("cli.md"), re.MULTILINE))
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.WarrenError):
            named = [code for code, names in rows.items() if f"`{kind.__name__}`" in names]
            assert named == [str(kind.exit_code)], kind


def test_the_config_page_has_every_setting_that_is_no_limit() -> None:
    text = page("config.md")
    for name, setting in settings().items():
        if "." not in name:
            assert f"| `{name}` |" in text
            assert setting.env in text or name == "download_dir"
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert set(tomllib.loads(example)) <= set(settings())


def test_the_api_page_has_every_route(api: RunningApi) -> None:
    text = page("http-api.md")
    _, described = api.json("GET", "/openapi.json")
    for path, operations in described["paths"].items():
        for method in operations:
            shown = path.replace("{peer}", "PEER").replace("{ref}", "REF").replace("{key}", "KEY")
            shown = shown.replace("{group}", "GROUP").replace("{number}", "N").replace("{cid}", "CID")
            assert f"`{method.upper()} {shown}" in text, (method, path)


def test_the_api_page_names_errors_that_exist_with_their_status() -> None:
    for status, names in re.findall(r"^\| (\d+) \| ((?:`\w+`(?:, )?)+)", page("http-api.md"), re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            kind = getattr(errors, name, None)
            assert kind is not None or name == "InternalError"
            assert kind is None or kind.http_status == int(status), name
