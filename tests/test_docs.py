"""Every Python example of the documentation runs, as it stands there.

The blocks of a page run one after another in one namespace and on one event loop, as the cells of a notebook,
so a page may use `await` at the top level and go on with what an earlier block made. Each page runs in a
folder of its own; nodes that name no address listen on loopback. A block that defines tests has them run,
outside the loop.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import warren.config
import warren.node
import warren.testing  # it must hold the real Config before a page gets another
from warren.config import Config

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
    if BLOCK.search(page.read_text())
]


def test_there_are_pages_to_run() -> None:
    assert {"README.md", "python-api.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    _listen_on_loopback(monkeypatch)
    namespace: dict[str, Any] = {"__name__": "example"}
    with asyncio.Runner() as runner:
        for block in BLOCK.finditer(page.read_text()):
            line = page.read_text().count("\n", 0, block.start(1))
            _run(block[1], f"{page.name}, block at line {line}", line, namespace, runner)


def _listen_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page imports as `Config`; the simulated nodes of `warren.testing` keep the real one."""

    def config(**given: Any) -> Config:
        return Config(**{"listen": ("/ip4/127.0.0.1/tcp/0",), **given})

    monkeypatch.setattr(warren.config, "Config", config)
    monkeypatch.setattr(warren.node, "Config", config)


def _run(source: str, name: str, line: int, namespace: dict[str, Any], runner: asyncio.Runner) -> None:
    tree = ast.parse(source)
    ast.increment_lineno(tree, line)
    code = compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        runner.run(_bounded(eval(code, namespace)))  # noqa: S307  our own pages
        return
    known = set(namespace)
    exec(code, namespace)  # noqa: S102  our own pages
    for made in sorted(set(namespace) - known):
        if made.startswith("test_"):
            namespace[made]()


async def _bounded(work: Any) -> None:
    async with asyncio.timeout(30):
        await work
